"""Supervision of the encoder by action-unit labels, where the table has them.

A linear read-out of the original's pooled embedding must predict the intensities. It tells the shared encoder early
what an expression is, before the image losses have found out; the generator itself never sees a label.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from norface.backbones import Standardize
from norface.labels import MAX_INTENSITY

POOL = 4


class SupervisionLoss(nn.Module):
    """Masked squared error of action-unit intensities scaled to 0..1.

    Args:
        dim: Channels of the encoder's embeddings.
        aus: Number of action units in the table.
    """

    def __init__(self, *, dim: int, aus: int) -> None:
        super().__init__()
        self.standardize = Standardize(POOL * POOL * dim)
        self.read_out = nn.Linear(POOL * POOL * dim, aus)
        nn.init.zeros_(self.read_out.weight)  # two thousand random weights would shake the encoder before they help

    def forward(self, embeddings: Tensor, intensity: Tensor) -> Tensor:
        """Embeddings ``(B, dim, h, w)``, intensities ``(B, K)`` in 0..5 with NaN = unknown; scalar, 0 without any."""
        pooled = nn.functional.adaptive_avg_pool2d(embeddings, POOL).flatten(1)  # (B, 16 dim)
        known = ~torch.isnan(intensity)
        wanted = torch.nan_to_num(intensity) / MAX_INTENSITY
        error = (self.read_out(self.standardize(pooled)).float() - wanted).square() * known
        loss: Tensor = error.sum() / known.sum().clamp_min(1)
        return loss
