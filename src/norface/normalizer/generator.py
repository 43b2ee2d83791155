"""The generator of the normalizer: shared encoder, expression merging, decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from norface.backbones import Backbone
from norface.errors import ConfigError
from norface.normalizer.decoder import ConvDecoder
from norface.normalizer.merging import ExpressionMerging
from norface.specs import Described


class Generator(nn.Module, Described):
    """Maps (original, target) to the normalized face: the target with the original's expression.

    Structure after Norface (ECCV 2024): one encoder shared by both faces, an expression merging module, a decoder.

    Args:
        encoder: Shared patch encoder, convolutional or a vision transformer.
        merging: Merges both embeddings; its `dim` and `grid` must fit the encoder and the image size.
        decoder: Turns merged embeddings into an image of the encoder's input size.
    """

    def __init__(self, encoder: Backbone, merging: ExpressionMerging, decoder: ConvDecoder) -> None:
        super().__init__()
        if not (encoder.dim == merging.dim == decoder.init_args["dim"] and encoder.stride == decoder.stride):
            raise ConfigError(
                expected="encoder, merging and decoder of one embedding size and one stride",
                found=f"sizes {encoder.dim}, {merging.dim}, {decoder.init_args['dim']}; strides {encoder.stride}, "
                f"{decoder.stride}",
                where="model.init_args.generator",
                action="Give merging and decoder the encoder's last width as `dim`, and one decoder width per stage.",
            )
        self.encoder, self.merging, self.decoder = encoder, merging, decoder
        self.image_size = encoder.stride * merging.grid
        if encoder.image_size not in {None, self.image_size}:
            raise ConfigError(
                expected=f"an encoder for {self.image_size} pixels, {merging.grid} patches of {encoder.stride}",
                found=f"one for {encoder.image_size} pixels",
                where="model.init_args.generator",
                action="Set the encoder's image_size to the grid of `merging` times its patch size, or correct that.",
            )

    def forward(self, original: Tensor, target: Tensor) -> Tensor:
        """Normalize faces.

        Args:
            original: Gives the expression, ``(B, 3, S, S)`` in [-1, 1].
            target: Gives identity, head pose and background, ``(B, 3, S, S)``, or ``(1, 3, S, S)`` for all.

        Returns:
            Normalized faces ``(B, 3, S, S)``, nominally in [-1, 1]: the target plus the decoder's change, not clipped,
            so that no gradient is lost.
        """
        return self.draw(original, target, self.encoder(target))

    def draw(self, original: Tensor, target: Tensor, embedded: Tensor) -> Tensor:
        """As `forward`, with the target's embeddings ``(B or 1, dim, grid, grid)`` at hand."""
        embedded = embedded.expand(original.shape[0], -1, -1, -1)  # len() would fix the batch size of an exported graph
        normalized: Tensor = target + self.decoder(self.merging(embedded, self.encoder(original)))
        return normalized

    def merge(self, original: Tensor, target: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, for targets that several originals share: each is encoded once.

        Args:
            original: ``(B, 3, S, S)``.
            target: Distinct targets ``(T, 3, S, S)``.
            which: int64 ``(B,)``: row of `target` for each original.

        Returns:
            Normalized faces, and the encoder's embeddings of the originals ``(B, dim, grid, grid)``.
        """
        embeddings = self.encoder(original)
        merged = self.merging(self.encoder(target)[which], embeddings)
        return target[which] + self.decoder(merged), embeddings


def distinct(target: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """Targets of a batch without repetition.

    Args:
        target: ``(B, 3, S, S)``.
        key: int64 ``(B,)``, equal for equal targets.

    Returns:
        ``(T, 3, S, S)``, and int64 ``(B,)``: the row of each of the batch.
    """
    keys, which = key.unique(return_inverse=True)
    rows = torch.arange(len(key), device=key.device)
    first = torch.zeros_like(keys).scatter_reduce(0, which, rows, "amin", include_self=False)
    return target[first], which
