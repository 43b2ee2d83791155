"""Pictures of how the normalizer is doing, for people who look rather than read."""

from __future__ import annotations

from pathlib import Path

import lightning
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from norface.imaging.convert import to_pixels
from norface.imaging.files import write_png
from norface.normalizer.module import NormalizerTask


def grid(rows: list[Tensor]) -> Tensor:
    """Rows of images ``(N, 3, H, W)``, stacked to one image ``(3, rows * H, N * W)``."""
    return torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)


class PreviewGrid(lightning.Callback):
    """Writes ``previews/epoch-000.png`` before the first and after every few epochs: original | normalized | truth.

    The same faces of the validation split every time, one column each.

    Args:
        faces: Number of columns.
        every_n_epochs: Epochs between two pictures.
    """

    def __init__(self, *, faces: int = 12, every_n_epochs: int = 5) -> None:
        self.faces, self.every_n_epochs = faces, every_n_epochs

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """The untrained normalizer, unless the run is resumed."""
        if trainer.current_epoch == 0:
            self._write(trainer, pl_module, epoch=0)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """After every `every_n_epochs` epochs, and after the last."""
        done = trainer.current_epoch + 1
        if done % self.every_n_epochs == 0 or done == trainer.max_epochs:
            self._write(trainer, pl_module, epoch=done)

    @torch.no_grad()
    def _write(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *, epoch: int) -> None:
        if not (trainer.is_global_zero and isinstance(pl_module, NormalizerTask)):
            return
        dataset = pl_module.faces.val_dataloader().dataset
        positions = torch.linspace(0, len(dataset) - 1, min(self.faces, len(dataset))).long().unique().tolist()  # type: ignore[arg-type]
        samples = [dataset[0, position] for position in positions]
        original = torch.stack([sample["original"] for sample in samples])
        normalized = pl_module.average(original.to(pl_module.device), pl_module.target).cpu()
        rows = [original, normalized]
        if all(bool(sample["has_truth"]) for sample in samples):
            rows.append(torch.stack([sample["truth"] for sample in samples]))
        folder = Path(trainer.log_dir or trainer.default_root_dir) / "previews"
        picture = to_pixels(grid(rows))
        write_png(folder / f"epoch-{epoch:03d}.png", picture)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("previews", picture, global_step=epoch, dataformats="HWC")
