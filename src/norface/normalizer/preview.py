"""Pictures of how the normalizer is doing."""

from __future__ import annotations

import lightning
import torch
from torch import Tensor

from norface.normalizer.module import NormalizerTask
from norface.previews import EpochPictures


class PreviewGrid(EpochPictures):
    """Writes ``previews/epoch-000.png`` ...: original | normalized | truth, where it is known for all of them.

    The same faces of the validation split every time, one column each.

    Args:
        faces: Number of columns.
        every_n_epochs: Epochs between two pictures.
    """

    folder = "previews"

    def rows(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> list[Tensor]:
        """Two or three rows of images."""
        assert isinstance(module, NormalizerTask)
        dataset = module.faces.val_dataloader().dataset
        samples = [dataset[0, position] for position in self.chosen(len(dataset))]  # type: ignore[arg-type]
        original = torch.stack([sample["original"] for sample in samples])
        rows = [original, module.average(original.to(module.device), module.target).cpu()]
        if all(bool(sample["has_truth"]) for sample in samples):
            rows.append(torch.stack([sample["truth"] for sample in samples]))
        return rows
