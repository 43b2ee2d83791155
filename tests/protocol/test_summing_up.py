from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from answered import leave_answers
from norface.errors import ResultsError
from norface.protocol.answers import read_answers
from norface.protocol.plan import Protocol, Run
from norface.protocol.record import CONSTANT, read_record
from norface.protocol.summing_up import Reading
from norface.runs.record import Record
from norface.runs.variants import Variant
from protocol_folder import leave_protocol

NAMES = ("raw", "full")


def recorded(out: Path, task: str, **options: Any) -> Record:
    return read_record(leave_protocol(out, task=task, folds=("a", "b"), **options))


def cell(record: Record, variant: str, people: int | None = None) -> dict[str, Any]:
    (found,) = (b for b in record["summary"] if (b["variant"], b["people"]) == (variant, people))
    return dict(found["figures"])


@pytest.mark.parametrize("task", ["fer", "au", "au-intensity"])
def test_mean_over_folds_then_over_seeds_and_the_spread_of_either(tmp_path: Path, task: str) -> None:
    record = recorded(tmp_path, task)
    merit = record["merit"]
    runs = {(r["variant"], r["fold"], r["seed"]): r["figures"][merit] for r in record["runs"]}
    grid = np.array([[runs["full", fold, seed] for fold in "ab"] for seed in (0, 1)])
    found = cell(record, "full")[merit]
    assert found["mean"] == pytest.approx(grid.mean())
    assert found["std_seeds"] == pytest.approx(grid.mean(1).std(ddof=1))
    assert found["std_folds"] == pytest.approx(grid.mean(0).std(ddof=1))
    assert (found["seeds"], found["folds"]) == (2, 2)
    (difference,) = record["differences"]
    assert (difference["variant"], difference["baseline"], difference["seeds"]) == ("full", "raw", [0, 1])
    one = difference["figures"][merit]
    assert one["difference"] == pytest.approx(found["mean"] - cell(record, "raw")[merit]["mean"])
    assert 0 < one["low"] < one["difference"] < one["high"]
    assert [block["variant"] for block in record["summary"]] == ["raw", "full", CONSTANT]
    assert cell(record, CONSTANT)[merit]["mean"] < cell(record, "full")[merit]["mean"]


def test_pooled_figures_are_of_all_faces(tmp_path: Path) -> None:
    mean, pooled = (
        cell(recorded(tmp_path / how, "au", over_folds=how), "full")["f1"]["mean"] for how in ("mean", "pooled")
    )
    assert mean != pooled and mean == pytest.approx(pooled, abs=0.1)


def test_numbers_of_people_stand_side_by_side(tmp_path: Path) -> None:
    record = recorded(tmp_path, "fer", people=[1, 2], seeds=[0])
    assert [(b["variant"], b["people"]) for b in record["summary"]] == [
        (name, number) for number in (1, 2) for name in ("raw", "full", CONSTANT)
    ]
    assert [block["people"] for block in record["differences"]] == [1, 2]
    assert cell(record, "full", 1)["accuracy"]["std_seeds"] is None


def test_a_seed_that_lacks_a_fold_is_left_out(tmp_path: Path) -> None:
    record = recorded(tmp_path, "fer", lost=("full, fold b, seed 1",))
    assert cell(record, "full")["accuracy"]["seeds"] == 1 and cell(record, "raw")["accuracy"]["seeds"] == 2
    assert record["differences"][0]["seeds"] == [0]
    (failed,) = (run for run in record["runs"] if run["state"] == "failed")
    assert failed["error"] == "<b>out of memory</b>" and "figures" not in failed


def test_a_fold_that_nobody_has_finished_is_not_forgotten(tmp_path: Path) -> None:
    lost = tuple(f"{name}, fold b, seed {seed}" for name in NAMES for seed in (0, 1))
    record = recorded(tmp_path, "fer", lost=lost)
    assert record["summary"] == [] and record["differences"] == []


