"""A normalizer trained for a moment by one process or by two that share each batch; a program that Lightning starts."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader

from norface.normalizer import LossWeights, NormalizerTask, PatchDiscriminator
from toy_world import BarTeacher, ColourTeacher, ToyFaces, ToyPairs, make_generator

BATCH, BATCHES, EPOCHS = 16, 2, 2


class SharedBatches(ToyFaces):
    """Every batch is divided among the processes; all parts show the same mix of kinds of pairs, so means are equal."""

    def __init__(self, parts: int) -> None:
        super().__init__()
        self.parts = parts

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        assert self.trainer is not None
        size, rank = BATCH // self.parts, self.trainer.global_rank
        mine = [BATCH * batch + size * rank + place for batch in range(BATCHES) for place in range(size)]
        return DataLoader(ToyPairs(BATCH * BATCHES), batch_size=size, sampler=mine)


class SameSpread(lightning.Callback):
    """The spread of the right answers is an estimate from some batches, and processes have others."""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, NormalizerTask)
        assert pl_module.objective is not None
        pl_module.objective.paired.spread.fill_(0.3)


def make_task() -> NormalizerTask:
    """The normalizer before training, of the seed that was set."""
    return NormalizerTask(
        make_generator(),
        PatchDiscriminator(widths=(8, 16), scales=2),
        identity_teacher=ColourTeacher(),
        expression_teacher=BarTeacher(),
        # Labels are read through a batch normalization, whose statistics are each process's own on a CPU.
        weights=LossWeights(supervision=0.0),
        adversarial_start=0.5,  # the first steps leave the discriminator without gradients
    )


def train(devices: int, folder: Path, *, parts: int) -> dict[str, torch.Tensor]:
    """All weights and figures after a few steps; each process sees one of the parts of each batch."""
    torch.manual_seed(0)
    task = make_task()
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=devices,
        strategy="ddp_find_unused_parameters_true" if devices > 1 else "auto",
        use_distributed_sampler=False,
        max_epochs=EPOCHS,
        callbacks=[SameSpread()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    trainer.fit(task, datamodule=SharedBatches(parts))
    figures = {name: value.clone() for name, value in trainer.callback_metrics.items() if name.startswith("val/")}
    return {**task.state_dict(), **figures, "rank": torch.tensor(trainer.global_rank)}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    found = train(2, Path(sys.argv[1]), parts=2)
    torch.save(found, Path(sys.argv[1]) / f"rank{int(found['rank'])}.pt")
