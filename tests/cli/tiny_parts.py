"""A model and a data module that train in milliseconds, for tests of the command line."""

from __future__ import annotations

from typing import Any, ClassVar

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from norface.errors import ConfigError, TrainingError


class TinyTask(lightning.LightningModule):
    """One weight; can be told to stop in an epoch."""

    def __init__(self, *, width: int = 1, fails_in: int = -1, interrupted_in: int = -1, keeps: bool = False) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, width)
        self.fails_in, self.interrupted_in = fails_in, interrupted_in
        self.test_results: dict[str, object] = {}
        if keeps:
            # As a LightningCLI with support for load_from_checkpoint leaves them.
            self.save_hyperparameters({"_class_path": "tiny_parts.TinyTask", "width": width, "keeps": True})

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.layer(batch[0]).square().mean()
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        if self.current_epoch == self.fails_in:
            raise TrainingError(expected="a number", found="nan", where=f"epoch {self.fails_in}", action="Lower lr.")
        if self.current_epoch == self.interrupted_in:
            raise KeyboardInterrupt
        assert isinstance(loss, Tensor)
        return loss

    def test_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("test/loss", self.layer(batch[0]).square().mean())

    def on_test_epoch_end(self) -> None:
        self.test_results = {"task": "fer", "accuracy": 0.5}

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class TinyUntested(TinyTask):
    """Has no test figures."""

    def __init__(self) -> None:
        super().__init__()
        del self.test_results

    def on_test_epoch_end(self) -> None:
        """Nothing to keep."""


class TinyFolds(lightning.LightningDataModule):
    """Says how its faces were chosen."""

    protocol: ClassVar = {"dataset": "disfa", "fold": {"kind": "PublishedFold", "fold": "part3"}}

    def test_dataloader(self) -> DataLoader[Any]:
        return DataLoader(TensorDataset(torch.ones(4, 1)), batch_size=2)


class TinyData(lightning.LightningDataModule):
    """Four numbers in two batches."""

    def __init__(self, *, scale: float = 1.0) -> None:
        super().__init__()
        if not scale:
            raise ConfigError(expected="a scale that is not 0", found="0", where="data.scale", action="Use another.")
        self.scale = scale

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(TensorDataset(self.scale * torch.ones(4, 1)), batch_size=2)

    test_dataloader = train_dataloader
