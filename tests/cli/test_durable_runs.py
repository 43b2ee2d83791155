from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from norface.cli import history
from norface.cli.durable_runs import DurableCheckpointIO, DurableCurves
from norface.errors import OutputError


def no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoints/last.ckpt"
    DurableCheckpointIO().save_checkpoint({"epoch": 1}, path)
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OutputError, match="No space left on device"):
        DurableCheckpointIO().save_checkpoint({"epoch": 2}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 1}
    assert list(path.parent.iterdir()) == [path]


def test_object_stores_are_left_to_lightning(monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[Any] = []
    monkeypatch.setattr(TorchCheckpointIO, "save_checkpoint", lambda _, *arguments: saved.append(arguments))
    DurableCheckpointIO().save_checkpoint({"epoch": 1}, "s3://bucket/last.ckpt")
    assert saved == [({"epoch": 1}, "s3://bucket/last.ckpt", None)]


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return [{name: value for name, value in row.items() if value} for row in csv.DictReader(file)]


@pytest.mark.parametrize("full", [True, False])
def test_a_new_column_loses_no_row(full: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    curves = DurableCurves(tmp_path, name="", version="")
    curves.log_metrics({"loss": 1.0}, 1)
    curves.save()
    curves.log_metrics({"loss": 2.0, "accuracy": 0.5}, 2)
    if full:
        monkeypatch.setattr(os, "fsync", no_space)
        with pytest.raises(OutputError):
            curves.save()
        assert (tmp_path / "metrics.csv").read_text().splitlines() == ["loss,step", "1.0,1"]
        return
    curves.save()
    assert rows_of(tmp_path) == [{"loss": "1.0", "step": "1"}, {"loss": "2.0", "accuracy": "0.5", "step": "2"}]


@pytest.mark.filterwarnings("ignore:Experiment logs directory")
@pytest.mark.parametrize("trained", [True, False])
def test_rows_of_an_interrupted_run_may_have_other_columns(trained: bool, tmp_path: Path) -> None:
    """Interrupted after its last epoch, a run has nothing left to train, and is only validated and tested."""
    first = DurableCurves(tmp_path, name="", version="")
    first.log_metrics({"train/loss": 1.0, "zeal": 3.0}, 1)
    first.save()
    history.set_aside(tmp_path, resuming=True)
    again = DurableCurves(tmp_path, name="", version="")
    assert again.experiment is not None  # Lightning asks for it when training begins
    if trained:
        again.log_metrics({"train/loss": 2.0}, 2)
        again.save()
    history.join(tmp_path)
    again.log_metrics({"train/loss": 4.0}, 3)
    again.save()
    again.log_metrics({"test/accuracy": 0.5, "train/loss": 5.0}, 4)
    again.save()
    between = [{"train/loss": "2.0", "step": "2"}] if trained else []
    assert rows_of(tmp_path) == [
        {"train/loss": "1.0", "zeal": "3.0", "step": "1"},
        *between,
        {"train/loss": "4.0", "step": "3"},
        {"test/accuracy": "0.5", "train/loss": "5.0", "step": "4"},
    ]
