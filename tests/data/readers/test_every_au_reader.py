from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from data.readers import miniature_bp4d, miniature_bp4d_plus, miniature_disfa, miniature_disfa_plus
from data.readers.miniature import Expected
from norface.data.readers import READERS, reader_class
from norface.data.validation import check_columns, clean_rows
from norface.errors import DatasetError
from norface.imaging.sources import ImageRoot
from norface.labels import AU_NAMES, TASKS, aus_in_columns

Make = Callable[[Path], Expected]

SETS: dict[str, Make] = {
    "bp4d": miniature_bp4d.make,
    "bp4d_plus": miniature_bp4d_plus.make,
    "disfa": miniature_disfa.make,
    "disfa_plus": miniature_disfa_plus.make,
}


@pytest.mark.parametrize("name", SETS)
def test_rows_fit_the_face_table(tmp_path: Path, name: str) -> None:
    expected = SETS[name](tmp_path)
    reader = reader_class(name)()
    reading = reader.read(tmp_path)
    check_columns(reading.rows, name)
    cleaned = clean_rows(reading.rows, name)
    assert len(cleaned) == len(expected.images)
    for kind in "cr":
        assert set(aus_in_columns(cleaned.columns, kind)) <= set(reader.info.aus)
        assert aus_in_columns(cleaned.columns, kind)
    assert ImageRoot(tmp_path).exist(reading.rows["image"]).all()
    assert json.loads(json.dumps(dict(reading.facts))) == reading.facts  # plain data
    assert "emotion" not in cleaned.columns


@pytest.mark.parametrize("name", SETS)
def test_what_is_known_beforehand(name: str) -> None:
    info = reader_class(name).info
    assert name in READERS
    assert info.name == name
    assert info.subjects_known
    assert set(info.tasks) <= set(TASKS)
    assert set(info.aus) <= set(AU_NAMES)
    assert all((info.title, info.licence, info.source.startswith("https://")))
    assert max(map(len, info.tree.splitlines())) < 120


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("kind", ["absent", "a file", "empty"])
def test_a_root_that_is_none(tmp_path: Path, name: str, kind: str) -> None:
    root = tmp_path / "root"
    if kind == "a file":
        root.write_text("")
    elif kind == "empty":
        root.mkdir()
    reader = reader_class(name)()
    with pytest.raises(DatasetError):
        reader.read(root)
    problems = reader.check(root)
    assert [problem.fatal for problem in problems] == [True]
    assert problems[0].where == str(root)


@pytest.mark.parametrize("name", SETS)
def test_the_same_folder_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    SETS[name](tmp_path)
    first, second = (reader_class(name)().read(tmp_path) for _ in range(2))
    assert first.rows.equals(second.rows)
    assert first.skipped == second.skipped
