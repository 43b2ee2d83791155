from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from data.readers.miniature import agree, picture
from data.readers.miniature_expw import lines, make, write_labels
from norface.data.readers.expw import Expw
from norface.errors import DatasetError


def test_missing_parts_are_both_named(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "label/label.lst").rename(tmp_path / "label/labels.txt")
    (problem,) = Expw().check(tmp_path)
    assert (problem.where, problem.found) == ("label/label.lst", "nothing of that name; label has labels.txt")
    (tmp_path / "label/labels.txt").rename(tmp_path / "label/label.lst")
    (tmp_path / "image").rename(tmp_path / "images")
    (problem,) = Expw().check(tmp_path)
    assert problem.where == "image/origin"
    with pytest.raises(DatasetError, match="image archive"):
        Expw().read(tmp_path)


def test_duplicates_are_dropped_and_other_faces_of_an_image_kept(tmp_path: Path) -> None:
    expected = make(tmp_path)
    other_label, other_box = lines()[5].split(), lines()[6].split()
    other_label[-1], other_box[2] = "1", "7"
    write_labels(tmp_path, [*lines(), lines()[0], lines()[0], " ".join(other_label), " ".join(other_box)])
    reading = Expw().read(tmp_path)
    assert set(reading.rows["face_id"]) == set(expected.images) - {"gloomy_man_7_0", "sick_baby_2_0"}
    assert Counter(one.why for one in reading.skipped) == {"duplicate": 2, "contradictory labels": 4}


def test_rows_that_mean_nothing_are_counted(tmp_path: Path) -> None:
    expected = make(tmp_path)
    broken = [
        "awe_lady_1.jpg 1 5 8 41 39 98 7",
        "awe_lady_1.jpg 2 5 8 41 39 98 happy",
        "awe_lady_1.jpg 3 5 8 41",
        "awe_lady_1.jpg 4 5 41 8 39 98 3",
        "awe_lady_1.jpg 5 39 8 41 5 98 3",
        "nobody.jpg 0 5 8 41 39 98 3",
    ]
    write_labels(tmp_path, [*broken, *lines()])
    picture(tmp_path / "image/origin/extra.jpg")
    reading = Expw().read(tmp_path)
    assert set(reading.rows["face_id"]) == set(expected.images)
    assert Counter(one.why for one in reading.skipped) == {
        "unknown code 7": 1,
        "unreadable label": 2,
        "impossible box": 2,
        "label without image": 1,
        "image without label": 1,
    }


def test_a_header_is_understood(tmp_path: Path) -> None:
    expected = make(tmp_path)
    header = (
        "image_name face_id_in_image face_box_top face_box_left face_box_right face_box_bottom face_box_cofidence "
        "expression_label"
    )
    write_labels(tmp_path, [header, *lines()])
    agree(Expw().read(tmp_path), expected)


def test_names_with_spaces(tmp_path: Path) -> None:
    make(tmp_path)
    picture(tmp_path / "image/origin/très fâché 1.jpg", 0, (96, 60))
    write_labels(tmp_path, [*lines(), "très fâché 1.jpg 0 5 8 41 39 98 0"])
    reading = Expw().read(tmp_path)
    assert reading.skipped == ()
    assert reading.rows["face_id"].iloc[-1] == "très fâché 1_0"


def test_names_that_differ_in_their_suffix_only(tmp_path: Path) -> None:
    make(tmp_path)
    picture(tmp_path / "image/origin/awe_lady_1.png", 0, (96, 60))
    both = [f"awe_lady_1.{suffix} {face} 5 8 41 39 98 3" for suffix in ("jpg", "png") for face in (0, 1)]
    write_labels(tmp_path, [*lines(), *both[1:]])
    reading = Expw().read(tmp_path)
    assert reading.skipped == ()
    assert reading.rows["face_id"].is_unique
