"""The generator of the normalizer: shared encoder, expression merging, decoder."""

from __future__ import annotations

from torch import Tensor, nn

from norface.backbones import ConvEncoder
from norface.errors import ConfigError
from norface.normalizer.decoder import ConvDecoder
from norface.normalizer.merging import ExpressionMerging
from norface.specs import Described


class Generator(nn.Module, Described):
    """Maps (original, target) to the normalized face: the target with the original's expression.

    Structure after Norface (ECCV 2024): one encoder shared by both faces, an expression merging module, a decoder.

    Args:
        encoder: Shared patch encoder.
        merging: Merges both embeddings; its `dim` and `grid` must fit the encoder and the image size.
        decoder: Turns merged embeddings into an image of the encoder's input size.
    """

    def __init__(self, encoder: ConvEncoder, merging: ExpressionMerging, decoder: ConvDecoder) -> None:
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

    def forward(self, original: Tensor, target: Tensor) -> Tensor:
        """Normalize faces.

        Args:
            original: Gives the expression, ``(B, 3, S, S)`` in [-1, 1].
            target: Gives identity, head pose and background, ``(B, 3, S, S)``, or ``(1, 3, S, S)`` for all.

        Returns:
            Normalized faces ``(B, 3, S, S)``, nominally in [-1, 1]: the target plus the decoder's change, not clipped,
            so that no gradient is lost.
        """
        normalized, _ = self.merge(original, target)
        return normalized

    def merge(self, original: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, but returns the encoder's embeddings of the originals ``(B, dim, grid, grid)`` as well."""
        embeddings = self.encoder(original)
        asked = self.encoder(target).expand(len(original), -1, -1, -1)
        return target + self.decoder(self.merging(asked, embeddings)), embeddings
