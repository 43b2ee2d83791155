from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from norface.data.statistics import Comparison, compare, counts_by_split, faces_per_subject, unit_counts, unit_title
from norface.data.table import FaceTable, TableMeta


def table(
    rows: dict[str, object], *, emotions: tuple[str, ...] = ("happy", "sad"), aus: tuple[int, ...] = ()
) -> FaceTable:
    return FaceTable(pd.DataFrame({"success": 1.0, **rows}), Path("nowhere"), TableMeta(emotions, aus))


FACES = table(
    {
        "subject": ["a", "a", "b", "c", "c"],
        "split": ["train", "train", "train", "test", "test"],
        "emotion": ["happy", "sad", "happy", "happy", None],
        "success": [1.0, 1.0, 0.0, 1.0, 1.0],
        "AU01_c": [1.0, 0.0, np.nan, 1.0, 1.0],
        "AU12_c": [0.0] * 5,
        "AU12_r": [0.0, 0.4, 0.6, 5.0, np.nan],
        "AU15_c": [np.nan] * 5,
    },
    aus=(1, 12, 15),
)


def test_counts_by_split() -> None:
    counts = counts_by_split(FACES)
    assert counts == {
        "train": {"subjects": 2, "faces": 3, "not usable": 1, "happy": 2, "sad": 1, "no emotion": 0},
        "test": {"subjects": 1, "faces": 2, "not usable": 0, "happy": 1, "sad": 0, "no emotion": 1},
    }


def test_counts_without_splits_and_emotions() -> None:
    counts = counts_by_split(table({"subject": ["a", "b"]}, emotions=()))
    assert counts == {"": {"subjects": 2, "faces": 2, "not usable": 0, "no emotion": 2}}


def test_unit_counts_leave_missing_labels_out() -> None:
    one, twelve, fifteen = unit_counts(FACES)
    assert (one.coded, one.present, one.levels) == (4, 3, None)
    assert one.rate == 0.75
    assert one.always_on == pytest.approx(2 * 0.75 / 1.75)
    assert (twelve.coded, twelve.present, twelve.levels) == (5, 0, (2, 1, 0, 0, 0, 1))
    assert (twelve.rate, twelve.always_on) == (0.0, 0.0)
    assert (fifteen.coded, fifteen.present, fifteen.levels) == (0, 0, None)
    assert np.isnan(fifteen.rate)


def test_faces_per_subject_in_the_tables_order() -> None:
    assert list(faces_per_subject(FACES).items()) == [("a", 2), ("b", 1), ("c", 2)]


def test_compare_with_every_kind_of_figure() -> None:
    literature = {
        "faces": 5, "subjects": 4, "train": 3, "val": 500, "happy": 3, "fear": 7, "train/happy": 2, "test/sad": 1,
        "AU1": 3, "AU12": 1, "AU15": 9
    }  # fmt: skip
    found = {line.what: (line.found, line.agrees) for line in compare(FACES, literature)}
    assert found == {
        "faces": (5, True),
        "subjects": (3, False),
        "train": (3, True),
        "val": (None, False),
        "happy": (3, True),
        "fear": (None, False),
        "train/happy": (2, True),
        "test/sad": (None, False),
        "AU1": (3, True),
        "AU12": (0, False),
        "AU15": (None, False),
    }
    assert compare(FACES, {}) == ()
    assert Comparison("faces", 0, None).agrees is False


def test_unit_title() -> None:
    assert (unit_title(12), unit_title(99)) == ("AU12 lip corner puller", "AU99")
