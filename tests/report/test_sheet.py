from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from norface.data.table import FaceTable
from norface.errors import ConfigError
from norface.imaging.alignment import Alignment
from norface.imaging.files import write_png
from norface.imaging.pixels import Pixels
from norface.labels import LANDMARK_COLUMNS
from norface.report.sheet import SIDE, face_sheet

LEFT, TOP, STEP = 0, 44, SIDE + 4


def write(folder: Path, rows: pd.DataFrame, *, size: int = 32, aligned: bool = True) -> FaceTable:
    """A table whose images are plain: row k has the grey value 10 + k."""
    for number in range(len(rows)):
        write_png(folder / f"{number}.png", np.full((size, size, 3), 10 + number, np.uint8))
    frame = rows.assign(image=[f"{number}.png" for number in range(len(rows))])
    frame.to_csv(folder / "faces.csv", index=False)
    described = {"alignment": Alignment(size).describe() if aligned else None}
    (folder / "faces.json").write_text(json.dumps(described))
    return FaceTable.load(folder / "faces.csv")


def shown(sheet: Pixels, line: int, examples: int) -> list[int]:
    """Rows of the table that one line of the sheet shows; -1 = an empty place."""
    middles = [sheet.shape[1] - 16 - STEP * (examples - k) + 4 + SIDE // 2 for k in range(examples)]
    values = [int(sheet[TOP + line * STEP + SIDE // 2, x, 0]) - 10 for x in middles]
    return [value if value < 200 else -1 for value in values]


def test_one_line_for_each_emotion_with_faces_of_different_people(tmp_path: Path) -> None:
    rows = pd.DataFrame({"subject": list("aaaabbbc") * 2, "emotion": ["happy"] * 8 + ["sad"] * 8})
    sheet = face_sheet(write(tmp_path, rows), title="Toy", examples=4)
    assert sheet.shape[0] == TOP + 2 * STEP - 4 + 16
    happy, sad = shown(sheet, 0, 4), shown(sheet, 1, 4)
    assert [rows["subject"][k] for k in happy[:3]] == sorted(
        {"a", "b", "c"}, key=[rows["subject"][k] for k in happy].index
    )
    assert {rows["emotion"][k] for k in happy} == {"happy"}
    assert {rows["emotion"][k] for k in sad} == {"sad"}
    assert len(set(happy)) == 4


def test_rows_that_cannot_be_shown_are_passed_over(tmp_path: Path) -> None:
    rows = pd.DataFrame({"subject": list("abcd"), "emotion": "happy", "success": [0, 1, 1, 1]})
    table = write(tmp_path, rows)
    (tmp_path / "2.png").write_bytes(b"damaged")
    assert sorted(shown(face_sheet(table, title="Toy", examples=3), 0, 3)) == [-1, 1, 3]


def test_strongest_action_units_first(tmp_path: Path) -> None:
    rows = pd.DataFrame({"subject": list("abcdef"), "AU12_r": [0.0, 3.0, 5.0, 2.0, 4.0, 1.0], "AU04_c": [0.0] * 6})
    sheet = face_sheet(write(tmp_path, rows), title="Toy", examples=5)
    assert shown(sheet, 0, 5) == [-1] * 5
    assert shown(sheet, 1, 5) == [2, 4, 1, 3, -1]


def test_a_table_without_labels_shows_its_faces(tmp_path: Path) -> None:
    sheet = face_sheet(write(tmp_path, pd.DataFrame({"subject": list("abc")})), title="Toy", examples=3)
    assert sorted(shown(sheet, 0, 3)) == [0, 1, 2]


def test_unaligned_faces_are_aligned_for_it(tmp_path: Path) -> None:
    rows = pd.DataFrame({"subject": list("ab")})
    rows[list(LANDMARK_COLUMNS)] = Alignment(200).template().ravel()
    sheet = face_sheet(write(tmp_path, rows, size=200, aligned=False), title="Toy", examples=2)
    assert sorted(shown(sheet, 0, 2)) == [0, 1]


def test_a_long_title_fits(tmp_path: Path) -> None:
    table = write(tmp_path, pd.DataFrame({"subject": list("ab")}))
    assert face_sheet(table, title="A very long title " * 10, examples=1).shape[1] > 1000


def test_examples_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--examples"):
        face_sheet(write(tmp_path, pd.DataFrame({"subject": list("ab")})), title="Toy", examples=0)
