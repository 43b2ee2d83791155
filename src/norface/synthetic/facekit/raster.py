"""A z-buffer rasteriser: which triangle does each pixel see, and where on it? All triangles at once, in numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Index = NDArray[np.intp]

_INDEX_BITS = 24
_DEPTH_STEPS = 2.0**30
_FLAT = 1e-7  # twice the area in pixels of a triangle that is seen edge on


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

    def interpolate(self, corners: Index, values: Floats) -> Floats:
        """Values ``(C, N)`` of vertices -> ``(C, P)``; `corners` ``(3, T)`` are the triangles' vertices."""
        at = corners[:, self.triangle]
        return self._weighted([values[:, at[k]] for k in range(3)])

    def interpolate_corners(self, values: Floats) -> Floats:
        """Values ``(C, 3, T)`` of the triangles' corners -> ``(C, P)``: for what jumps at seams, such as uv."""
        return self._weighted([values[:, k, self.triangle] for k in range(3)])

    def _weighted(self, corners: list[Floats]) -> Floats:
        total = corners[0]  # fresh from an index: ours to change
        total *= self.weights[0]
        for k in (1, 2):
            corners[k] *= self.weights[k]
            total += corners[k]
        return total

    def only(self, index: Index) -> Fragments:
        """Some of the pixels."""
        return Fragments(self.pixel[index], self.triangle[index], self.weights[:, index], self.depth[index])


def rasterise(points: Floats, triangles: Index, side: int, *, one_sided: int = 0) -> Fragments:
    """The nearest triangle of every pixel that any triangle covers.

    Pixel centres lie at whole numbers.

    Args:
        points: ``(3, N)``: column and row in pixels, depth towards the viewer.
        triangles: ``(3, T)`` indices of points.
        side: Of the square picture.
        one_sided: So many triangles, from the first on, are only seen where they turn their front, counter-clockwise
            from outside, to the viewer.
    """
    x, y, z = points
    (ax, bx, cx), (ay, by, cy) = x[triangles], y[triangles]
    # Rows grow downwards: what is counter-clockwise in the world has a negative area here.
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    shown = area < -_FLAT
    shown[one_sided:] |= area[one_sided:] > _FLAT
    front = np.flatnonzero(shown)
    ax, bx, cx, ay, by, cy = (values[front] for values in (ax, bx, cx, ay, by, cy))
    left, top = (np.ceil(np.minimum(np.minimum(a, b), c)) for a, b, c in ((ax, bx, cx), (ay, by, cy)))
    right, bottom = (np.floor(np.maximum(np.maximum(a, b), c)) for a, b, c in ((ax, bx, cx), (ay, by, cy)))
    np.maximum(left, 0.0, out=left)
    np.maximum(top, 0.0, out=top)
    np.minimum(right, side - 1.0, out=right)
    np.minimum(bottom, side - 1.0, out=bottom)
    # Most triangles of a dense mesh lie between pixel centres.
    covering = np.flatnonzero((left <= right) & (top <= bottom))
    kept = front[covering]
    if kept.size == 0:
        nothing = np.zeros(0, np.intp)
        return Fragments(nothing, nothing, np.zeros((3, 0), np.float32), np.zeros(0, np.float32))
    ax, bx, cx, ay, by, cy, left, top, right, bottom = (
        values[covering] for values in (ax, bx, cx, ay, by, cy, left, top, right, bottom)
    )
    abx, aby, acx, acy = bx - ax, by - ay, cx - ax, cy - ay
    inverse = np.float32(1.0) / area[kept]
    width = (right - left + 1.0).astype(np.int32)
    counts = width * (bottom - top + 1.0).astype(np.int32)
    of = np.repeat(np.arange(kept.size), counts)
    within = np.arange(of.size, dtype=np.int32) - (np.cumsum(counts, dtype=np.int32) - counts)[of]
    widths = width[of]
    line = within // widths
    column = (within - line * widths).astype(np.float32) + (left - ax)[of]
    row = line.astype(np.float32) + (top - ay)[of]
    second = (acy * inverse)[of] * column
    second -= (acx * inverse)[of] * row
    third = (abx * inverse)[of] * row
    third -= (aby * inverse)[of] * column
    inside = np.flatnonzero((second >= 0.0) & (third >= 0.0) & (second + third <= 1.0))
    of, second, third = of[inside], second[inside], third[inside]
    az, bz, cz = z[triangles[:, kept]]
    depth = az[of] + second * (bz - az)[of] + third * (cz - az)[of]
    pixel = (line[inside] + top.astype(np.int32)[of]) * np.int32(side)
    pixel += (within - line * widths)[inside] + left.astype(np.int32)[of]
    winner = _nearest(pixel, depth, side * side)
    second, third = second[winner], third[winner]
    weights = np.stack([np.float32(1.0) - second - third, second, third])
    return Fragments(pixel[winner].astype(np.intp), kept[of[winner]], weights, depth[winner])


def _nearest(pixel: NDArray[np.int32], depth: Floats, count: int) -> Index:
    """Indices of the nearest candidates, one per pixel that has any, in the order of pixels."""
    if pixel.size == 0:
        return np.zeros(0, np.intp)
    low, high = float(depth.min()), float(depth.max())
    steps = ((depth - np.float32(low)) * np.float32(_DEPTH_STEPS / max(high - low, 1e-6))).astype(np.int64)
    key = (steps << _INDEX_BITS) | np.arange(pixel.size, dtype=np.int64)
    buffer = np.full(count, -1, np.int64)
    np.maximum.at(buffer, pixel.astype(np.intp), key)
    hit = buffer[buffer >= 0]
    return np.asarray(hit & ((1 << _INDEX_BITS) - 1), np.intp)
