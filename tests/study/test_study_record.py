from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from norface.errors import ResultsError
from norface.runs.running import Outcome
from norface.runs.variants import Variant
from norface.study.curves import read_curves
from norface.study.plan import Run, Study
from norface.study.record import FILE, read_record, validate
from norface.study.settings import plan_runs
from norface.study.summing_up import sum_up
from study_folder import TABLE, leave_results, leave_study, r2_of


def test_means_spread_and_differences(tmp_path: Path) -> None:
    record = read_record(leave_study(tmp_path, people=[5, 10]))
    assert [(one["variant"], one["people"]) for one in record["summary"]] == [
        (variant, people) for people in (5, 10) for variant in ("none", "all")
    ]
    block = record["summary"][0]
    values = [r2_of(Run("none", 5, seed)) for seed in (0, 1)]
    assert block["figures"]["expression_r2"]["mean"] == pytest.approx(sum(values) / 2)
    assert block["figures"]["expression_r2"]["std"] == pytest.approx(0.01 / 2**0.5)
    assert block["figures"]["seen_gap"] == {"mean": pytest.approx(0.2), "std": pytest.approx(0, abs=1e-9), "seeds": 2}
    assert "identity_to_original" not in record["figures"] and "gap_closed" in record["figures"]
    first = record["differences"][0]
    assert (first["variant"], first["baseline"], first["people"], first["seeds"]) == ("all", "none", 5, [0, 1])
    assert first["figures"]["expression_r2"]["by_seed"] == pytest.approx([0.1, 0.1])
    assert first["figures"]["expression_r2"]["difference"] == pytest.approx(0.1)


def test_what_is_lost_is_left_out(tmp_path: Path) -> None:
    record = read_record(leave_study(tmp_path, lost=("none, seed 1",), probe=False))
    assert [run["state"] for run in record["runs"]] == ["finished", "finished", "failed", "finished"]
    none, everything = record["summary"]
    assert (none["seeds"], everything["seeds"]) == ([0], [0, 1])
    assert none["figures"]["expression_r2"]["std"] is None
    (difference,) = record["differences"]
    assert difference["seeds"] == [0]
    assert "gap_closed" not in record["figures"]


def test_a_reader_is_told_of_lengths_and_of_whom_teachers_have_seen(tmp_path: Path) -> None:
    assert read_record(leave_study(tmp_path / "a", people=[5, 10]))["remarks"] == []
    study = Study(name="s", configs=[], table="t", variants={"x": Variant()}, seeds=[0], people=[2, 5])
    few, many = plan_runs(study, TABLE, tmp_path / "b")
    leave_results(few.folder, few.run, steps=20, trained_on=1800)
    leave_results(many.folder, many.run, steps=24, trained_on=5)
    record = sum_up(study, [Outcome(few, "finished"), Outcome(many, "finished")], TABLE)
    assert [run["steps"] for run in record["runs"]] == [20, 24]
    lengths, seen = record["remarks"]
    assert "from 20 to 24 steps" in lengths and "x: teachers" in seen and "1800" in seen


def test_without_a_finished_run_the_first_error_is_told(tmp_path: Path) -> None:
    names = [f"{variant}, seed {seed}" for variant in ("none", "all") for seed in (0, 1)]
    with pytest.raises(ResultsError, match="out of memory"):
        leave_study(tmp_path, lost=names)


def test_curves_are_by_epoch_and_start_before_training(tmp_path: Path) -> None:
    leave_study(tmp_path)
    run = read_record(tmp_path)["runs"][0]
    assert run["curves"] == {
        "val/expression_r2": [[0, 0.01], [1, 0.2], [2, 0.3]],
        "normalizer/paired": [[1, 0.9], [2, 0.4]],
    }
    assert read_curves(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("schema", 2, "schema 1"),
        ("seeds", ["0"], "list of int"),
        ("runs", {}, "list of objects"),
        ("runs.0.state", "lost", "one of finished"),
        ("runs.0.figures.expression_r2", 1.5, "a number from -inf to 1"),
        ("runs.0.figures", [], "an object"),
        ("summary.0.figures.subject_accuracy.mean", -0.5, "a number from 0 to 1"),
        ("summary.0.people", None, ""),
        ("differences.0.figures.expression_r2.difference", "much", "a number"),
    ],
)
def test_what_breaks_the_layout_is_named(tmp_path: Path, key: str, value: Any, message: str) -> None:
    leave_study(tmp_path)
    record = json.loads((tmp_path / FILE).read_text())
    *path, last = key.split(".")
    place = record
    for step in path:
        place = place[int(step)] if step.isdigit() else place[step]
    place[last] = value
    if not message:
        validate(record, where="x")
        return
    with pytest.raises(ResultsError, match=message):
        validate(record, where="x")


def test_a_missing_or_truncated_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="no such file"):
        read_record(tmp_path)
    (tmp_path / FILE).write_text("{")
    with pytest.raises(ResultsError, match="unreadable"):
        read_record(tmp_path)
