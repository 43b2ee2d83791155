"""Positions of patches as sines and cosines."""

from __future__ import annotations

import torch
from torch import Tensor


def sine_cosine(side: int, dim: int) -> Tensor:
    """Fixed embeddings of a square grid: half of them tell the row, half the column.

    Each half has sines, then cosines, with wavelengths from 2 pi to 10000 * 2 pi in a geometric series (Vaswani et al.
    2017, section 3.5, for each axis).

    Args:
        side: Patches per side.
        dim: Size of an embedding, a multiple of 4.

    Returns:
        ``(side * side, dim)``, row by row, in [-1, 1].
    """
    rates = 10000.0 ** (-torch.arange(dim // 4) / (dim // 4))
    angles = torch.arange(side)[:, None] * rates  # (side, dim / 4)
    axis = torch.cat([angles.sin(), angles.cos()], dim=1)
    rows, columns = axis[:, None].expand(-1, side, -1), axis[None].expand(side, -1, -1)
    return torch.cat([rows, columns], dim=2).flatten(0, 1)
