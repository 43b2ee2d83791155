from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from data.readers.miniature import agree, picture, write
from data.readers.miniature_affectnet import COLUMNS, IMAGES, LANDMARKS, LISTS, line, make, make_csv, make_npy
from norface.data.readers.affectnet import AffectNet, five_points
from norface.errors import DatasetError


def test_seven_classes_leave_contempt_out_and_say_so(tmp_path: Path) -> None:
    expected = make_csv(tmp_path, classes=7)
    reading = AffectNet(classes=7).read(tmp_path)
    agree(reading, expected)
    assert "contempt" not in AffectNet(classes=7).info.emotions
    assert reading.facts == {"release": "csv", "classes": 7}


def test_literature_follows_the_classes() -> None:
    eight, seven = AffectNet().info.literature, AffectNet(classes=7).info.literature
    assert (eight["train"], eight["val"], eight["train/contempt"]) == (287_651, 4_000, 3_750)
    assert (seven["train"], seven["val"]) == (283_901, 3_500)
    assert "train/contempt" not in seven
    assert eight["train/happy"] == 134_415


@pytest.mark.parametrize("kind", ["text", "number"])
def test_npy_release_stores_text_or_numbers(tmp_path: Path, kind: str) -> None:
    expected = make_npy(tmp_path, kind=kind)
    reading = AffectNet().read(tmp_path)
    agree(reading, expected)
    assert reading.facts["release"] == "npy"
    assert "3,999" in str(reading.facts["note"])
    assert AffectNet().check(tmp_path) == ()
    seven = AffectNet(classes=7).read(tmp_path)
    assert Counter(one.why for one in seven.skipped) == {"contempt, not among the 7 classes": 1}


def test_broken_npy_files_give_no_label(tmp_path: Path) -> None:
    make_npy(tmp_path)
    folder = tmp_path / "train_set/annotations"
    (folder / "0_exp.npy").write_bytes(b"")
    np.save(folder / "1_exp.npy", np.array("9"))
    np.save(folder / "3_exp.npy", np.array(1.5))
    np.save(folder / "10_exp.npy", np.array([1, 2]))
    np.save(folder / "77_exp.npy", np.array("1"))
    np.save(tmp_path / "val_set/annotations/0_exp.npy", np.array(12))
    picture(tmp_path / "val_set/images/99.jpg")
    reading = AffectNet().read(tmp_path)
    assert reading.rows["face_id"].tolist() == ["train_11", "val_1", "val_2"]
    assert Counter(one.why for one in reading.skipped) == {
        "unreadable label": 3,
        "uncertain emotion": 1,
        "label without image": 1,
        "unknown code 12": 1,
        "image without label": 1,
    }


def test_pickled_labels_are_never_loaded(tmp_path: Path) -> None:
    make_npy(tmp_path)
    buffer = io.BytesIO()
    np.save(buffer, np.array({"a": 1}, dtype=object), allow_pickle=True)
    (tmp_path / "train_set/annotations/0_exp.npy").write_bytes(buffer.getvalue())
    reading = AffectNet().read(tmp_path)
    assert [one.why for one in reading.skipped] == ["unreadable label"]


def test_only_the_validation_part(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / LISTS / "training.csv").unlink()
    reading = AffectNet().read(tmp_path)
    assert set(reading.rows["split"]) == {"val"}
    assert Counter(one.why for one in reading.skipped)["labels are not there"] == 1
    where = [problem.where for problem in AffectNet().check(tmp_path) if not problem.fatal]
    assert "Manually_Annotated_file_lists/training.csv" in where


def test_only_one_part_of_the_npy_release(tmp_path: Path) -> None:
    make_npy(tmp_path)
    (tmp_path / "train_set/annotations").rename(tmp_path / "elsewhere")
    reading = AffectNet().read(tmp_path)
    assert set(reading.rows["split"]) == {"val"}
    assert [one.what for one in reading.skipped] == ["train_set/annotations"]


