"""Train a masked autoencoder on the faces of any table; no labels are needed."""

from __future__ import annotations

import torch
from torch import Tensor

from norface.backbones import TimmEncoder
from norface.errors import ConfigError
from norface.pretraining.autoencoder import MaskedAutoencoder
from norface.pretraining.loss import masked_patch_loss
from norface.samples import FaceSample
from norface.teachers.task import TeacherTask


class MaskedAutoencoderTask(TeacherTask):
    """Predicts hidden patches from visible ones (He et al. 2022); its encoder is what is wanted.

    `encoder_weights` of normalizer, teachers and classifier take its checkpoint.

    Args:
        encoder: A vision transformer with an image size of its own.
        masked: Share of the patches that are hidden.
        dim: Width of the decoder.
        blocks: Its transformer blocks.
        heads: Its attention heads.
        lr: Peak learning rate.
        weight_decay: Decoupled weight decay of matrices and kernels.
        seed: Of the masks.
    """

    kind = "encoder"
    network: MaskedAutoencoder

    def __init__(
        self,
        encoder: TimmEncoder,
        *,
        masked: float = 0.75,
        dim: int = 128,
        blocks: int = 2,
        heads: int = 4,
        lr: float = 1e-3,
        weight_decay: float = 0.05,
        seed: int = 0,
    ) -> None:
        super().__init__(lr=lr, weight_decay=weight_decay, seed=seed)
        self.network = MaskedAutoencoder(encoder, masked=masked, dim=dim, blocks=blocks, heads=heads)
        self.start(encoder, None)

    def on_fit_start(self) -> None:
        """Refuse faces of another size.

        Raises:
            ConfigError: The table's crops, or `image_size` of the data, are not the encoder's.
        """
        size = self.faces.alignment.size
        if size != self.network.image_size:
            raise ConfigError(
                expected=f"faces of {self.network.image_size} pixels, as model.init_args.encoder.image_size says",
                found=f"{size} pixels",
                where="data.init_args.image_size",
                action="Give data and encoder the same size.",
            )

    def loss(self, batch: FaceSample) -> dict[str, Tensor]:
        """Error of the hidden patches of a batch."""
        return {"masked": self._error(batch)}

    def validation_step(self, batch: FaceSample, batch_idx: int) -> None:
        """The same error for people that were not trained on, under the same masks in every epoch."""
        generator = torch.Generator().manual_seed(batch_idx)
        error = self._error(batch, generator)
        self.log("val/masked", error, on_epoch=True, prog_bar=True, sync_dist=True, batch_size=len(batch["original"]))

    def _error(self, batch: FaceSample, generator: torch.Generator | None = None) -> Tensor:
        found = self.network(batch["original"], generator=generator)
        return masked_patch_loss(found.patches, batch["original"], found.masked, patch=self.network.patch)
