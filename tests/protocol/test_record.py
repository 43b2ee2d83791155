from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from norface.errors import ResultsError
from norface.protocol.record import read_record, validate, write_record
from norface.runs.record import Record

LISTS = ("labels", "variants", "folds", "seeds", "remarks", "runs", "differences", "extra", "trust", "slices")
CURVE: Record = {"variant": "raw", "people": None, "figures": {}, "coverage": [0.5, 1.0], "accuracy": [1.0, 0.5]}


def smallest(**changes: Any) -> Record:
    lists: Record = {name: [] for name in LISTS}
    block = {"variant": "raw", "people": None, "figures": {"accuracy": {"mean": 0.5, "std_seeds": float("nan")}}}
    return {
        "schema": 2,
        "task": "fer",
        "figures": ["accuracy"],
        "merit": "accuracy",
        "summary": [block],
        **lists,
        **changes,
    }


def test_what_cannot_be_known_becomes_null(tmp_path: Path) -> None:
    write_record(tmp_path, smallest())
    found = read_record(tmp_path)
    assert found["summary"][0]["figures"]["accuracy"] == {"mean": 0.5, "std_seeds": None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 1}, "of schema 2"),
        ({"task": "faces"}, "one of fer"),
        ({"seeds": ["0"]}, "list of int"),
        ({"merit": "f1"}, "one of accuracy"),
        ({"runs": [{"variant": "raw"}]}, "none of fold, people, seed, state"),
        ({"runs": [{"variant": "raw", "fold": "", "people": None, "seed": 0, "state": "lost"}]}, "one of finished"),
        ({"summary": [{"variant": "raw", "people": None, "figures": {"accuracy": {"mean": 50.0}}}]}, "from 0 to 1"),
        ({"summary": [{"variant": "raw", "people": None, "figures": {"accuracy": {"mean": "0.5"}}}]}, "from 0 to 1"),
        ({"differences": {}}, "a list of objects"),
        ({"trust": [{**CURVE, "accuracy": [1.0]}]}, "as many accuracies as coverages"),
        ({"trust": [{**CURVE, "accuracy": [1.0, 1.5]}]}, "from 0 to 1"),
        ({"trust": [{**CURVE, "figures": {"ece": {"mean": 1.5}}}]}, "from 0 to 1"),
        ({"slices": [{"variant": "raw"}]}, "none of attribute, low, high"),
    ],
)
def test_what_breaks_the_layout_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ResultsError, match=message):
        validate(smallest(**changes), where="here")
    (tmp_path / "protocol.json").write_text(json.dumps(smallest(**changes)))
    with pytest.raises(ResultsError, match=message):
        read_record(tmp_path)


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_no_results(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "protocol.json").write_text(content)
    with pytest.raises(ResultsError, match=r"protocol\.json"):
        read_record(tmp_path)
