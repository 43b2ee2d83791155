from __future__ import annotations

import math

from norface.evaluation import GateLimits, gap_closed, judge

GOOD = {
    "expression_r2": 0.9,
    "identity_to_target": 0.9,
    "identity_to_original": 0.0,
    "subject_accuracy": 0.02,
    "subject_chance": 0.02,
    "background_error": 0.01,
    "gap_closed": 0.8,
}


def passed(**changes: float | None) -> dict[str, bool]:
    return {str(check["name"]): bool(check["passed"]) for check in judge({**GOOD, **changes}, GateLimits())}


def test_good_figures_pass() -> None:
    assert all(passed().values())
    assert len(passed()) == 6


def test_each_figure_can_fail_by_itself() -> None:
    bad = {
        "expression_r2": 0.1,
        "identity_to_target": 0.2,
        "identity_to_original": 0.9,
        "subject_accuracy": 0.5,
        "background_error": 0.3,
        "gap_closed": 0.0,
    }
    for name, value in bad.items():
        verdict = passed(**{name: value})
        assert [n for n, ok in verdict.items() if not ok] == [name]


def test_what_was_not_measured_is_not_judged_and_what_cannot_be_computed_fails() -> None:
    assert "expression_r2" not in passed(expression_r2=None)
    assert "subject_accuracy" not in passed(subject_chance=None)
    assert passed(expression_r2=math.nan)["expression_r2"] is False


def test_gap_closed() -> None:
    assert gap_closed(0.5, 0.75, 1.0) == 0.5
    assert gap_closed(0.9, 0.9, 0.9) is None
