from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from data.readers.miniature import agree, write
from data.readers.miniature_fer2013 import ROWS, grey, line, make
from norface.data.readers.fer2013 import Fer2013
from norface.errors import DatasetError, ImageError


def lines_of(root: Path) -> list[str]:
    return (root / "fer2013.csv").read_text().splitlines()


def test_pixels_are_the_rows_own(tmp_path: Path) -> None:
    make(tmp_path)
    reader = Fer2013()
    for row, image in enumerate(reader.read(tmp_path).rows["image"]):
        pixels = reader.pixels(tmp_path, image)
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, np.repeat(grey(row)[..., None], 3, axis=2))


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[1:],  # no header
        lambda lines: ["\ufeffemotion, pixels, Usage", *lines[1:]],
        lambda lines: ["", *lines, "", ""],
        lambda lines: [",".join(f'"{field}"' for field in text.split(",")) for text in lines],
        lambda lines: [",".join(text.split(",")[k] for k in (0, 2, 1)) for text in lines],
    ],
    ids=["no header", "bom and spaces", "empty lines", "quoted", "other order"],
)
def test_ways_to_write_the_file(tmp_path: Path, change: object) -> None:
    assert callable(change)
    expected = make(tmp_path)
    write(tmp_path / "fer2013.csv", "\n".join(change(lines_of(tmp_path))))
    reading = Fer2013().read(tmp_path)
    agree(reading, expected)
    np.testing.assert_array_equal(Fer2013().pixels(tmp_path, reading.rows["image"].iloc[3])[..., 0], grey(3))


def test_rows_that_mean_nothing_are_counted_and_numbers_stay(tmp_path: Path) -> None:
    make(tmp_path)
    lines = lines_of(tmp_path)
    lines[2] = line(1, 7, "Training")
    lines[3] = line(2, "", "Training")
    lines[4] = "3,1 2 3"
    lines[5] = line(4, 4, "Testing")
    write(tmp_path / "fer2013.csv", "\n".join(lines))
    reading = Fer2013().read(tmp_path)
    assert reading.rows["face_id"].tolist() == [f"fer{k:07d}" for k in range(len(ROWS)) if k not in {1, 2, 3, 4}]
    assert Counter(one.why for one in reading.skipped) == {
        "unknown code 7": 1,
        "unreadable label": 2,
        "unknown code Testing": 1,
    }
    assert {one.what for one in reading.skipped} == {f"fer2013.csv:{k}" for k in (3, 4, 5, 6)}


def test_equal_rows_are_two_faces_as_in_the_literature(tmp_path: Path) -> None:
    make(tmp_path)
    lines = lines_of(tmp_path)
    write(tmp_path / "fer2013.csv", "\n".join([*lines, lines[1]]))
    assert len(Fer2013().read(tmp_path).rows) == len(ROWS) + 1


@pytest.mark.parametrize("text", ["", "\n", "emotion,pixels,Usage\n", "<html></html>\n<p>\n"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path / "fer2013.csv", text)
    with pytest.raises(DatasetError, match=r"fer2013\.csv"):
        Fer2013().read(tmp_path)
    assert Fer2013().check(tmp_path)[0].fatal


def test_a_truncated_row_has_labels_but_no_picture(tmp_path: Path) -> None:
    make(tmp_path)
    lines = lines_of(tmp_path)
    for row, pixels in enumerate(["1 2 3", "x " * 2304, "256 " * 2304, "", "-1 " * 2304]):
        lines[row + 1] = f"3,{pixels},Training"
    write(tmp_path / "fer2013.csv", "\n".join(lines))
    reading = Fer2013().read(tmp_path)
    assert len(reading.rows) == len(ROWS)
    for image in reading.rows["image"][:5]:
        with pytest.raises(ImageError, match="2304 grey values"):
            Fer2013().pixels(tmp_path, image)


@pytest.mark.parametrize("image", ["fer2013.csv@99", "fer2013.csv@-1", "fer2013.csv", "none.csv@1", "fer2013.csv@1x"])
def test_references_that_lead_nowhere(tmp_path: Path, image: str) -> None:
    make(tmp_path)
    with pytest.raises(ImageError):
        Fer2013().pixels(tmp_path, image)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    make(tmp_path)
    assert len(Fer2013().read(tmp_path).rows) == len(ROWS)
    write(tmp_path / "fer2013.csv", "\n".join(lines_of(tmp_path)[:5]))
    assert len(Fer2013().read(tmp_path).rows) == 4
