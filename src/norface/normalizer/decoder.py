"""Convolutional decoder from merged patch embeddings to a change of the target image."""

from __future__ import annotations

from torch import Tensor, nn

from norface.backbones.conv import ResidualBlock
from norface.specs import Described


class ConvDecoder(nn.Module, Described):
    """One residual block per resolution with nearest-neighbour upsampling in between (no checkerboard).

    The last layer starts at zero: before any training the normalized face is the target itself, so identity, pose and
    background need not be learned again and the first steps already teach expression.

    Args:
        dim: Size of the merged embeddings.
        widths: Channels after each doubling of the resolution. Multiples of 8.
    """

    def __init__(self, *, dim: int = 128, widths: tuple[int, ...] = (96, 48, 24)) -> None:
        super().__init__()
        widths = tuple(widths)
        layers: list[nn.Module] = []
        for inputs, outputs in zip((dim, *widths), widths, strict=False):
            layers += [ResidualBlock(inputs, outputs), nn.Upsample(scale_factor=2)]
        self.stages = nn.Sequential(*layers, nn.GroupNorm(8, widths[-1]), nn.SiLU())
        self.to_rgb = nn.Conv2d(widths[-1], 3, 3, padding=1)
        for parameter in self.to_rgb.parameters():
            nn.init.zeros_(parameter)
        self.stride = 2 ** len(widths)

    def forward(self, merged: Tensor) -> Tensor:
        """Embeddings ``(B, dim, h, w)`` to a change of the image ``(B, 3, h * stride, w * stride)``, in image units."""
        change: Tensor = self.to_rgb(self.stages(merged))
        return change