def test_lists_without_images_and_images_without_lists(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "Manually_Annotated").rename(tmp_path / "aside")
    (problem,) = AffectNet().check(tmp_path)
    assert problem.where == "Manually_Annotated/Manually_Annotated_Images"
    (tmp_path / "aside").rename(tmp_path / "Manually_Annotated")
    for path in (tmp_path / LISTS).iterdir():
        path.unlink()
    (problem,) = AffectNet().check(tmp_path)
    assert (problem.where, problem.expected) == (LISTS.as_posix(), "training.csv and validation.csv")
    with pytest.raises(DatasetError, match="Unpack the file lists"):
        AffectNet().read(tmp_path)


def test_bad_rows_are_left_out_one_by_one(tmp_path: Path) -> None:
    extra = {
        "1/n1.jpg": line("1/n1.jpg", 11),
        "1/n2.jpg": line("1/n2.jpg", 1).replace(",1,0,", ",,0,"),
        "1/n3.jpg": line("1/n3.jpg", 1) + ",more",
        "1/n4.jpg": "1/n4.jpg,1",
        "1/n5.jpg": '"1/n5.jpg,3,3',  # a quote that is never closed must not swallow the next lines
    }
    expected = make_csv(tmp_path, train=(*extra.values(), line("9/none.jpg", 1), line("../../../secret.jpg", 1)))
    for path in extra:
        picture(tmp_path / IMAGES / path)
    reading = AffectNet().read(tmp_path)
    assert set(reading.rows["face_id"]) == set(expected.images)
    assert Counter(one.why for one in reading.skipped) - Counter(dict(expected.skipped)) == {
        "unknown code 11": 1,
        "unreadable label": 4,
        "label without image": 2,
        "image without label": 4,
    }


def test_quoted_fields_other_orders_and_back_slashes(tmp_path: Path) -> None:
    expected = make(tmp_path)
    lines = (tmp_path / LISTS / "validation.csv").read_text().splitlines()
    header, *rows = [text.split(",") for text in lines]
    order = [6, 0, 1, 2, 3, 4, 5, 7, 8]
    changed = [",".join(f'"{row[k]}"' for k in order) for row in (header, *rows)]
    write(tmp_path / LISTS / "validation.csv", "\n".join(changed).replace("2/eeee.jpg", "2\\eeee.jpg"))
    agree(AffectNet().read(tmp_path), expected)


def test_header_without_a_column_is_refused(tmp_path: Path) -> None:
    make(tmp_path)
    write(tmp_path / LISTS / "training.csv", COLUMNS.replace("expression", "label") + "\n" + line("1/aaaa.jpg", 1))
    with pytest.raises(DatasetError, match=r"no column expression"):
        AffectNet().read(tmp_path)


def test_the_same_image_in_both_parts_belongs_to_neither(tmp_path: Path) -> None:
    make_csv(tmp_path, train=(line("2/eeee.jpg", 2), line("1/aaaa.jpg", 7)))
    reading = AffectNet().read(tmp_path)
    assert "2_eeee" not in set(reading.rows["face_id"])
    reasons = Counter(one.why for one in reading.skipped)
    assert (reasons["contradictory labels"], reasons["duplicate"]) == (2, 1)


def test_faces_without_a_box_have_none(tmp_path: Path) -> None:
    make_csv(tmp_path, train=(line("5/z.jpg", 1, box=(0, 0, 0, 0)).replace(LANDMARKS, "NULL"),))
    picture(tmp_path / IMAGES / "5" / "z.jpg")
    row = AffectNet().read(tmp_path).rows.set_index("face_id").loc["5_z"]
    assert np.isnan([row["box_left"], row["box_width"], row["nose_x"]]).all()


def test_landmarks_are_five_or_none() -> None:
    texts = ["", "1;2", LANDMARKS + ";1", LANDMARKS.replace("41", "x"), LANDMARKS.replace("41", "nan"), LANDMARKS]
    points = np.array([np.frombuffer(five_points(text)) for text in texts])
    assert np.isnan(points[:5]).all()
    assert points[5].tolist() == [26, 30, 56, 30, 41, 45, 29, 58, 55, 59]
