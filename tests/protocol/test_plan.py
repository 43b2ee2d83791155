from __future__ import annotations

from typing import Any

import pytest

from norface.errors import ConfigError
from norface.protocol.plan import CrossPlan, FoldPlan, Protocol, Run
from norface.runs.variants import Variant


def make(**options: Any) -> Protocol:
    given = {"name": "p", "task": "fer", "configs": [], "table": "t", "variants": {"raw": Variant(), "full": Variant()}}
    return Protocol(**{**given, **options})


def test_runs_of_the_first_seed_come_first() -> None:
    runs = list(make(seeds=[3, 1], people=[5, 10]).runs(["a", "b"]))
    assert len(runs) == 16 == len(set(runs))
    assert runs[:3] == [Run("raw", "a", 5, 3), Run("full", "a", 5, 3), Run("raw", "a", 10, 3)]
    assert {run.seed for run in runs[:8]} == {3}
    assert len({run.folder for run in runs}) == 16
    assert str(runs[0].folder) == "runs/raw/fold-a/people-5/seed-3" and str(runs[0]) == "raw, fold a, 5 people, seed 3"


def test_what_there_is_only_one_of_has_no_folder() -> None:
    (run, _) = make(seeds=[0]).runs([""])
    assert str(run.folder) == "runs/raw/seed-0" and str(run) == "raw, seed 0"


def test_places_in_settings_are_filled() -> None:
    protocol = make(normalizer="n/{fold}.ckpt", cache="c")
    filled = protocol.filled({"a": ["{normalizer}", 3, {"b": "{table} {cache}/{fold}"}]}, "part1", "faces")
    assert filled == {"a": ["n/part1.ckpt", 3, {"b": "faces c/part1"}]}
    with pytest.raises(ConfigError, match="a normalizer, because the settings ask"):
        make().filled("{normalizer}", "", "faces")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variants": {}}, "variants: expected at least one"),
        ({"variants": {"a/b": Variant()}}, "names of letters"),
        ({"variants": {"a@b": Variant()}}, "names of letters"),
        ({"seeds": []}, "seeds: expected different"),
        ({"seeds": [1, 1]}, "seeds: expected different"),
        ({"people": [0, 5]}, "people: expected different"),
        ({"baseline": "nobody"}, "expected one of raw, full"),
        ({"folds": FoldPlan("SeededFold"), "cross": CrossPlan({"x": "y"})}, "folds of one table, or cross"),
        ({"cross": CrossPlan({})}, "cross.targets: expected at least one"),
        ({"normalizer": "n"}, "normalizer and cache, or neither"),
    ],
)
def test_a_protocol_that_cannot_work_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(**options)
