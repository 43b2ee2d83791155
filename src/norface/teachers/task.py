"""What the trainings of stage 0 have in common: identity and expression teacher, and the masked autoencoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, cast

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

import norface
from norface.backbones import Backbone, load_encoder
from norface.checkpoints import describe_checkpoint, trained_people
from norface.samples import FaceDescription, FaceSample
from norface.specs import Described, describe
from norface.training import EpochMeans, decay_groups, fuses, require_finite, seed_step


class TeacherTask(lightning.LightningModule):
    """Base of the stage-0 tasks: AdamW with a one-cycle rate, checkpoints that describe their network.

    Args:
        lr: Peak learning rate.
        weight_decay: Decoupled weight decay of matrices and kernels; biases and norms have none.
        seed: Of dropout.
    """

    kind: ClassVar[str] = "teacher"
    """What its checkpoints are."""

    network: nn.Module

    def __init__(self, *, lr: float = 3e-3, weight_decay: float = 0.02, seed: int = 0) -> None:
        super().__init__()
        self.lr, self.weight_decay, self.seed = lr, weight_decay, seed
        self.encoder_people: tuple[str, ...] = ()
        self._means = EpochMeans()

    def start(self, encoder: Backbone, encoder_weights: str | None) -> None:
        """Let the encoder start from another run's checkpoint, if one is named; remember whom that has seen."""
        if encoder_weights is not None:
            load_encoder(encoder, encoder_weights)
            self.encoder_people = trained_people(encoder_weights)
        encoder.settle()

    @property
    def faces(self) -> FaceDescription:
        """The data module of this run."""
        return cast(FaceDescription, self.trainer.datamodule)  # type: ignore[attr-defined]

    def loss(self, batch: FaceSample) -> dict[str, Tensor]:
        """Named loss terms of a batch; their sum is minimised."""
        raise TypeError(f"{type(self).__name__} defines no loss")

    def training_step(self, batch: FaceSample, batch_idx: int) -> Tensor:
        """One step on a batch of `FaceSample`."""
        seed_step(self.seed, self.current_epoch, batch_idx, rank=self.global_rank)
        parts = self.loss(batch)
        where = f"{type(self).__name__}, epoch {self.current_epoch}, batch {batch_idx}"
        require_finite(parts, where=where, batch=batch, folder=Path(self.trainer.default_root_dir))
        self._means.update({f"train/{name}": value for name, value in parts.items()}, size=len(batch["original"]))
        return torch.stack(list(parts.values())).sum()

    def on_train_epoch_end(self) -> None:
        """Log the mean of each loss term."""
        self.log_dict(self._means.take())

    def parameter_groups(self) -> list[dict[str, object]]:
        """What the optimiser trains; a group may name a peak rate (`lr`) of its own."""
        return decay_groups(self.parameters(), self.weight_decay)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW, one cycle over the whole run (Smith and Topin 2018)."""
        fused = fuses(self.parameters(), str(self.trainer.precision))
        optimizer = torch.optim.AdamW(self.parameter_groups(), lr=self.lr, fused=fused)
        steps = max(int(self.trainer.estimated_stepping_batches), 2)
        peaks = [float(group["lr"]) for group in optimizer.param_groups]
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peaks, total_steps=steps, pct_start=0.15)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say what this is and how to build it, as plain data."""
        assert isinstance(self.network, Described)
        checkpoint["norface"] = {
            "kind": self.kind,
            "version": norface.__version__,
            "network": describe(self.network),
            "alignment": self.faces.alignment.describe(),
            "subjects": sorted({*self.faces.subjects, *self.encoder_people}),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another kind before its weights are tried."""
        describe_checkpoint(checkpoint, where="--ckpt_path", kind=self.kind)
