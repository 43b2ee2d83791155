"""Shadows and crevices, read off the depths that the camera sees."""

from __future__ import annotations

import cv2
import numpy as np

from norface.synthetic.facekit.raster import Floats

# Distances towards the light, in units, at which something may stand in its way.
_REACH = (0.45, 0.8, 1.3, 2.0, 3.0, 4.2, 6.0)
_BIAS, _SOFT = 0.12, 0.5
_HOLLOWS = ((0.45, 0.9), (1.3, 0.30))
"""Radius in units, and how much darker a hollow is per unit of its depth."""


def shadowed(depth: Floats, toward: Floats, pitch: float) -> Floats:
    """Where the light does not reach what the camera sees.

    The visible surface is taken as a height field, along which rays are followed to the light on a grid of half the
    size: what the camera cannot see throws no shadow.

    Args:
        depth: ``(S, S)`` towards the viewer, in units, -inf where there is nothing.
        toward: Unit vector to the light, camera axes.
        pitch: Units per pixel.

    Returns:
        ``(S, S)`` 0..1.
    """
    small = np.ascontiguousarray(depth[::2, ::2])
    nothing = ~np.isfinite(small)
    small = np.where(nothing, np.float32(-1e4), small)
    step = np.float32(0.5 / pitch)
    total = np.zeros_like(small)
    for distance in _REACH:
        shift = np.array([[1.0, 0.0, toward[0] * distance * step], [0.0, 1.0, -toward[1] * distance * step]])
        # Nearest: a mean of face and nothing would be neither.
        there = cv2.warpAffine(small, shift, small.shape[::-1], flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
                               borderMode=cv2.BORDER_CONSTANT, borderValue=-1e4)  # fmt: skip
        above = there - small - np.float32(toward[2] * distance + _BIAS)
        np.maximum(total, above, out=total)
    soft = (total / np.float32(_SOFT)).clip(0.0, 1.0)
    soft[nothing] = 0.0
    blurred = cv2.GaussianBlur(soft, (0, 0), max(0.25 * float(step), 0.6))
    return np.asarray(cv2.resize(blurred, depth.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def crevices(depth: Floats, pitch: float) -> Floats:
    """How much of the surroundings light each pixel, 0..1: less where the neighbourhood is nearer to the viewer.

    After Luft, Colditz & Deussen, "Image enhancement by unsharp masking the depth buffer", SIGGRAPH 2006.

    Args:
        depth, pitch: As of `shadowed`.
    """
    small = np.ascontiguousarray(depth[::2, ::2])
    there = np.isfinite(small)
    filled = np.where(there, small, np.float32(0.0))
    weight = there.astype(np.float32)
    total = np.ones_like(small)
    for radius, strength in _HOLLOWS:
        sigma = max(0.5 * radius / pitch, 0.5)
        mean = cv2.GaussianBlur(filled, (0, 0), sigma) / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-3)
        total -= np.float32(strength) * (mean - filled).clip(0.0, 1.2)
    total = np.where(there, total.clip(0.25, 1.0), np.float32(1.0))
    return np.asarray(cv2.resize(total, depth.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
