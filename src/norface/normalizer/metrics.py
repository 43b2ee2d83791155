"""How much of the expression survives, measured against the true normalized face."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


def face_region(size: int) -> Tensor:
    """Bool ``(size, size)``: an ellipse from the brows to the chin of the aligned crop, the same for every table."""
    axis = (torch.arange(size) + 0.5) / size
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return ((x - 0.5) / 0.34) ** 2 + ((y - 0.56) / 0.42) ** 2 <= 1.0


def background_region(size: int) -> Tensor:
    """Bool ``(size, size)``: what is certainly not face, from the top of the crop down to the brows."""
    outside = ~face_region(size)
    outside[size // 2 :] = False  # below lie chin and neck, which an open mouth moves
    return outside


class ExpressionR2(Metric):
    """Share of the variance of the true normalized face that the output explains.

        R^2 = 1 - sum (output - truth)^2 / sum (truth - mean truth)^2

    over all faces and the pixels of `face_region`. The true normalized faces differ in expression alone, so a constant
    face scores 0 at best, whatever it looks like. Accumulates sums, never images.

    Args:
        size: Side of the images in pixels.
    """

    error: Tensor
    first: Tensor
    second: Tensor
    count: Tensor

    def __init__(self, *, size: int) -> None:
        super().__init__()
        self.region = face_region(size)
        pixels = 3 * int(self.region.sum())
        self.add_state("error", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("first", torch.zeros(pixels, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("second", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, output: Tensor, truth: Tensor) -> None:
        """Images ``(B, 3, size, size)`` in [-1, 1]."""
        output, truth = (image[..., self.region.to(image.device)].flatten(1).double() for image in (output, truth))
        self.error += (output - truth).square().sum()
        self.first += truth.sum(0)
        self.second += truth.square().sum()
        self.count += len(truth)

    def compute(self) -> Tensor:
        """Scalar, 1 at best, 0 for the best constant face; NaN where the truths do not differ."""
        variance = self.second - self.first.square().sum() / self.count.clamp_min(1)
        return torch.where(variance > 1e-6, 1 - self.error / variance.clamp_min(1e-6), torch.nan).float()
