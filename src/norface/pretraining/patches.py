"""Images as sequences of square patches, row by row."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

FLOOR = 1e-4
"""Added to the variance of a patch. A spread of 0.01 is little more than one step of 8-bit pixels in [-1, 1]: what is
flat but for that is no texture to be learned."""


class StandardPatches(NamedTuple):
    """Patches with mean 0 and spread 1 each, and what they had.

    Attributes:
        values: ``(B, N, 3 * patch * patch)``.
        mean, spread: ``(B, N, 1)``.
    """

    values: Tensor
    mean: Tensor
    spread: Tensor


def to_patches(image: Tensor, patch: int) -> Tensor:
    """``(B, 3, H, W)`` to ``(B, N, 3 * patch * patch)``; sides must be multiples of `patch`."""
    rows = image.unfold(2, patch, patch).unfold(3, patch, patch)  # (B, 3, h, w, patch, patch)
    return rows.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)


def from_patches(patches: Tensor, patch: int) -> Tensor:
    """The square image ``(B, 3, S, S)`` that `to_patches` has cut."""
    side = round(patches.shape[1] ** 0.5)
    cut: Tensor = patches.unflatten(1, (side, side)).unflatten(3, (3, patch, patch))  # (B, h, w, 3, patch, patch)
    return cut.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)


def standard_patches(patches: Tensor) -> StandardPatches:
    """Each patch less its mean, divided by its spread: He et al. 2022 (section 4.1) learn more from these targets."""
    mean = patches.mean(-1, keepdim=True)
    spread = (patches.var(-1, keepdim=True, correction=0) + FLOOR).sqrt()
    return StandardPatches((patches - mean) / spread, mean, spread)


def paint(prediction: Tensor, image: Tensor, masked: Tensor, patch: int) -> tuple[Tensor, Tensor]:
    """What a masked autoencoder has seen, and that with its prediction in the gaps.

    Args:
        prediction: Standardised patches ``(B, N, 3 * patch * patch)``. Mean and spread, which were not asked for, are
            the image's.
        image: ``(B, 3, S, S)`` in [-1, 1].
        masked: bool ``(B, N)``.
        patch: Pixels per side.

    Returns:
        The image with grey gaps, and the image with predicted ones, ``(B, 3, S, S)`` in [-1, 1].
    """
    patches = to_patches(image, patch)
    _, mean, spread = standard_patches(patches)
    gaps = masked[..., None]
    seen = patches.masked_fill(gaps, 0.0)
    filled = torch.where(gaps, (prediction.float() * spread + mean).clamp(-1, 1), patches)
    return from_patches(seen, patch), from_patches(filled, patch)
