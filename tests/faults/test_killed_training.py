"""Training that is killed, also while it writes: the same command ends with the weights of an uninterrupted run."""

from __future__ import annotations

import csv
import json
import random
import signal
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from quick_process import run, seconds, start
from sabotage import STAGES, Stage, kill_in_write
from small_training import EPOCHS, STEPS, command

WRITES = EPOCHS + 2  # checkpoints, the curves with a new column, the results


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    assert run(command(folder), folder.parent / "log") == 0, (folder.parent / "log").read_text()
    return folder


def assert_equal(run: Path, other: Path) -> None:
    """Weights, state of the optimiser, curves and results."""
    mine, theirs = (torch.load(folder / "checkpoints/last.ckpt", weights_only=True) for folder in (run, other))
    assert mine["epoch"] == theirs["epoch"] == EPOCHS - 1
    for name, weights in theirs["state_dict"].items():
        assert torch.equal(mine["state_dict"][name], weights), name
    for number, state in theirs["optimizer_states"][0]["state"].items():
        for name, value in state.items():
            assert torch.equal(mine["optimizer_states"][0]["state"][number][name], value), name
    assert curves(run) == curves(other)
    assert len(curves(run)) == EPOCHS * STEPS
    assert json.loads((run / "results.json").read_text()) == json.loads((other / "results.json").read_text())
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["last.ckpt"]


def curves(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_moments(
    uninterrupted: Path, random_moments: random.Random, kills: int, tmp_path: Path
) -> None:
    duration = seconds(command(tmp_path / "timed"), tmp_path / "log")
    resumed = 0
    for k in range(kills):
        folder, log = tmp_path / f"run{k}", tmp_path / f"log{k}"
        trainer = start(command(folder), log)
        time.sleep(random_moments.uniform(0.0, duration))
        assert trainer.send(signal.SIGKILL) in {0, -signal.SIGKILL}, trainer.text
        assert run(command(folder), log) == 0, log.read_text()
        resumed += "resuming from" in log.read_text()
        assert_equal(folder, uninterrupted)
    print(f"{kills} runs killed at random moments, {resumed} resumed from a checkpoint; {kills} as uninterrupted")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("number", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in (0, *range(2, WRITES)))])
def test_killed_within_a_write(uninterrupted: Path, number: int, stage: Stage, tmp_path: Path) -> None:
    words, log = command(tmp_path / "run"), tmp_path / "log"
    assert run(words, log, sabotage=partial(kill_in_write, number, stage)) == -signal.SIGKILL, log.read_text()
    assert run(words, log) == 0, log.read_text()
    assert ("resuming from" in log.read_text()) == (number > 0 or stage == "renamed")
    assert_equal(tmp_path / "run", uninterrupted)
