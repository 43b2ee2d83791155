from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from norface.errors import ResultsError
from norface.protocol.sides import compare_named, named
from protocol_folder import leave_protocol


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return leave_protocol(tmp_path / "p", people=[5, 10])


def test_a_variant_at_all_numbers_of_people_or_at_one(folder: Path) -> None:
    assert named(f"{folder}:raw").people == (5, 10)
    assert named(f"{folder}:full@10").people == (10,)
    both = compare_named(named(f"{folder}:raw"), named(f"{folder}:full"))
    assert list(both) == [5, 10] and both[5][1] == [0, 1]
    (one,) = compare_named(named(f"{folder}:raw@10"), named(f"{folder}:raw@5")).values()
    assert one[0].figures["accuracy"].difference != 0


def test_two_folders_of_the_same_faces(folder: Path, tmp_path: Path) -> None:
    other = leave_protocol(tmp_path / "other", people=[10, 20], skill={"raw": 0.9})
    (found,) = compare_named(
        named(f"{folder}:raw"), named(str(other))
    ).values()  # at 10 people; one variant needs no name
    assert found[0].figures["accuracy"].low > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("{}", "none named"),
        ("{}:nobody", "'nobody'"),
        ("{}:raw@7", "numbers of people 5, 10"),
        ("{}:raw@x", "numbers of people 5, 10"),
        ("{}/absent:raw", "no such file"),
    ],
)
def test_words_that_name_nothing(folder: Path, words: str, message: str) -> None:
    with pytest.raises(ResultsError, match=message):
        named(words.format(folder))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "au"}, "same task"),
        ({"folds": ("b",)}, "same folds"),
        ({"people": [20]}, "same numbers of people"),
        ({"seeds": (7,)}, "a seed with which both"),
        ({"labels": 3}, "same test faces"),
        ({"over_folds": "pooled"}, "same way"),
    ],
)
def test_protocols_that_cannot_be_compared(folder: Path, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    other = leave_protocol(tmp_path / "other", **{"people": [5, 10], **options})
    record = json.loads((other / "protocol.json").read_text())
    assert record["schema"] == 2
    with pytest.raises(ResultsError, match=message):
        compare_named(named(f"{folder}:raw"), named(f"{other}:raw"))
