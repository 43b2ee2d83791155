from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from data.readers.miniature import agree, picture, write
from data.readers.miniature_rafdb import FACES, make, make_original, write_labels
from norface.data.readers.contract import Reading, Skipped
from norface.data.readers.rafdb import EMOTIONS_BY_CODE, LABELS, RafDb
from norface.errors import DatasetError


def emotion_of(reading: Reading, face_id: str) -> str | None:
    found = reading.rows.set_index("face_id")["emotion"].to_dict()
    return found.get(face_id)


def test_facts_say_which_images(tmp_path: Path) -> None:
    make(tmp_path / "aligned")
    make_original(tmp_path / "original")
    assert RafDb().read(tmp_path / "aligned").facts == {"images": "aligned", "frame": "rafdb-aligned"}
    assert RafDb(images="original").read(tmp_path / "original").facts == {"images": "original"}
    assert RafDb().check(tmp_path / "aligned") == ()


def test_literature_is_the_owners_label_file() -> None:
    counts = RafDb.info.literature
    assert (counts["train"], counts["test"], counts["faces"]) == (12_271, 3_068, 15_339)
    assert sum(counts[f"test/{name}"] for name in EMOTIONS_BY_CODE.values()) == 3_068


def test_missing_label_file_and_images_are_both_named(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / LABELS).unlink()
    problems = RafDb(images="original").check(tmp_path)
    assert [problem.where for problem in problems] == [LABELS, "Image/original"]
    assert all(problem.fatal for problem in problems)
    assert "Image has aligned" in problems[1].found
    with pytest.raises(DatasetError, match="Unpack EmoLabel"):
        RafDb().read(tmp_path)


def test_lines_that_mean_nothing_are_counted(tmp_path: Path) -> None:
    expected = make(tmp_path)
    for name in ("train_90001", "train_90002", "train_90003", "train_90004", "other_1"):
        picture(tmp_path / "Image" / "aligned" / f"{name}_aligned.jpg")
    broken = ("train_90001.jpg 9", "train_90002.jpg x", "train_90003.jpg 3.5", "train_90004.jpg", "other_1.jpg 3")
    write_labels(tmp_path, broken)
    reading = RafDb().read(tmp_path)
    assert reading.rows["face_id"].tolist() == list(expected.images)
    assert Counter(one.why for one in reading.skipped) == {
        "unknown code 9": 1,
        "unreadable label": 3,
        "neither train nor test": 1,
        "image without label": 3,  # of lines that could not be read, and of the name without a part
    }
    assert Skipped(f"{LABELS}:1", "unknown code 9") in reading.skipped
    problems = RafDb().check(tmp_path)
    assert not any(problem.fatal for problem in problems)
    assert {problem.found for problem in problems} >= {"1 x unknown code, the first here: unknown code 9"}


def test_row_without_image_and_image_without_row(tmp_path: Path) -> None:
    expected = make(tmp_path)
    (tmp_path / "Image/aligned/test_0001_aligned.jpg").unlink()
    picture(tmp_path / "Image/aligned/test_0099_aligned.jpg")
    reading = RafDb().read(tmp_path)
    assert len(reading.rows) == len(expected.images) - 1
    assert reading.skipped == (
        Skipped(f"{LABELS}:8", "label without image"),
        Skipped("Image/aligned/test_0099_aligned.jpg", "image without label"),
    )
    found = [(problem.where, problem.found, problem.fatal) for problem in RafDb().check(tmp_path)]
    assert found[0] == (f"{LABELS}:8", "1 x label without image, the first here", False)


def test_equal_duplicates_count_once_and_contradictions_not_at_all(tmp_path: Path) -> None:
    make(tmp_path)
    write_labels(tmp_path, ("train_00001.jpg 5", "TRAIN_00002.JPG 1"))
    reading = RafDb().read(tmp_path)
    assert emotion_of(reading, "train_00001") == "sad"
    assert emotion_of(reading, "train_00002") is None
    assert Counter(one.why for one in reading.skipped) == {"duplicate": 1, "contradictory labels": 2}
    assert reading.rows["face_id"].is_unique


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: "\ufeff" + text,  # a byte-order mark
        lambda text: text.replace("\n", "\r\n") + "\r\n\r\n",
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace(" ", "\t  "),
        lambda text: "image code\n" + text,  # a header that somebody added
    ],
    ids=["bom", "windows", "old mac", "tabs", "header"],
)
def test_ways_to_write_the_label_file(tmp_path: Path, rewrite: object) -> None:
    assert callable(rewrite)
    expected = make(tmp_path)
    write(tmp_path / LABELS, rewrite((tmp_path / LABELS).read_text(encoding="utf-8")))
    agree(RafDb().read(tmp_path), expected)


@pytest.mark.parametrize("text", ["", "\n\n", "<html>404</html>\n<p>no such file</p>\n", "a,b,c\n1,2,3\n", "\0\0\0\0"])
def test_another_file_instead_of_the_labels_is_refused(tmp_path: Path, text: str) -> None:
    make(tmp_path)
    write(tmp_path / LABELS, text)
    with pytest.raises(DatasetError, match="list_patition_label"):
        RafDb().read(tmp_path)
    assert RafDb().check(tmp_path)[0].fatal


def test_labels_of_another_release_leave_nothing(tmp_path: Path) -> None:
    make(tmp_path)
    write(tmp_path / LABELS, "\n".join(f"train_5{k:04d}.jpg 4" for k in range(6)))
    with pytest.raises(DatasetError, match="label without image"):
        RafDb().read(tmp_path)


def test_broken_annotations_are_missing_not_guessed(tmp_path: Path) -> None:
    make_original(tmp_path)
    boxes, points = tmp_path / "Annotation/boundingbox", tmp_path / "Annotation/manual"
    write(boxes / "train_00001_boundingbox.txt", "10 20 5 60")  # ends before it begins
    write(boxes / "train_00002_boundingbox.txt", "10 20 nan 60")
    write(points / "train_00001_manu_attri.txt", "30 40\n70")
    reading = RafDb(images="original").read(tmp_path)
    rows = reading.rows.set_index("face_id")
    assert rows.loc[["train_00001", "train_00002"], "box_left"].isna().all()
    assert rows.loc["train_00003", "box_left"] == 12
    assert rows["nose_x"].isna()["train_00001"]
    assert Counter(one.why for one in reading.skipped) == {"unreadable label": 3}
    assert len(rows) == len(FACES)


def test_mirrored_points_are_put_in_order(tmp_path: Path) -> None:
    make_original(tmp_path)
    lines = ("70\t41", "30.5\t40.25", "50\t62", "66\t85", "36\t84", "1", "0", "2")
    write(tmp_path / "Annotation/manual/train_00001_manu_attri.txt", "\n".join(lines))
    row = RafDb(images="original").read(tmp_path).rows.iloc[0]
    assert (row["right_eye_x"], row["left_eye_x"], row["mouth_right_x"], row["mouth_left_x"]) == (30.5, 70, 36, 66)
    assert (row["right_eye_y"], row["mouth_left_y"]) == (40.25, 85)


def test_original_images_without_annotations(tmp_path: Path) -> None:
    expected = make(tmp_path)
    (tmp_path / "Image/aligned").rename(tmp_path / "Image/original")
    for path in (tmp_path / "Image/original").iterdir():
        path.rename(path.with_name(path.name.replace("_aligned", "")))
    reading = RafDb(images="original").read(tmp_path)
    assert len(reading.rows) == len(expected.images)
    assert "box_left" not in reading.rows.columns
