from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from data.readers.miniature import agree, write
from data.readers.miniature_fer2013 import grey
from data.readers.miniature_ferplus import FOLDERS, ROWS, make, make_folders
from norface.data.readers.ferplus import NO_WINNER, FerPlus, vote
from norface.errors import DatasetError


def change(path: Path, row: int, text: str) -> None:
    lines = path.read_text().splitlines()
    lines[row] = text
    write(path, "\n".join(lines) + "\n")


def test_both_rules_in_both_forms(tmp_path: Path) -> None:
    make(tmp_path / "csv")
    make_folders(tmp_path / "folders")
    agree(FerPlus(rule="majority").read(tmp_path / "csv"), make(tmp_path / "csv", rule="majority"))
    agree(FerPlus(rule="majority").read(tmp_path / "folders"), make_folders(tmp_path / "folders", rule="majority"))
    assert FerPlus().read(tmp_path / "csv").facts == {"rule": "argmax", "release": "csv", "frame": "fer2013"}
    assert FerPlus(rule="majority").read(tmp_path / "folders").facts["release"] == "folders"


def test_votes() -> None:
    nobody, tie, single = [0] * 10, [0, 3, 3, 0, 0, 0, 0, 0, 0, 0], [1] + [0] * 9
    votes = np.array([nobody, tie, single, [0, 0, 0, 0, 0, 0, 0, 0, 4, 3]], np.float64)
    assert vote(votes, "argmax").tolist() == [NO_WINNER, 1, 0, 8]
    assert vote(votes, "majority").tolist() == [NO_WINNER, NO_WINNER, NO_WINNER, 8]
    assert vote(np.zeros((0, 10)), "argmax").tolist() == []


def test_literature_follows_the_rule() -> None:
    assert FerPlus().info.literature == {"faces": 35_488, "train": 28_389, "val": 3_553, "test": 3_546}
    assert FerPlus(rule="majority").info.literature["test"] == 3_153


def test_pixels_of_both_forms_are_the_same(tmp_path: Path) -> None:
    make(tmp_path / "csv")
    make_folders(tmp_path / "folders")
    one, two = (FerPlus().read(tmp_path / form).rows for form in ("csv", "folders"))
    assert one["face_id"].tolist() == two["face_id"].tolist()
    for a, b in zip(one["image"], two["image"], strict=True):
        first, second = FerPlus().pixels(tmp_path / "csv", a), FerPlus().pixels(tmp_path / "folders", b)
        np.testing.assert_array_equal(first, second)


def test_folders_in_the_owners_repository(tmp_path: Path) -> None:
    expected = make_folders(tmp_path / "data")
    reading = FerPlus().read(tmp_path)
    assert len(reading.rows) == len(expected.images)
    assert reading.rows["image"].str.startswith("data/FER2013").all()


def test_labels_without_pixels(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "fer2013.csv").unlink()
    (problem,) = FerPlus().check(tmp_path)
    assert (problem.where, problem.fatal) == ("fer2013.csv", True)
    with pytest.raises(DatasetError, match=r"fer2013\.tar\.gz"):
        FerPlus().read(tmp_path)


def test_folders_without_labels(tmp_path: Path) -> None:
    make_folders(tmp_path)
    (tmp_path / "FER2013Test/label.csv").unlink()
    reading = FerPlus().read(tmp_path)
    assert set(reading.rows["split"]) == {"train", "val"}
    assert Counter(one.why for one in reading.skipped)["labels are not there"] == 1
    for folder in FOLDERS.values():
        (tmp_path / folder / "label.csv").unlink(missing_ok=True)
    (problem,) = FerPlus().check(tmp_path)
    assert "generate_training_data" in problem.action


def test_rows_that_mean_nothing_are_counted(tmp_path: Path) -> None:
    expected = make(tmp_path)
    path = tmp_path / "fer2013new.csv"
    change(path, 1, "Training,fer0000000.png,4,0,0,1,3,2,0,0,0")  # one vote short
    change(path, 2, "Training,fer0000001.png,6,0,1,1,0,0,0,0,-2,0")
    change(path, 3, "Training,fer0009999.png,5,0,0,3,1,0,0,0,1,0")
    change(path, 4, "Training,fer0000003.png,0,9.5,0,0,0,0,0,0,0,0")
    change(path, 9, "PublicTest,fer0000007.png,0,0,0,8,0,0,2,0,0,0")  # the same face again
    reading = FerPlus().read(tmp_path)
    assert Counter(one.why for one in reading.skipped) - Counter(dict(expected.skipped)) == {
        "unreadable label": 3,
        "label without image": 1,
        "duplicate": 1,
    }
    assert len(reading.rows) == len(expected.images) - 5


def test_two_label_files_in_different_order_are_refused(tmp_path: Path) -> None:
    make(tmp_path)
    change(tmp_path / "fer2013new.csv", 1, "PrivateTest,fer0000000.png,4,0,0,1,3,2,0,0,0,0")
    with pytest.raises(DatasetError, match=r"fer2013new.csv:2.*Training"):
        FerPlus().read(tmp_path)


def test_more_pixels_than_labels(tmp_path: Path) -> None:
    make(tmp_path)
    lines = (tmp_path / "fer2013new.csv").read_text().splitlines()
    write(tmp_path / "fer2013new.csv", "\n".join(lines[:-2]))
    reading = FerPlus().read(tmp_path)
    lost = [one.what for one in reading.skipped if one.why == "image without label"]
    assert lost == [f"fer2013.csv@{len(ROWS) - 2}", f"fer2013.csv@{len(ROWS) - 1}"]


def test_missing_and_extra_images_in_folders(tmp_path: Path) -> None:
    make_folders(tmp_path)
    (tmp_path / "FER2013Train/fer0000003.png").unlink()
    cv2.imwrite(str(tmp_path / "FER2013Train/fer0000999.png"), grey(0))
    reasons = Counter(one.why for one in FerPlus().read(tmp_path).skipped)
    assert (reasons["label without image"], reasons["image without label"]) == (1, 1)


def test_header_in_folders_and_none_in_the_csv(tmp_path: Path) -> None:
    expected = make_folders(tmp_path / "folders")
    path = tmp_path / "folders/FER2013Train/label.csv"
    header = "name,box,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
    write(path, header + path.read_text())
    agree(FerPlus().read(tmp_path / "folders"), expected)
    expected = make(tmp_path / "csv")
    path = tmp_path / "csv/fer2013new.csv"
    write(path, path.read_text().partition("\n")[2])
    agree(FerPlus().read(tmp_path / "csv"), expected)
