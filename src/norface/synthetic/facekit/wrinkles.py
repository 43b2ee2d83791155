"""Folds of the skin that come with age and with muscles at work, as darkness on the texture."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from norface.synthetic.facekit.atlas import Atlas
from norface.synthetic.facekit.raster import Floats
from norface.synthetic.factors import FaceFactors
from norface.synthetic.skin import smooth

# Fold -> action units that deepen it, with their shares at intensity 5.
_MUSCLES: dict[str, dict[int, float]] = {
    "forehead": {1: 0.7, 2: 0.7},
    "frown": {4: 0.9, 9: 0.3},
    "nose": {9: 1.0},
    "crow's feet": {6: 0.8, 12: 0.25, 7: 0.2},
    "under eye": {6: 0.6, 7: 0.7},
    "nasolabial": {12: 0.6, 10: 0.7, 9: 0.4, 6: 0.2},
    "chin": {17: 0.8, 15: 0.3},
}


_SLIGHT = 0.04  # of what would be a grey level


@dataclass(frozen=True)
class Folds:
    """The part of the texture that folds.

    Args:
        darkness: ``(2F, side, side)`` of the face's part of the texture, 0..1: every fold on the subject's right, then
            on its left.
    """

    darkness: Floats

    @classmethod
    def of(cls, atlas: Atlas) -> Folds:
        """Where the folds lie on a texture."""
        layers = np.stack([_fold(name, atlas) for name in _MUSCLES], axis=1)
        left = smooth(-0.8, 0.8, atlas.x)[:, None]
        texture = atlas.spread(np.concatenate([layers * (1.0 - left), layers * left], axis=1))[:, : atlas.side]
        return cls(np.ascontiguousarray(np.moveaxis(texture, -1, 0)))

    def light(self, factors: FaceFactors, age: float) -> Floats:
        """What of the light is left ``(side, side)`` in the folds of one expression."""
        strength = np.array(
            [
                min(sum(share * factors.side(au, sign) for au, share in muscles.items()), 1.0)
                for sign in (-1, 1)
                for muscles in _MUSCLES.values()
            ],
            np.float32,
        )
        left = np.ones(self.darkness.shape[1:], np.float32)
        for fold in np.flatnonzero(strength > _SLIGHT):
            left -= (np.float32(0.28 + 0.3 * age) * strength[fold]) * self.darkness[fold]
        return np.maximum(left, np.float32(0.35), out=left)


def resting_wrinkles(atlas: Atlas, age: float) -> Floats:
    """Darkness ``(n,)`` of the folds that stay when nothing moves."""
    if age <= 0.25:
        return np.zeros(atlas.texel.size, np.float32)
    shares = {"forehead": 0.5, "frown": 0.4, "crow's feet": 0.5, "under eye": 0.5, "nasolabial": 0.7}
    total = np.zeros(atlas.texel.size, np.float32)
    for name, share in shares.items():
        total += np.float32(share) * _fold(name, atlas)
    return np.asarray(np.float32(0.45 * (age - 0.25)) * total.clip(0.0, 1.0), np.float32)


def _fold(name: str, atlas: Atlas) -> Floats:
    x, y = np.abs(atlas.x), atlas.y
    front = (atlas.z > 2.0).astype(np.float32)
    return np.asarray(_COURSES[name](x, y) * front, np.float32)


def _line(x: Floats, y: Floats, points: list[tuple[float, float]], width: float) -> Floats:
    """A soft line along a course of points, in units of the resting mean face, fading at its ends."""
    best = np.full(x.shape, 1e3, np.float32)
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        dx, dy = x1 - x0, y1 - y0
        t = (((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy)).clip(0.0, 1.0)
        np.minimum(best, np.square(x - x0 - t * dx) + np.square(y - y0 - t * dy), out=best)
    return np.asarray(np.exp(best * np.float32(-0.5 / (width * width))), np.float32)


def _forehead(x: Floats, y: Floats) -> NDArray[np.floating]:
    courses = ((7.4, 2.6, 0.8), (8.2, 3.4, 1.0), (9.1, 2.2, 0.6))  # height, half width, depth
    wavy = np.asarray(y - 0.16 * np.cos(1.1 * x) - 0.05 * np.sin(2.7 * x), np.float32)
    return np.asarray(sum(depth * _line(x, wavy, [(0.0, h), (w, h + 0.1)], 0.17) for h, w, depth in courses))


def _frown(x: Floats, y: Floats) -> NDArray[np.floating]:
    return _line(x, y, [(0.7, 5.0), (0.85, 6.6)], 0.16) + 0.5 * _line(x, y, [(0.2, 4.3), (0.0, 4.4)], 0.18)


def _nose(x: Floats, y: Floats) -> NDArray[np.floating]:
    lines = [_line(x, y, [(0.0, h), (0.9, h - 0.25)], 0.13) for h in (4.3, 3.7, 3.1)]
    return np.asarray(sum(lines) + _line(x, y, [(0.9, 2.9), (1.5, 1.9)], 0.16))


def _crows_feet(x: Floats, y: Floats) -> NDArray[np.floating]:
    ends = ((6.6, 4.5), (6.8, 3.4), (6.5, 2.4))
    return np.asarray(sum(_line(x, y, [(5.1, 3.45 + 0.25 * (end[1] - 3.4)), end], 0.13) for end in ends))


def _under_eye(x: Floats, y: Floats) -> NDArray[np.floating]:
    return _line(x, y, [(1.9, 2.5), (2.8, 2.25), (3.8, 2.4), (4.6, 2.9)], 0.15)


def _nasolabial(x: Floats, y: Floats) -> NDArray[np.floating]:
    return _line(x, y, [(1.75, -0.2), (2.5, -1.5), (3.1, -2.7), (3.4, -3.8)], 0.20)


def _chin(x: Floats, y: Floats) -> NDArray[np.floating]:
    return _line(x, y, [(0.0, -5.0), (1.3, -5.3)], 0.22)


_COURSES = {
    "forehead": _forehead,
    "frown": _frown,
    "nose": _nose,
    "crow's feet": _crows_feet,
    "under eye": _under_eye,
    "nasolabial": _nasolabial,
    "chin": _chin,
}
