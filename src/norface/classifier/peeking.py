"""Test figures along the training, for rows of a table that say what choosing on test faces would have brought."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.trainer.states import TrainerFn

from norface.classifier.contract import plain
from norface.classifier.module import ClassifierTask
from norface.imaging.files import write_atomically
from norface.results import TEST_CURVE


class TestCurve(L.Callback):
    """Tests the weights with every validation and notes the figures in ``test_curve.json`` of the run folder.

    Papers often report the best test epoch. Protocols show it as an extra row with that name; nothing is chosen by it,
    and training is the same with and without.
    """

    __test__ = False  # not a test class, whatever its name suggests to pytest

    def __init__(self) -> None:
        self.points: list[dict[str, Any]] = []

    def on_validation_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Before the first batch, when averaged weights have taken their place and the network is in evaluation."""
        if batch_idx > 0 or trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking:
            return
        assert isinstance(pl_module, ClassifierTask), "only classifiers have a test to peek at"
        scores = pl_module.make_scores().to(pl_module.device)
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            for tested in trainer.datamodule.test_dataloader():  # type: ignore[attr-defined]
                faces = trainer.strategy.batch_to_device(tested)
                answer = pl_module(faces["original"], faces["normalized"])
                scores.update(pl_module.activate(answer.logits), pl_module.labels(faces))
        self.points.append({"epoch": trainer.current_epoch, **pl_module.summary(scores.compute())})
        if trainer.is_global_zero:
            path = Path(trainer.default_root_dir) / TEST_CURVE
            write_atomically(path, json.dumps(plain(self.points), indent=1).encode())

    def state_dict(self) -> dict[str, Any]:
        """What was noted, so that a resumed run loses nothing."""
        return {"points": self.points}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.points = list(state_dict["points"])
