"""Pictures of what a masked autoencoder fills in."""

from __future__ import annotations

import lightning
import torch
from torch import Tensor

from norface.pretraining.patches import paint
from norface.pretraining.task import MaskedAutoencoderTask
from norface.previews import EpochPictures


class ReconstructionGrid(EpochPictures):
    """Writes ``reconstructions/epoch-000.png`` ...: original, what of it can be seen, and that with the gaps filled.

    The same faces of the validation split, one column each, and the same masks every time.

    Args:
        faces: Number of columns.
        every_n_epochs: Epochs between two pictures.
    """

    folder = "reconstructions"

    def rows(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> list[Tensor]:
        """Three rows of images."""
        assert isinstance(module, MaskedAutoencoderTask)
        dataset = trainer.datamodule.val_dataloader().dataset  # type: ignore[attr-defined]
        original = torch.stack([dataset[0, position]["original"] for position in self.chosen(len(dataset))])
        network, training = module.network, module.network.training
        network.eval()
        found = network(original.to(module.device), generator=torch.Generator().manual_seed(0))
        network.train(training)
        return [original, *paint(found.patches.cpu(), original, found.masked.cpu(), network.patch)]
