"""From norface's aligned frame to the crop that another network was trained on, inside the graph."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from norface.imaging.alignment import Alignment, Points, invert, similarity


def resize(image: Tensor, size: int) -> Tensor:
    """Images ``(B, 3, H, W)`` to ``(B, 3, size, size)``, differentiable; unchanged where the size fits."""
    if image.shape[-1] == size:
        return image
    return F.interpolate(image, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


class TemplateCrop(nn.Module):
    """A fixed similarity from one aligned frame to another; differentiable.

    Both frames put the same five points at known places, so landmarks are not needed again, and output and original
    are cropped alike.

    Args:
        points: The five points ``(5, 2)`` in pixels of the wanted crop.
        side: Side of the wanted crop in pixels.
    """

    theta: Tensor

    def __init__(self, points: Points, side: int) -> None:
        super().__init__()
        self.points, self.side = points, side
        self.register_buffer("theta", torch.zeros(1, 2, 3), persistent=False)
        self.aligned_as(Alignment())

    def aligned_as(self, alignment: Alignment) -> None:
        """Say how the images that come are cropped; only the frame matters, not the size.

        Raises:
            AlignmentError: The crops are not made from five points.
        """
        back = invert(similarity(alignment.template(), self.points))  # pixels of the wanted crop to pixels of ours
        centre = back[:, :2] @ np.full(2, (self.side - 1) / 2) + back[:, 2]
        shift = (centre + 0.5) / alignment.size * 2 - 1
        theta = np.column_stack([back[:, :2] * self.side / alignment.size, shift])
        self.theta = torch.from_numpy(theta).to(self.theta)[None]
        self.share = math.hypot(theta[0, 0], theta[1, 0])  # side of the wanted crop, as a share of ours

    def forward(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, S, S)`` to ``(B, 3, side, side)``; what lies outside repeats the border."""
        fitting = round(self.side / self.share)
        if image.shape[-1] > fitting:  # sampling every second pixel would alias
            image = resize(image, fitting)
        grid = F.affine_grid(
            self.theta.expand(len(image), -1, -1), [len(image), 3, self.side, self.side], align_corners=False
        )
        return F.grid_sample(image, grid, mode="bicubic", padding_mode="border", align_corners=False)