def test_without_any_finished_run_the_first_error_is_told(tmp_path: Path) -> None:
    lost = tuple(f"{name}, fold {fold}, seed {seed}" for name in NAMES for fold in "ab" for seed in (0, 1))
    with pytest.raises(ResultsError, match="<b>out of memory</b>"):
        recorded(tmp_path, "fer", lost=lost)


def test_runs_of_another_task_are_refused(tmp_path: Path) -> None:
    leave_answers(tmp_path, "au")
    protocol = Protocol(name="p", task="fer", configs=[], table="t", variants={"raw": Variant()})
    with pytest.raises(ResultsError, match="expected task fer"):
        Reading({Run("raw", "", None, 0): tmp_path}, protocol, ("",))


def test_leaks_unknown_labels_and_unanswered_faces_are_remarked(tmp_path: Path) -> None:
    leave_answers(tmp_path, "au")
    path = tmp_path / "test_predictions.parquet"
    table = pd.read_parquet(path)
    table.loc[:3, "success"] = 0
    table.loc[table["true_AU12_c"] == 1, "true_AU12_c"] = 0.0
    table.to_parquet(path)
    results = json.loads((tmp_path / "results.json").read_text())
    (tmp_path / "results.json").write_text(json.dumps({**results, "protocol": {"leaked_subjects": ["s1"]}}))
    protocol = Protocol(name="p", task="au", configs=[], table="t", variants={"raw": Variant()})
    leak, absent, silent = Reading({Run("raw", "part1", None, 0): tmp_path}, protocol, ("part1",)).remarks()
    assert "s1" in leak and "AU12: no test face of fold part1" in absent and "Up to 4 test faces" in silent


def test_calibration_is_summed_up_where_validation_subjects_were_answered(tmp_path: Path) -> None:
    record = recorded(tmp_path, "au")
    raw, full = record["trust"]
    assert (raw["variant"], full["variant"], full["seeds"]) == ("raw", "full", [0, 1])
    assert full["figures"]["temperature"]["folds"] == 2 and full["figures"]["aurc"]["std_seeds"] is not None
    assert full["coverage"][-1] == 1.0
    runs = [run["figures"]["accuracy"] for run in record["runs"] if run["variant"] == "full"]
    assert full["accuracy"][-1] == pytest.approx(np.mean(runs), abs=0.01)  # every decision counts, not every unit
    assert recorded(tmp_path / "r", "au-intensity")["trust"] == []


def test_runs_without_answers_for_validation_subjects_have_no_calibration(tmp_path: Path) -> None:
    leave_answers(tmp_path, "fer")
    (tmp_path / "val_predictions.parquet").unlink()
    protocol = Protocol(name="p", task="fer", configs=[], table="t", variants={"raw": Variant()})
    assert Reading({Run("raw", "", None, 0): tmp_path}, protocol, ("",)).trust() == []


def test_slices_are_those_of_the_most_people(tmp_path: Path) -> None:
    record = recorded(tmp_path, "fer", people=[1, 2])
    blocks = record["slices"]
    assert {block["attribute"] for block in blocks} == {"yaw"} and {block["people"] for block in blocks} == {2}
    assert [(b["low"], b["high"]) for b in blocks[::2]] == [(None, 10.0), (10.0, 20.0), (20.0, 30.0), (30.0, None)]
    assert [block["variant"] for block in blocks[:2]] == ["raw", "full"]
    assert [block["faces"] for block in blocks[::2]] == [48, 24, 24, 24]  # of both folds
    raw, full = blocks[:2]
    assert raw["difference"] is None and full["baseline"] == "raw"
    gained = full["figures"]["accuracy"]["mean"] - raw["figures"]["accuracy"]["mean"]
    assert full["difference"]["difference"] == pytest.approx(gained)
    assert full["difference"]["low"] <= gained <= full["difference"]["high"]


def test_damaged_answers_are_told(tmp_path: Path) -> None:
    leave_answers(tmp_path, "fer")
    path = tmp_path / "test_predictions.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ResultsError, match=r"test_predictions\.parquet"):
        read_answers(path.parent)
