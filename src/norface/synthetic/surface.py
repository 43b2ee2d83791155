"""The displaced head as maps, and where rays meet it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from norface.synthetic.rig import FaceRig, bulges
from norface.synthetic.sphere import AXIS, DIRECTIONS, EXTENT, GRID, Floats, bumps, nodes, sample

_STEP = 2.0 * EXTENT / (GRID - 1)
JAW_DROP = 1.9
"""How far the chin sinks at full jaw drop."""


def jaw_share(y: Floats, z: Floats) -> Floats:
    """How much a point moves with the jaw, 0..1."""
    down = np.clip((-6.3 - y) / 3.2, 0.0, 1.0)
    forward = np.clip((z + 1.0) / 6.0, 0.0, 1.0)
    return np.asarray(down * down * (3.0 - 2.0 * down) * forward, np.float32)


def _drop_jaw(radius: Floats, jaw: float) -> Floats:
    """Radius map after the points of the jaw moved down and back; inverse warp by fixed-point iteration."""
    lower = slice(0, int(np.searchsorted(AXIS, -0.3)))  # nothing above the mouth moves
    direction = DIRECTIONS[:, lower]
    moved = radius[lower].copy()
    for _ in range(3):
        x, y, z = direction * moved
        share = jaw_share(y, z) * np.float32(jaw)
        y, z = y + np.float32(JAW_DROP) * share, z + np.float32(0.5) * share
        length = np.sqrt(x * x + y * y + z * z)
        column, row = nodes(x, y, z, length)
        source = cv2.remap(radius, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        moved = moved * source / length
    out = radius.copy()
    out[lower] = moved
    return out


@dataclass(frozen=True)
class Surface:
    """One displaced head.

    Args:
        radius: ``(GRID, GRID)`` with hair.
        attributes: ``(GRID, GRID, 4)``: gradient of the radius along map x and y, ambient occlusion 0..1, hair 0..1.
    """

    radius: Floats
    attributes: Floats

    @classmethod
    def build(cls, skull: Floats, hair: tuple[Floats, Floats], face: FaceRig) -> Surface:
        """Displace a resting head.

        Args:
            skull: Radius map at rest.
            hair: Thickness in centimetres and cover 0..1, each ``(GRID, GRID)``.
            face: The rig.
        """
        radius = skull + bumps(bulges(face))
        if face.jaw > 0.0:
            radius = _drop_jaw(radius, face.jaw)
        thickness, cover = hair
        radius = radius + thickness
        smooth = cv2.blur(cv2.blur(radius, (13, 13)), (13, 13))
        near = cv2.blur(radius, (5, 5))
        hollow = np.maximum(smooth - radius, 0.0) * 0.75 + np.maximum(near - radius, 0.0) * 1.1
        attributes = np.empty((GRID, GRID, 4), np.float32)
        attributes[..., 0] = cv2.Sobel(radius, cv2.CV_32F, 1, 0, scale=1.0 / (8.0 * _STEP))
        attributes[..., 1] = cv2.Sobel(radius, cv2.CV_32F, 0, 1, scale=1.0 / (8.0 * _STEP))
        attributes[..., 2] = 1.0 / (1.0 + hollow * 1.8)
        attributes[..., 3] = cover
        return cls(radius, attributes)

    def depth(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> Floats:
        """Height z of the front of the head above ``(x, y)``, each ``(N,)``; 0 where there is none."""
        u, v = np.asarray(x, np.float32), np.asarray(y, np.float32)
        z = np.full(u.size, 9.0, np.float32)
        for _ in range(8):
            length = np.sqrt(u * u + v * v + z * z)
            radius = sample(self.radius, *nodes(u, v, z, length))
            z = np.sqrt(np.maximum(radius * radius - u * u - v * v, 0.0))
        return z


@dataclass(frozen=True)
class Hits:
    """Rays that meet the head or pass it within a pixel, N of them.

    Args:
        index: Pixels, ``(N,)``.
        point: Head coordinates ``(3, N)``.
        depth: Camera z of the points.
        coverage: Share of the pixel that the head covers.
        normal: Outward unit normals in head coordinates ``(3, N)``.
        occlusion, hair: Sampled attributes ``(N,)``.
        nodes: Map column and row ``(2, N)``.
    """

    index: NDArray[np.int64]
    point: Floats
    depth: Floats
    coverage: Floats
    normal: Floats
    occlusion: Floats
    hair: Floats
    nodes: Floats


_ROUNDS = (4, 4, 4, 4, 6)
"""Steps of the march; after each round only rays that are still outside go on."""

_REFINE = 3


def march(surface: Surface, origin: Floats, toward: NDArray[np.floating], pitch: float) -> Hits:
    """First hits of parallel rays, seen from the front.

    Args:
        surface: The head.
        origin: Head coordinates ``(3, P)`` of the pixels, in the plane through the centre that faces the camera.
        toward: Unit vector ``(3,)`` to the camera, in head coordinates.
        pitch: Centimetres per pixel, for antialiasing the silhouette.
    """
    limit = float(surface.radius.max()) + 0.3
    square = (origin * origin).sum(0)
    index = np.flatnonzero(square < limit * limit)
    start, w = origin[:, index], toward.astype(np.float32)
    begin = np.sqrt(np.maximum(limit * limit - square[index], 0.0)).astype(np.float32)
    nearest, missed_by = begin.copy(), np.full_like(begin, 1e3)
    active, rays, t = np.arange(index.size), start, np.stack([begin + np.float32(1.0), begin])
    gap = np.ones(index.size, np.float32)
    for steps in _ROUNDS:
        # Row 0 is the last place outside that the previous round reached.
        places, gaps = np.empty((2, steps + 2, active.size), np.float32)
        places[:2], gaps[0] = t, gap
        for step in range(1, steps + 1):
            gaps[step] = _gap(surface, rays, places[step], w)
            # The constant keeps rays that graze the face from crawling, and takes the others through the surface.
            places[step + 1] = places[step] - np.float32(0.85) * gaps[step] - np.float32(0.06)
        inside = gaps[1:-1] <= 0.0
        crossed = inside.any(0)
        hit = np.flatnonzero(crossed)
        first = inside.argmax(0)[hit] + 1
        bracket = np.stack([places[first - 1, hit], gaps[first - 1, hit], places[first, hit], gaps[first, hit]])
        nearest[active[hit]] = _refined(surface, rays[:, hit], bracket, w)
        missed_by[active[hit]] = 0.0
        free = np.flatnonzero(~crossed)
        closest = gaps[1:-1, free].argmin(0) + 1
        closer = np.flatnonzero(gaps[closest, free] < missed_by[active[free]])
        rows, columns = closest[closer], free[closer]
        nearest[active[columns]], missed_by[active[columns]] = places[rows, columns], gaps[rows, columns]
        going = free[places[-1, free] > -limit]
        active, rays, t, gap = active[going], rays[:, going], places[-2:, going], gaps[-2, going]
    keep = np.flatnonzero(missed_by < pitch)
    return _attributes(surface, index[keep], start[:, keep], nearest[keep], missed_by[keep], w, pitch)


def _gap(surface: Surface, rays: Floats, t: Floats, w: Floats) -> Floats:
    """How far points ``rays + t w`` lie outside the surface, along the radius."""
    x, y, z = rays + t * w[:, None]
    length = np.sqrt(x * x + y * y + z * z)
    return np.asarray(length - sample(surface.radius, *nodes(x, y, z, length)), np.float32)


def _refined(surface: Surface, rays: Floats, bracket: Floats, w: Floats) -> Floats:
    """Where rays cross the surface, between a place outside and one inside: regula falsi."""
    out, out_gap, inn, inn_gap = bracket
    t = out
    for _ in range(_REFINE):
        t = out + (inn - out) * (out_gap / np.maximum(out_gap - inn_gap, np.float32(1e-6)))
        gap = _gap(surface, rays, t, w)
        outer = gap > 0.0
        out, out_gap = np.where(outer, t, out), np.where(outer, gap, out_gap)
        inn, inn_gap = np.where(outer, inn, t), np.where(outer, inn_gap, gap)
    return np.asarray(t, np.float32)


def _attributes(
    surface: Surface, index: NDArray[np.int64], start: Floats, t: Floats, gap: Floats, w: Floats, pitch: float
) -> Hits:
    point = start + t * w[:, None]
    length = np.sqrt((point * point).sum(0))
    at = nodes(point[0], point[1], point[2], length)
    values = sample(surface.attributes, *at)
    d = point / length
    k = np.sqrt(2.0 / np.maximum(1.0 + d[2], 1e-3))
    bend = k / (2.0 * np.maximum(1.0 + d[2], 1e-3))
    slope_x, slope_y = values[:, 0], values[:, 1]
    gradient = np.stack([slope_x * k, slope_y * k, -bend * (slope_x * d[0] + slope_y * d[1])])
    gradient -= (gradient * d).sum(0) * d
    normal = d - gradient / length
    normal /= np.sqrt((normal * normal).sum(0))
    coverage = np.clip(1.0 - gap / np.float32(pitch), 0.0, 1.0)
    return Hits(
        index=index,
        point=point.astype(np.float32),
        depth=t,
        coverage=np.asarray(coverage, np.float32),
        normal=normal.astype(np.float32),
        occlusion=values[:, 2],
        hair=values[:, 3],
        nodes=np.stack(at),
    )
