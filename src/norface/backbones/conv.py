"""A small convolutional encoder for faces of 32 to 128 pixels that trains in minutes on a CPU."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from norface.backbones.contract import Backbone


class ResidualBlock(nn.Module):
    """Pre-activation residual block (He et al. 2016, "Identity mappings in deep residual networks"), GroupNorm.

    GroupNorm rather than BatchNorm: original and target pass the same encoder with different statistics, batches are
    small, and the moving average of the weights must not need statistics of its own.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.GroupNorm(8, inputs),
            nn.SiLU(),
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.GroupNorm(8, outputs),
            nn.SiLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        )
        # Averages before it picks every second pixel (ResNet-D, He et al. 2019, "Bag of tricks"): nothing is lost.
        # oneDNN crashes in the backward pass of small strided 1x1 convolutions on odd batches, which this also avoids.
        pool = [] if stride == 1 else [nn.AvgPool2d(stride, ceil_mode=True)]
        change = [] if inputs == outputs and stride == 1 else [nn.Conv2d(inputs, outputs, 1, bias=False)]
        self.skip = nn.Sequential(*pool, *change)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H / stride, W / stride)``."""
        out: Tensor = self.body(x) + self.skip(x)
        return out


class ConvEncoder(Backbone):
    """Image to patch embeddings: a strided stem, then one stage of residual blocks per width.

    Every stage halves the resolution, so a 64 px face with three widths becomes 8 x 8 embeddings of 8 px patches.

    Args:
        widths: Channels of each stage; the last is the embedding size. Multiples of 8.
        blocks: Residual blocks per stage after the first, which is the stem alone.
    """

    def __init__(self, *, widths: tuple[int, ...] = (32, 64, 128), blocks: int = 1) -> None:
        super().__init__()
        widths = tuple(widths)
        layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 5, stride=2, padding=2)]
        for inputs, outputs in pairwise(widths):
            layers.append(ResidualBlock(inputs, outputs, stride=2))
            layers.extend(ResidualBlock(outputs, outputs) for _ in range(blocks - 1))
        self.stages = nn.Sequential(*layers, nn.GroupNorm(8, widths[-1]), nn.SiLU())
        self.dim = widths[-1]
        self.stride = 2 ** len(widths)

    def forward(self, image: Tensor) -> Tensor:
        """Image ``(B, 3, H, W)`` in [-1, 1] to patch embeddings ``(B, dim, H / stride, W / stride)``."""
        out: Tensor = self.stages(image)
        return out

    def depths(self) -> dict[str, int]:
        """Stem, blocks, last norm: one layer each."""
        return {name: int(name.split(".")[1]) for name, _ in self.named_parameters()}
