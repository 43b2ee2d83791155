from __future__ import annotations

from pathlib import Path

import pytest

from norface.data.splits import DEFAULT_SHARES, assign_splits, check_not_empty, check_subject_exclusive
from norface.data.table import FaceTable
from norface.errors import SplitError


def subjects_by_split(table: FaceTable) -> dict[str, set[str]]:
    return {str(name): set(rows) for name, rows in table.frame.groupby("split")["subject"]}


def test_splits_are_subject_exclusive_complete_and_seeded(table_path: Path) -> None:
    table = FaceTable.load(table_path)
    shares = {"normalizer": 0.5, "train": 0.25, "test": 0.25}
    first = assign_splits(table, shares, seed=1)
    check_subject_exclusive(first)
    sides = subjects_by_split(first)
    assert {name: len(people) for name, people in sides.items()} == {"normalizer": 4, "train": 2, "test": 2}
    assert set.union(*sides.values()) == set(table.frame["subject"])
    assert subjects_by_split(assign_splits(table, shares, seed=1)) == sides
    assert subjects_by_split(assign_splits(table, shares, seed=2)) != sides


def test_counts_come_first_and_shares_divide_the_rest(table_path: Path) -> None:
    table = FaceTable.load(table_path)
    split = assign_splits(table, {"normalizer": 4, "train": 0.5, "test": 0.25})
    sides = subjects_by_split(split)
    assert {name: len(people) for name, people in sides.items()} == {"normalizer": 4, "train": 2, "test": 1, "": 1}
    check_subject_exclusive(split)
    floats = assign_splits(table, {"normalizer": 4.0, "train": 0.5, "test": 0.25})  # as a YAML reader may give it
    assert subjects_by_split(floats) == sides


def test_default_keeps_the_normalizer_apart(facekit: Path) -> None:
    sides = subjects_by_split(assign_splits(FaceTable.load(facekit)))
    assert {name: len(people) for name, people in sides.items()} == {
        "normalizer": 72,
        "train": 18,
        "val": 6,
        "test": 24,
    }
    assert list(DEFAULT_SHARES) == ["normalizer", "train", "val", "test"]


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"train": 0.9, "val": 0.01}, "none in val"),
        ({"train": 9, "test": 1}, "at most 8 subjects"),
        ({"train": 0.9, "test": 0.2}, "sum to at most 1"),
        ({"train": -1, "test": 2}, "train: -1"),
    ],
)
def test_impossible_shares(table_path: Path, shares: dict[str, float | int], message: str) -> None:
    with pytest.raises(SplitError, match=message):
        assign_splits(FaceTable.load(table_path), shares)


def test_subject_on_both_sides(table_path: Path) -> None:
    table = FaceTable.load(table_path)
    check_subject_exclusive(table)
    frame = table.frame.copy()
    frame.loc[0, "split"] = ""
    check_subject_exclusive(table.with_frame(frame))
    frame.loc[0, "split"] = "test"
    with pytest.raises(SplitError, match="1 in several, the first 's0' in normalizer and test"):
        check_subject_exclusive(table.with_frame(frame))


def test_empty_split(table_path: Path) -> None:
    table = FaceTable.load(table_path)
    check_not_empty(table, ("train", "val"))
    with pytest.raises(SplitError, match=r"split 'tset': |the split 'tset'.*test \(6\)"):
        check_not_empty(table, ("train", "tset"))
    unusable = table.frame.assign(success=(table.frame["split"] != "val").astype(float))
    with pytest.raises(SplitError, match="'val'"):
        check_not_empty(table.with_frame(unusable), ("val",))
