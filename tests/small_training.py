"""A model and data that learn something in a moment, with all that is hard to resume: dropout, shuffling, Adam."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from norface.data.sampling import EpochSampler, Key
from norface.training import seed_step

CONFIGURATION = Path(__file__).parents[1] / "configs" / "trainer.yaml"
EPOCHS, STEPS = 6, 4


def command(run: Path, *options: str) -> list[str]:
    """The words that train it in the folder `run`, or go on there, and test it."""
    parts = [
        "--allow_code",
        "small_training",
        "--model",
        "small_training.SmallTask",
        "--data",
        "small_training.SmallData",
    ]
    place = ["--run", str(run), "--ckpt_path", "last", "--results", str(run / "results.json")]
    options = (*options, "--test_after_fit", "true", "--trainer.log_every_n_steps", "1", "--trainer.accelerator", "cpu")
    return ["fit", "--config", str(CONFIGURATION), *parts, *place, "--trainer.max_epochs", str(EPOCHS), *options]


class Line(Dataset[Tensor]):
    """Points of a line."""

    def __len__(self) -> int:
        return 4 * STEPS

    def __getitem__(self, key: Key) -> Tensor:
        return torch.full((1,), key[1] / len(self))


class SmallData(lightning.LightningDataModule):
    """Shuffled points."""

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(Line(), batch_size=4, sampler=EpochSampler(Line(), shuffle=True))

    def test_dataloader(self) -> DataLoader[Any]:
        return DataLoader(Line(), batch_size=4, sampler=EpochSampler(Line(), shuffle=False))


class SmallTask(lightning.LightningModule):
    """Learns the square of a number."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(1, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 1))
        self.test_results: dict[str, object] = {}

    def _loss(self, batch: Tensor) -> Tensor:
        loss: Tensor = (self.network(batch) - batch.square()).square().mean()
        return loss

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        seed_step(0, self.current_epoch, batch_idx)
        loss = self._loss(batch)
        self.log("train/loss", loss)
        if self.current_epoch >= EPOCHS // 2:
            self.log("a/late", loss)  # a column that is not there from the beginning
        return loss

    def test_step(self, batch: Tensor, batch_idx: int) -> None:
        self.test_results = {"task": "fer", "accuracy": float(self._loss(batch).clamp(0, 1))}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01)
