from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from data.readers.miniature import agree
from data.readers.miniature_table import frame, make, make_parquet
from norface.data.readers.contract import Skipped
from norface.data.readers.table import TableFile
from norface.errors import DatasetError, NorfaceError, TableError


def test_other_columns_are_kept(tmp_path: Path) -> None:
    make(tmp_path)
    reading = TableFile().read(tmp_path)
    assert reading.rows["remark"].tolist() == ["kept"] * 4
    assert reading.facts == {"table": "faces.csv"}


def test_one_of_several_tables_is_named(tmp_path: Path) -> None:
    expected = make(tmp_path)
    make_parquet(tmp_path)
    (problem,) = TableFile().check(tmp_path)
    assert (problem.found, problem.action) == ("faces.csv, labels.parquet", "Say which one, with --reader.file.")
    agree(TableFile(file="Labels.parquet").read(tmp_path), expected)
    (problem,) = TableFile(file="none.csv").check(tmp_path)
    assert (problem.where, problem.fatal) == ("none.csv", True)


def test_table_in_a_folder_of_its_own(tmp_path: Path) -> None:
    expected = make(tmp_path)
    (tmp_path / "tables").mkdir()
    (tmp_path / "faces.csv").rename(tmp_path / "tables" / "faces.csv")
    assert "--root" in TableFile().check(tmp_path)[0].action
    agree(TableFile(file="tables/faces.csv").read(tmp_path), expected)


def test_rows_without_image_are_counted(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "photos/anna 2.png").unlink()
    reading = TableFile().read(tmp_path)
    assert reading.rows["face_id"].tolist() == ["photos/anna 1", "photos/jürgen", "photos/mei"]
    assert reading.skipped == (Skipped("faces.csv, row 1", "label without image"),)


def test_without_subjects_every_face_is_its_own(tmp_path: Path) -> None:
    make(tmp_path)
    frame().drop(columns="subject").to_csv(tmp_path / "faces.csv", index=False)
    rows = TableFile().read(tmp_path).rows
    assert rows["subject"].tolist() == rows["face_id"].tolist()
    named = frame().drop(columns="subject").assign(face_id=["a", "b", "c", "d"])
    named.to_csv(tmp_path / "faces.csv", index=False)
    assert TableFile().read(tmp_path).rows["subject"].tolist() == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda table: table.drop(columns="image"), "no column image"),
        (lambda table: table.assign(emotion="hapy"), "Did you mean 'happy'"),
        (lambda table: table.assign(emotion=["bored", None, None, None]), "'bored' in row 0"),
        (lambda table: table.assign(AU12_r=[7, 0, 0, 0]), "intensities from 0 to 5"),
        (lambda table: table.assign(AU12=1), "Did you mean 'AU12_r'"),
        (lambda table: table.assign(box_left="left"), "column box_left"),
        (lambda table: table.assign(image="../" + table["image"]), "inside the table's folder"),
        (lambda table: pd.concat([table, table[:1]]), "one row per face_id"),
        (lambda table: table.assign(nose_x=1.0), "all or none"),
        (lambda table: table[:0], "no rows"),
    ],
)
def test_what_breaks_the_contract_is_an_error(tmp_path: Path, change: object, found: str) -> None:
    assert callable(change)
    make(tmp_path)
    change(frame()).to_csv(tmp_path / "faces.csv", index=False)
    with pytest.raises(TableError, match=found):
        TableFile().read(tmp_path)
    assert TableFile().check(tmp_path)[0].fatal


@pytest.mark.parametrize("content", [b"", b"\0\0", b"\xff\xfe\x00", b'"a\n', b"image,subject\na,b,c\n"])
@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_damaged_tables_are_errors(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NorfaceError):
        TableFile().read(tmp_path)


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="an empty folder"):
        TableFile().read(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(TableError, match="Convert the table"):
        TableFile(file="notes.txt").read(tmp_path)
