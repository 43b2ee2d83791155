"""What `norface predict` leaves behind, and a test: a table with one row per face."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import lightning as L
import numpy as np
import pandas as pd
import torch
import torch.distributed
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch.callbacks import BasePredictionWriter
from lightning.pytorch.trainer.states import TrainerFn
from numpy.typing import NDArray

from norface.classifier.checkpoint import Header, labels_by_task, labels_of
from norface.classifier.contract import LabelledFaces, Prediction
from norface.imaging.files import write_atomically
from norface.labels import PROBABILITY_THRESHOLD
from norface.results import TEST_TABLE, VAL_TABLE


def prediction_frame(batches: Iterable[Prediction], labels: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Predictions as a frame, a row per face.

    Args:
        batches: What predicting returned.
        labels: Name of each output, by task: ``fer``, ``au``, ``au-intensity``, in the order of the answers.

    Returns:
        ``face_id``; the answers: for ``fer`` ``emotion`` and ``<emotion>_p`` (probabilities that sum to 1), for ``au``
        ``AU01_c`` (0 or 1) and ``AU01_p``, for ``au-intensity`` ``AU01_r`` (0..5); then ``gate_<stream>_<expert>``,
        share of each input expert in what was read of a stream, and ``gate_output_<expert>``, the mean of the labels'
        gates.
    """
    batches = list(batches)
    columns: dict[str, Any] = {"face_id": [face_id for batch in batches for face_id in batch["face_id"]]}
    answers = torch.cat([batch["answers"] for batch in batches]).float().cpu().numpy()
    first = 0
    for task, names in labels.items():
        columns |= _columns(task, names, answers[:, first : first + len(names)])
        first += len(names)
    for name in batches[0]["gates"]:
        gates = torch.cat([batch["gates"][name] for batch in batches]).float().cpu().numpy()
        columns |= {f"gate_{name}_{expert}": gates[:, expert] for expert in range(gates.shape[1])}
    return pd.DataFrame(columns)


def _columns(task: str, labels: Sequence[str], answers: NDArray[np.float32]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if task == "fer":
        columns["emotion"] = [labels[best] for best in answers.argmax(1)]
    if task == "au":
        shown = (answers >= PROBABILITY_THRESHOLD).astype("int8")
        columns |= {f"{label}_c": shown[:, k] for k, label in enumerate(labels)}
    suffix = "r" if task == "au-intensity" else "p"
    return columns | {f"{label}_{suffix}": answers[:, k] for k, label in enumerate(labels)}


class PredictionTable(BasePredictionWriter):
    """Writes ``predictions.parquet`` and ``predictions.csv`` when all faces are predicted.

    Every face that prediction was asked for has its row: one that could not be read or normalized has ``success`` 0,
    the reason in ``error``, and no answer. With a cache, its quality figures stand in the row: they tell which answers
    come from a badly normalized face.

    Args:
        folder: Where to.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(write_interval="epoch")
        self.folder = folder

    def write_on_epoch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, predictions: Sequence[Any], batch_indices: Sequence[Any]
    ) -> None:
        """Collect the predictions of all processes; the first one writes."""
        header: Header = pl_module.header  # type: ignore[assignment]
        faces: LabelledFaces = trainer.datamodule  # type: ignore[attr-defined]
        answers = _collected(predictions, header)
        if trainer.is_global_zero:
            write_predictions(self.folder, faces.asked_for(), answers, header)


class AnswerTable(L.Callback):
    """Writes the answer for every face beside its labels: ``test_predictions.parquet`` when a test ends.

    And ``val_predictions.parquet`` when a validation of its own ends, not one within training. Answers are named as in
    predictions.parquet, labels ``true_emotion``, ``true_AU01_c``, ``true_AU01_r``. Protocols take their figures from
    these tables.

    Args:
        folder: Where to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.batches: list[Prediction] = []

    def on_test_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start with nothing."""
        self.batches = []

    def on_test_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the answers; not on the accelerator."""
        self.batches.append(move_data_to_device(outputs, torch.device("cpu")))

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Collect the answers of all processes; the first one writes."""
        self._write(trainer, pl_module, "test")

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start with nothing."""
        self.batches = []

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the answers; not on the accelerator."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self.batches.append(move_data_to_device(outputs, torch.device("cpu")))

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Collect the answers of all processes; the first one writes."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._write(trainer, pl_module, "val")

    def _write(self, trainer: L.Trainer, pl_module: L.LightningModule, role: Literal["val", "test"]) -> None:
        header: Header = pl_module.header  # type: ignore[assignment]
        faces: LabelledFaces = trainer.datamodule  # type: ignore[attr-defined]
        answers = _collected(self.batches, header)
        if trainer.is_global_zero:
            name = TEST_TABLE if role == "test" else VAL_TABLE
            write_atomically(self.folder / name, _parquet(joined(faces.labelled_faces(role), answers, header)))
        self.batches = []


def write_predictions(folder: Path, faces: pd.DataFrame, answers: pd.DataFrame | None, header: Header) -> pd.DataFrame:
    """Join the faces with their answers and write both files.

    Args:
        folder: Where to.
        faces, answers, header: See `joined`.

    Raises:
        OutputError: The files cannot be written.
    """
    table = joined(faces, answers, header)
    write_atomically(folder / "predictions.parquet", _parquet(table))
    write_atomically(folder / "predictions.csv", table.to_csv(index=False, float_format="%.6g").encode())
    return table


def joined(faces: pd.DataFrame, answers: pd.DataFrame | None, header: Header) -> pd.DataFrame:
    """Every face with its answer; one without has `success` 0 and the reason in `error`.

    Args:
        faces: As `LabelledFaces.asked_for` gives them.
        answers: As `prediction_frame` makes them, in any order; None: no face could be predicted.
        header: Of the classifier; its task and vocabulary go into the Parquet file's ``pandas`` metadata (``attrs``).
    """
    table = faces.copy()
    if answers is not None:
        # norface's own data count every face once; others may repeat some to give each process equally many.
        table = table.merge(answers.drop_duplicates("face_id"), on="face_id", how="left", validate="one_to_one")
    silent = ~table["face_id"].isin([] if answers is None else answers["face_id"]) & (table["success"] == 1)
    table["success"] = table["success"].mask(silent, 0)
    table["error"] = table["error"].mask(silent, "the image could not be read: `norface data check` says why")
    for name in table.columns[table.columns.str.endswith("_c")]:
        table[name] = table[name].astype("Int8")  # a missing occurrence must not turn the others into 0.0 and 1.0
    about = {key: header[key] for key in ("version", "task", "alignment")}
    table.attrs = {"norface": {**about, "labels": list(labels_of(header))}}
    return table


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _collected(batches: Sequence[Prediction], header: Header) -> pd.DataFrame | None:
    """The answers of all processes, in the first one; None where no face was predicted."""
    own = prediction_frame(batches, labels_by_task(header)) if batches else None
    frames: list[pd.DataFrame | None] = [own]
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        first = torch.distributed.get_rank() == 0
        frames = [None] * torch.distributed.get_world_size()
        torch.distributed.gather_object(own, frames if first else None)
    found = [frame for frame in frames if frame is not None]
    return pd.concat(found) if found else None
