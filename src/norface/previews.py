"""Pictures of a network while it trains, for people who look rather than read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import lightning
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from norface.imaging.convert import to_pixels
from norface.imaging.files import write_png


def grid(rows: list[Tensor]) -> Tensor:
    """Rows of images ``(N, 3, H, W)``, stacked to one image ``(3, rows * H, N * W)``."""
    return torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)


class EpochPictures(lightning.Callback, ABC):
    """Writes ``epoch-000.png`` before the first and after every few epochs; TensorBoard gets it too, where it is used.

    Args:
        faces: Number of columns.
        every_n_epochs: Epochs between two pictures.
    """

    folder: ClassVar[str]
    """Where in the run folder."""

    def __init__(self, *, faces: int = 12, every_n_epochs: int = 5) -> None:
        self.faces, self.every_n_epochs = faces, every_n_epochs

    @abstractmethod
    def rows(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> list[Tensor]:
        """Rows of images ``(N, 3, H, W)`` in [-1, 1], on the CPU."""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """The untrained network, unless the run is resumed."""
        if trainer.current_epoch == 0:
            self._write(trainer, pl_module, epoch=0)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """After every `every_n_epochs` epochs, and after the last."""
        done = trainer.current_epoch + 1
        if done % self.every_n_epochs == 0 or done == trainer.max_epochs:
            self._write(trainer, pl_module, epoch=done)

    def chosen(self, count: int) -> list[int]:
        """Positions of the faces among `count`: the same every time, evenly spread."""
        spread: list[int] = torch.linspace(0, count - 1, min(self.faces, count)).long().unique().tolist()
        return spread

    @torch.no_grad()
    def _write(self, trainer: lightning.Trainer, module: lightning.LightningModule, *, epoch: int) -> None:
        if not trainer.is_global_zero:
            return
        picture = to_pixels(grid(self.rows(trainer, module)))
        write_png(Path(trainer.log_dir or trainer.default_root_dir) / self.folder / f"epoch-{epoch:03d}.png", picture)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image(self.folder, picture, global_step=epoch, dataformats="HWC")
