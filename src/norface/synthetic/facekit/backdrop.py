"""What is behind the head: as of the procedural faces, or things out of focus."""

from __future__ import annotations

import cv2
import numpy as np

from norface.synthetic.body import draw_background
from norface.synthetic.camera import Matrix, pixel_plane
from norface.synthetic.facekit.raster import Floats
from norface.synthetic.factors import Background

CLUTTER = "clutter"
"""Kind of `Background` that only these faces have: rectangles, discs and bars in shades around its two colours."""

_SMOOTH, _BUSY = 32, 96  # sides at which backgrounds are drawn before they are enlarged
_THINGS = (6, 22)


def draw_backdrop(background: Background, frame: Matrix, size: int, fine: int) -> Floats:
    """Linear light ``(fine, fine, 3)``.

    Args:
        background: What.
        frame: ``(2, 3)`` similarity from the camera's units to pixels of a picture of side `size`.
        size: Side of the picture.
        fine: Side at which it is computed.
    """
    if background.kind == CLUTTER:
        coarse = _clutter(background)
    else:
        factor = _SMOOTH / size
        scaled = frame * factor
        scaled[:, 2] += 0.5 * factor - 0.5  # pixel centres
        plane = np.stack(pixel_plane(scaled, _SMOOTH))
        coarse = draw_background(background, plane).reshape(_SMOOTH, _SMOOTH, 3)
    return np.asarray(cv2.resize(coarse, (fine, fine), interpolation=cv2.INTER_LINEAR), np.float32)


def _clutter(background: Background) -> Floats:
    rng = np.random.default_rng(background.seed)
    first, second = (np.array(colour, np.float32) for colour in (background.first, background.second))
    canvas = np.tile(first, (_BUSY, _BUSY, 1)).astype(np.float32)
    for _ in range(int(rng.integers(*_THINGS))):
        shade = first + np.float32(rng.random()) * (second - first) + rng.normal(0.0, 0.16, 3).astype(np.float32)
        colour = tuple(float(value) for value in shade.clip(0.0, 1.0))
        x, y = (int(value) for value in rng.integers(-10, _BUSY + 10, 2))
        width, height = (int(value) for value in rng.integers(4, _BUSY // 2, 2))
        kind = int(rng.integers(3))
        if kind == 0:
            cv2.rectangle(canvas, (x, y), (x + width, y + height), colour, -1)
        elif kind == 1:
            cv2.ellipse(canvas, (x, y), (width // 2, height // 2), float(rng.uniform(0.0, 180.0)), 0, 360, colour, -1)
        else:
            end = (x + int(rng.integers(-_BUSY, _BUSY)), y + int(rng.integers(-_BUSY, _BUSY)))
            cv2.line(canvas, (x, y), end, colour, int(rng.integers(1, 8)))
    blurred = cv2.GaussianBlur(canvas, (0, 0), float(rng.choice([0.6, 1.5, 3.0, 6.0])))
    return np.asarray(np.square(blurred), np.float32)
