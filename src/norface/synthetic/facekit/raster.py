"""A z-buffer rasteriser: which triangle does each pixel see, and where on it? All triangles at once, in numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Index = NDArray[np.intp]

_INDEX_BITS = 24
_DEPTH_STEPS = 2.0**36


@dataclass(frozen=True)
class Fragments:
    """What P pixels see.

    Args:
        pixel: ``(P,)`` row-major index of the pixel, ascending.
        triangle: ``(P,)`` index of the nearest triangle there.
        weights: ``(3, P)`` barycentric coordinates of the pixel's centre; they sum to 1.
        depth: ``(P,)`` towards the viewer.
    """

    pixel: Index
    triangle: Index
    weights: Floats
    depth: Floats

    def interpolate(self, corners: NDArray[np.integer], values: Floats) -> Floats:
        """Values ``(N, C)`` of vertices -> ``(P, C)``; `corners` ``(T, 3)`` are the triangles' vertices."""
        at = corners[self.triangle]
        total = values[at[:, 0]] * self.weights[0][:, None]
        total += values[at[:, 1]] * self.weights[1][:, None]
        total += values[at[:, 2]] * self.weights[2][:, None]
        return np.asarray(total, np.float32)

    def interpolate_corners(self, values: Floats) -> Floats:
        """Values ``(T, 3, C)`` of the triangles' corners -> ``(P, C)``: for what jumps at seams, such as uv."""
        at = values[self.triangle]
        total = at[:, 0] * self.weights[0][:, None]
        total += at[:, 1] * self.weights[1][:, None]
        total += at[:, 2] * self.weights[2][:, None]
        return np.asarray(total, np.float32)


def facing(points: Floats, triangles: NDArray[np.integer]) -> NDArray[np.bool_]:
    """``(T,)``: does a triangle, counter-clockwise from outside, turn its front to the viewer?"""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    # Rows grow downwards, so what is counter-clockwise in the world is clockwise here.
    return np.asarray((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) < (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1]))


def rasterise(points: Floats, triangles: NDArray[np.integer], side: int) -> Fragments:
    """The nearest triangle of every pixel that any triangle covers.

    Pixel centres lie at whole numbers; either side of a triangle is seen (sort the backs out with `facing`).

    Args:
        points: ``(N, 3)``: column and row in pixels, depth towards the viewer.
        triangles: ``(T, 3)`` indices of points.
        side: Of the square picture.
    """
    a, b, c = (points[triangles[:, k]] for k in range(3))
    low = np.ceil(np.minimum(np.minimum(a[:, :2], b[:, :2]), c[:, :2])).clip(0, side).astype(np.int32)
    high = np.floor(np.maximum(np.maximum(a[:, :2], b[:, :2]), c[:, :2])).clip(-1, side - 1).astype(np.int32)
    extent = high - low + 1
    ab, ac = b - a, c - a
    double_area = ab[:, 0] * ac[:, 1] - ac[:, 0] * ab[:, 1]
    # Most triangles of a dense mesh lie between pixel centres.
    kept = np.flatnonzero((extent[:, 0] > 0) & (extent[:, 1] > 0) & (np.abs(double_area) > 1e-9))
    if kept.size == 0:
        nothing = np.zeros(0, np.intp)
        return Fragments(nothing, nothing, np.zeros((3, 0), np.float32), np.zeros(0, np.float32))
    low, extent, a, ab, ac = low[kept], extent[kept], a[kept], ab[kept], ac[kept]
    inverse = (1.0 / double_area[kept]).astype(np.float32)
    counts = extent[:, 0] * extent[:, 1]
    of = np.repeat(np.arange(kept.size, dtype=np.int32), counts)
    within = np.arange(of.size, dtype=np.int32) - np.repeat((np.cumsum(counts) - counts).astype(np.int32), counts)
    width = extent[of, 0]
    row = within // width
    column = within - row * width
    column += low[of, 0]
    row += low[of, 1]
    right, down = column - a[of, 0], row - a[of, 1]
    second = (ac[:, 1] * inverse)[of] * right - (ac[:, 0] * inverse)[of] * down
    third = (ab[:, 0] * inverse)[of] * down - (ab[:, 1] * inverse)[of] * right
    inside = np.flatnonzero((second >= 0.0) & (third >= 0.0) & (second + third <= 1.0))
    of, second, third = of[inside], second[inside], third[inside]
    depth = a[of, 2] + second * ab[of, 2] + third * ac[of, 2]
    pixel = row[inside].astype(np.intp) * side + column[inside]
    winner = _nearest(pixel, depth, side * side)
    second, third = second[winner], third[winner]
    weights = np.stack([1.0 - second - third, second, third]).astype(np.float32)
    return Fragments(pixel[winner], kept[of[winner]], weights, depth[winner])


def _nearest(pixel: Index, depth: Floats, count: int) -> Index:
    """Indices of the nearest candidates, one per pixel that has any, in the order of pixels."""
    if pixel.size == 0:
        return np.zeros(0, np.intp)
    low, high = float(depth.min()), float(depth.max())
    steps = ((depth - low).astype(np.float64) * (_DEPTH_STEPS / max(high - low, 1e-6))).astype(np.int64)
    key = (steps << _INDEX_BITS) | np.arange(pixel.size, dtype=np.int64)
    buffer = np.full(count, -1, np.int64)
    np.maximum.at(buffer, pixel, key)
    hit = buffer[buffer >= 0]
    return np.asarray(hit & ((1 << _INDEX_BITS) - 1), np.intp)
