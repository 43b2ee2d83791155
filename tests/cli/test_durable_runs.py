from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

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
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = [{name: value for name, value in row.items() if value} for row in csv.DictReader(file)]
    assert rows == [{"loss": "1.0", "step": "1"}, {"loss": "2.0", "accuracy": "0.5", "step": "2"}]
