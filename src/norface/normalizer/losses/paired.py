"""Paired loss where the true normalized face is known (built-in faces, or a table with a `normalized` column).

    L_pair = mean over pixels p of (output_p - truth_p)^2 / (s_p^2 + s_0^2)

with s_p the standard deviation of the true normalized face at pixel p over the training set. Without the division the
loss collapses to one constant face: few pixels carry the expression, and an average face already explains the rest.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PairedLoss(nn.Module):
    """Squared error in units of each pixel's own spread.

    Args:
        image_size: Side of the images in pixels.
        floor: s_0 in image units (range 2); keeps constant pixels, as of the background, from outweighing the face.
    """

    spread: Tensor

    def __init__(self, *, image_size: int, floor: float = 0.1) -> None:
        super().__init__()
        self.floor = floor
        self.register_buffer("spread", torch.zeros(1, image_size, image_size))

    def measure(self, truths: Tensor) -> None:
        """Take the spread from true normalized faces ``(N, 3, H, W)`` of the training set."""
        self.spread.copy_(truths.float().var(dim=0, correction=0).mean(dim=0, keepdim=True).sqrt())

    def forward(self, output: Tensor, truth: Tensor, known: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)``, `known` bool ``(B,)``; scalar over the known pairs, 0 without any."""
        error = (output.float() - truth.float()).square() / (self.spread.square() + self.floor**2)
        weight = known.to(error.dtype)
        return (error.mean(dim=(1, 2, 3)) * weight).sum() / weight.sum().clamp_min(1.0)
