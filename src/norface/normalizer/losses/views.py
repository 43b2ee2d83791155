"""Random views: what an expression teacher reads must survive small changes of the picture.

Where no true normalized face is known, the teacher alone says which expression the output shows, and a generator can
learn to please it with a fine texture that nobody would call a smile: an adversarial example. Such textures do not
survive being moved, scaled, blurred and covered with noise by chance; a smile does. (Athalye et al. 2018, "Synthesizing
robust adversarial examples", sec. 2: the expectation over transformations is what makes a change of the picture real.)
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from norface.errors import ConfigError

SHIFT = 0.05
"""Largest shift in units of the picture's side."""

ZOOM = 0.08
"""Largest change of scale."""

NOISE = 0.15
"""Largest standard deviation of the noise, where images are in [-1, 1]."""


def check_strength(strength: float, *, where: str) -> float:
    """The strength as it is.

    Raises:
        ConfigError: It is below 0 or above 1.
    """
    if not 0.0 <= strength <= 1.0:
        raise ConfigError(
            expected="a strength from 0 (the output as it is) to 1",
            found=f"{strength:g}",
            where=where,
            action="Correct it; 1 moves faces as far as a bad detector does.",
        )
    return strength


def random_views(images: Tensor, strength: float) -> Tensor:
    """Every picture moved, scaled, blurred and covered with noise by chance, differentiable.

    Args:
        images: ``(B, 3, H, W)`` in [-1, 1].
        strength: 0: as they are; 1: up to the limits above.

    Returns:
        Images of the same shape; not clamped, so that the gradient stays.
    """
    if strength <= 0:
        return images
    batch = len(images)

    def between(low: float, high: float) -> Tensor:
        return torch.empty(batch, device=images.device).uniform_(low, high)

    theta = torch.zeros(batch, 2, 3, device=images.device)
    theta[:, 0, 0] = theta[:, 1, 1] = 1 + between(-ZOOM, ZOOM) * strength
    theta[:, 0, 2], theta[:, 1, 2] = (between(-2 * SHIFT, 2 * SHIFT) * strength for _ in range(2))
    grid = F.affine_grid(theta, list(images.shape), align_corners=False).to(images.dtype)
    moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    # Half and half at most: a smoothed picture alone would hide fine wrinkles from the teacher for good.
    smooth = F.avg_pool2d(F.pad(moved, (1, 1, 1, 1), mode="replicate"), 3, 1)
    moved = torch.lerp(moved, smooth, _each(between(0, strength), moved))
    return moved + _each(between(0, NOISE * strength), moved) * torch.randn_like(moved)


def _each(values: Tensor, images: Tensor) -> Tensor:
    """One value per picture ``(B,)``, to be multiplied with pictures."""
    return values.to(images.dtype)[:, None, None, None]
