"""Pictures of what a masked autoencoder fills in, for people who look rather than read."""

from __future__ import annotations

from pathlib import Path

import lightning
import torch

from norface.imaging.convert import to_pixels
from norface.imaging.files import write_png
from norface.pretraining.patches import paint
from norface.pretraining.task import MaskedAutoencoderTask


class ReconstructionGrid(lightning.Callback):
    """Writes ``reconstructions/epoch-000.png`` before the first and after every few epochs.

    Rows: original, what of it can be seen, and that with the gaps filled. The same faces of the validation split, one
    column each, and the same masks every time.

    Args:
        faces: Number of columns.
        every_n_epochs: Epochs between two pictures.
    """

    def __init__(self, *, faces: int = 12, every_n_epochs: int = 5) -> None:
        self.faces, self.every_n_epochs = faces, every_n_epochs

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """The untrained autoencoder, unless the run is resumed."""
        if trainer.current_epoch == 0:
            self._write(trainer, pl_module, epoch=0)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """After every `every_n_epochs` epochs, and after the last."""
        done = trainer.current_epoch + 1
        if done % self.every_n_epochs == 0 or done == trainer.max_epochs:
            self._write(trainer, pl_module, epoch=done)

    @torch.no_grad()
    def _write(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *, epoch: int) -> None:
        if not (trainer.is_global_zero and isinstance(pl_module, MaskedAutoencoderTask)):
            return
        dataset = trainer.datamodule.val_dataloader().dataset  # type: ignore[attr-defined]
        chosen = torch.linspace(0, len(dataset) - 1, min(self.faces, len(dataset))).long().unique().tolist()
        original = torch.stack([dataset[0, position]["original"] for position in chosen])
        network, training = pl_module.network, pl_module.network.training
        network.eval()
        found = network(original.to(pl_module.device), generator=torch.Generator().manual_seed(0))
        network.train(training)
        seen, filled = paint(found.patches.cpu(), original, found.masked.cpu(), network.patch)
        rows = torch.stack([original, seen, filled])  # (3, N, 3, H, W)
        picture = rows.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)
        folder = Path(trainer.log_dir or trainer.default_root_dir) / "reconstructions"
        write_png(folder / f"epoch-{epoch:03d}.png", to_pixels(picture))
