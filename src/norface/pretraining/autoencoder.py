"""A masked autoencoder around a vision transformer of timm (He et al. 2022).

Only the patches that can be seen pass the encoder: with 75 % masked it costs a quarter. A small transformer then fills
the gaps from what the encoder has made of the rest.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from norface.backbones import TimmEncoder
from norface.errors import ConfigError
from norface.pretraining.masking import Mask, random_mask
from norface.pretraining.positions import sine_cosine
from norface.specs import Described


class Reconstruction(NamedTuple):
    """What a masked autoencoder makes of images.

    Attributes:
        patches: Standardised patches ``(B, N, 3 * patch * patch)``, visible ones included.
        masked: bool ``(B, N)``: those that it has not seen.
    """

    patches: Tensor
    masked: Tensor


class MaskedAutoencoder(nn.Module, Described):
    """Encoder of the visible patches, decoder of all.

    Args:
        encoder: A vision transformer with an image size of its own. A random one starts with sine-cosine positions.
        masked: Share of the patches that are hidden.
        dim: Width of the decoder, a multiple of 4 and of `heads`.
        blocks: Its transformer blocks.
        heads: Its attention heads.

    Raises:
        ConfigError: The encoder is no vision transformer or takes images of any size; or sizes that do not fit.
    """

    def __init__(
        self, encoder: TimmEncoder, *, masked: float = 0.75, dim: int = 128, blocks: int = 2, heads: int = 4
    ) -> None:
        super().__init__()
        _check(encoder, masked, dim, heads)
        self.encoder, self.ratio, self.patch = encoder, masked, encoder.stride
        assert encoder.image_size is not None
        self.image_size = encoder.image_size
        side = self.image_size // self.patch
        self.count = side * side
        network = encoder.network
        if encoder.init_args["weights"] is None and network.pos_embed is not None:
            with torch.no_grad():  # random positions would first have to learn which patches are neighbours
                network.pos_embed[:, -self.count :] = sine_cosine(side, encoder.dim)
        self.embed = nn.Linear(encoder.dim, dim)
        self.gap = nn.Parameter(torch.randn(dim) * 0.02)
        self.register_buffer("positions", sine_cosine(side, dim), persistent=False)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(dim, heads, 4 * dim, 0.0, "gelu", batch_first=True, norm_first=True)
            for _ in range(blocks)
        )
        self.norm = nn.LayerNorm(dim)
        self.predict = nn.Linear(dim, 3 * self.patch**2)

    positions: Tensor

    def forward(self, image: Tensor, *, generator: torch.Generator | None = None) -> Reconstruction:
        """Hide patches and predict them.

        Args:
            image: ``(B, 3, S, S)`` in [-1, 1].
            generator: Of the masks; None: the global one.
        """
        mask = random_mask(len(image), self.count, self.ratio, device=image.device, generator=generator)
        return Reconstruction(self.decode(self.encode(image, mask.visible), mask), mask.masked)

    def encode(self, image: Tensor, visible: Tensor) -> Tensor:
        """Images ``(B, 3, S, S)`` and visible patches int64 ``(B, V)`` to class token and these ``(B, P + V, dim)``."""
        network = self.encoder.network
        tokens = network._pos_embed(network.patch_embed(self.encoder.standardised(image)))
        before = network.num_prefix_tokens
        chosen = (before + visible)[..., None].expand(-1, -1, tokens.shape[2])
        tokens = torch.cat([tokens[:, :before], tokens.gather(1, chosen)], dim=1)
        encoded: Tensor = network.norm(network.blocks(network.norm_pre(tokens)))
        return encoded

    def decode(self, encoded: Tensor, mask: Mask) -> Tensor:
        """What `encode` gave to predicted patches ``(B, N, 3 * patch * patch)``."""
        known = self.embed(encoded)
        before = known.shape[1] - mask.visible.shape[1]
        gaps = self.gap.to(known.dtype).expand(len(known), self.count, -1)
        places = mask.visible[..., None].expand(-1, -1, known.shape[2])
        tokens = gaps.scatter(1, places, known[:, before:]) + self.positions.to(known.dtype)
        tokens = torch.cat([known[:, :before], tokens], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        predicted: Tensor = self.predict(self.norm(tokens[:, before:]))
        return predicted


def _check(encoder: TimmEncoder, masked: float, dim: int, heads: int) -> None:
    parts = ("patch_embed", "_pos_embed", "norm_pre", "blocks")
    wrong = None
    if not all(hasattr(encoder.network, name) for name in parts):
        wrong = ("a vision transformer such as vit_tiny_patch16_224", str(encoder.init_args["name"]), "encoder.name")
    elif encoder.image_size is None or encoder.image_size <= encoder.stride:
        wrong = ("an encoder with a size of images, of several patches", str(encoder.image_size), "encoder.image_size")
    elif not 0.0 < masked < 1.0:
        wrong = ("a share between 0 and 1", f"{masked:g}", "masked")
    elif dim % 4 or dim % heads or encoder.dim % 4:
        wrong = ("a width that is a multiple of 4 and of the number of heads", f"{dim} for {heads} heads", "dim")
    if wrong is not None:
        expected, found, where = wrong
        raise ConfigError(
            expected=expected, found=found, where=f"model.init_args.{where}", action="Correct the masked autoencoder."
        )
