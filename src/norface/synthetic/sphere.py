"""The map on which a head is stored: radius as a function of direction, in Lambert's azimuthal equal-area projection.

A star-shaped surface ``|p| = r(p / |p|)`` needs no mesh: rays are marched against the map and normals follow from its
gradient. Lambert's projection (Snyder, "Map Projections: A Working Manual", 1987, section 24) centred on the face has
no pole where anyone looks and needs no trigonometry. Axes: +x the subject's left, +y up, +z out of the face; in
centimetres.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

GRID = 168
"""Nodes along each side of a map."""

EXTENT = 1.96
"""Half the side of the map; the direction backwards would lie at 2."""

_SCALE = (GRID - 1) / (2.0 * EXTENT)

AXIS: Floats = np.linspace(-EXTENT, EXTENT, GRID, dtype=np.float32)


def _directions() -> Floats:
    x, y = np.meshgrid(AXIS, AXIS)
    radius = np.sqrt(x * x + y * y)
    shrink = np.minimum(1.0, 1.97 / np.maximum(radius, 1e-6))
    x, y = x * shrink, y * shrink
    square = x * x + y * y
    k = np.sqrt(1.0 - square / 4.0)
    return np.stack([x * k, y * k, 1.0 - square / 2.0]).astype(np.float32)


DIRECTIONS: Floats = _directions()
"""Unit vectors ``(3, GRID, GRID)`` of the nodes."""


def project(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Map coordinates ``(N, 2)`` of the directions of points ``(N, 3)``."""
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    scale = np.sqrt(2.0 / np.maximum(1.0 + unit[:, 2], 1e-3))
    return np.asarray(unit[:, :2] * scale[:, None], np.float64)


def nodes(x: Floats, y: Floats, z: Floats, radius: Floats) -> tuple[Floats, Floats]:
    """Fractional node indices (column, row) of points whose distance from the centre is `radius`."""
    k = np.sqrt(2.0 / np.maximum(radius * (radius + z), 1e-3)) * np.float32(_SCALE)
    centre = np.float32(EXTENT * _SCALE)
    return x * k + centre, y * k + centre


def sample(maps: Floats, column: Floats, row: Floats) -> Floats:
    """Bilinear samples of ``(GRID, GRID)`` or ``(GRID, GRID, C)`` maps at N nodes: ``(N,)`` or ``(N, C)``."""
    # cv2.remap takes at most 32767 columns: fold long lists.
    count = column.size
    if count == 0:
        return np.empty((0, *maps.shape[2:]), np.float32)
    width = min(count, 1024)
    pad = (-count) % width
    if pad:
        column, row = np.append(column, column[:pad]), np.append(row, row[:pad])
    sampled = cv2.remap(
        maps, column.reshape(-1, width), row.reshape(-1, width), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    flat = sampled.reshape(-1, *maps.shape[2:])
    return np.asarray(flat[:count], np.float32)


def bumps(rows: NDArray[np.floating]) -> Floats:
    """Sum of smooth bumps, as one matrix product.

    Args:
        rows: ``(K, 5)``: height, map x, map y, width along x, width along y (standard deviations).

    Returns:
        ``(GRID, GRID)``.
    """
    table = np.asarray(rows, np.float32)
    along_x = np.exp(-0.5 * np.square((AXIS[None] - table[:, 1:2]) / table[:, 3:4]))
    along_y = np.exp(-0.5 * np.square((AXIS[None] - table[:, 2:3]) / table[:, 4:5]))
    return np.asarray((along_y * table[:, 0:1]).T @ along_x, np.float32)


def bump_rows(points: NDArray[np.floating], heights: NDArray[np.floating], widths: NDArray[np.floating]) -> Floats:
    """Rows for `bumps` from 3D points ``(K, 3)``, heights ``(K,)`` and widths ``(K, 2)``, all in centimetres."""
    centres = project(points)
    distance = np.linalg.norm(points, axis=1, keepdims=True)
    return np.column_stack([heights, centres, widths / distance]).astype(np.float32)
