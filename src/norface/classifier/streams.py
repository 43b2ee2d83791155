"""The classifier's two inputs, the original face and the normalized one, each made into one feature vector."""

from __future__ import annotations

from copy import deepcopy
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from norface.backbones import Backbone, Standardize

Streams = Literal["both", "original", "normalized"]

STREAMS: dict[Streams, tuple[str, ...]] = {
    "both": ("original", "normalized"),
    "original": ("original",),
    "normalized": ("normalized",),
}
"""Which images each choice reads, in the order of the feature vectors."""


class StreamHead(nn.Module):
    """Embeddings of one stream to a feature vector: fewer channels, a coarse grid of averages, a projection.

    A grid rather than one average: aligned faces have the brows and the mouth always in the same cells. A quarter of
    the channels: the projection would otherwise hold more weights than the encoder.

    Args:
        dim: Length of an embedding.
        features: Length of the feature vector.
        grid: Cells per side of the grid.
        dropout: Share of the grid's values dropped in training.
    """

    def __init__(self, dim: int, features: int, *, grid: int, dropout: float) -> None:
        super().__init__()
        channels = max(1, dim // 4)
        self.grid = grid
        self.reduce = nn.Conv2d(dim, channels, 1)
        self.standardize = Standardize(channels * grid**2)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(channels * grid**2, features)
        self.norm = nn.LayerNorm(features)

    def forward(self, embeddings: Tensor) -> Tensor:
        """``(B, dim, h, w)`` to ``(B, features)`` of unit scale."""
        pooled = functional.adaptive_avg_pool2d(self.reduce(embeddings), self.grid).flatten(1)
        out: Tensor = self.norm(self.project(self.dropout(self.standardize(pooled))))
        return out


class FaceStreams(nn.Module):
    """Original and normalized face to one feature vector each.

    Args:
        backbone: Encoder; with `shared_backbone` the same weights read both streams, otherwise the second stream gets a
            copy with the same start.
        streams: Both, or one alone for ablations.
        features: Length of a feature vector.
        grid: Cells per side of the pooled grid.
        shared_backbone: Whether one encoder reads both streams.
        dropout: Share of pooled embeddings dropped in training.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        streams: Streams,
        features: int,
        grid: int,
        shared_backbone: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.names = STREAMS[streams]
        copies = 1 if shared_backbone else len(self.names)
        # Made for NHWC: grouped norms and small convolutions run about twice as fast on CPUs in this layout.
        self.backbones = nn.ModuleList(deepcopy(backbone).to(memory_format=torch.channels_last) for _ in range(copies))
        # One head per stream, also with a shared encoder: what to read differs between the two images.
        self.heads = nn.ModuleList(StreamHead(backbone.dim, features, grid=grid, dropout=dropout) for _ in self.names)

    def forward(self, original: Tensor, normalized: Tensor) -> Tensor:
        """Two images ``(B, 3, H, W)`` in [-1, 1] to features ``(B, S, features)`` of unit scale, S streams."""
        images = {"original": original, "normalized": normalized}
        chosen = [images[name].contiguous(memory_format=torch.channels_last) for name in self.names]
        if len(self.backbones) == 1:
            maps = self.backbones[0](torch.cat(chosen)).unflatten(0, (len(chosen), -1))  # one pass for both streams
        else:
            maps = [backbone(image) for backbone, image in zip(self.backbones, chosen, strict=True)]
        return torch.stack([head(embeddings) for head, embeddings in zip(self.heads, maps, strict=True)], 1)
