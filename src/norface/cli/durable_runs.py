"""What a training run keeps on disk, written so that a kill at any moment leaves the old file or the new one.

Lightning's own writing is atomic only where temporary files lie on the same disk as the run: elsewhere it copies, and a
kill in between leaves half a checkpoint, and with it no run.
"""

from __future__ import annotations

import csv
import io
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.loggers.csv_logs import CSVLogger, ExperimentWriter

from norface.cache.durable import write_durably

TENSORBOARD = "tensorboard"


class DurableCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place, flushes it and renames it; in an object store (``s3://``) as Lightning."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write `checkpoint` as `path`.

        Raises:
            OutputError: The file cannot be written; the one before it is still there.
        """
        if "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        data = io.BytesIO()
        torch.save(checkpoint, data)
        write_durably(Path(path), data.getbuffer())


class DurableCurves(CSVLogger):
    """CSVLogger that keeps its rows also while a new column makes it write the file anew."""

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """What writes ``metrics.csv``."""
        if self._experiment is None:
            Path(self.root_dir).mkdir(parents=True, exist_ok=True)
            self._experiment = _Writer(log_dir=self.log_dir)
        return self._experiment


def curve_loggers(run: str) -> list[Logger]:
    """What writes the curves of a run: ``metrics.csv`` and, where TensorBoard is installed, its events."""
    loggers: list[Logger] = [DurableCurves(run, name="", version="")]
    if find_spec("tensorboard") is not None:
        loggers.append(TensorBoardLogger(run, name=TENSORBOARD, version="", default_hp_metric=False))
    return loggers


def forget_events(run: Path) -> None:
    """Where training starts anew: TensorBoard would draw the curves of the run before into those of the new one."""
    for path in (run / TENSORBOARD).glob("events.out.tfevents.*"):
        path.unlink(missing_ok=True)


class _Writer(ExperimentWriter):
    def _record_new_keys(self) -> set[str]:
        """All columns, where the file has others: `history.join` may have put rows of an earlier run first."""
        path = Path(self.metrics_file_path)
        columns: list[str] = []
        if path.is_file():
            with path.open(newline="") as file:
                columns = next(csv.reader(file), [])
        self.metrics_keys = sorted({*columns, *self.metrics_keys, *set().union(*self.metrics)})
        return set() if self.metrics_keys == columns else set(self.metrics_keys)

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        path = Path(self.metrics_file_path)
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, fieldnames=fieldnames)
        writer.writeheader()
        writer.writerows(rows)
        write_durably(path, text.getvalue().encode())
