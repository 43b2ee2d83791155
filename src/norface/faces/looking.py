"""How a detector looks at a picture of any size: reduced, and a second time where that is not enough.

Detectors are trained on faces up to a few hundred pixels, with something around them. A face that fills a large
photograph, or an image that somebody cropped tightly, is found badly or not at all unless it is made smaller and given
a border.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from norface.faces.contract import Box, Detection
from norface.imaging.pixels import Pixels

LONGEST = 640
"""Pictures are reduced to this side before they are looked at; smaller ones are not enlarged."""

SECOND_LONGEST = 320
"""Likewise for the second look, which happens where no face is found, or one larger than `LARGEST_FACE`."""

LARGEST_FACE = 400.0
"""In pixels of the reduced picture."""

BORDER = 0.25
"""Black border around the picture for the second look, as a share of its longer side."""

STRIDE = 32

LOOKING: dict[str, object] = {
    "longest_side": LONGEST,
    "second_look_side": SECOND_LONGEST,
    "second_look_border": BORDER,
    "second_look_above": LARGEST_FACE,
}
"""For `Detector.describe`."""


def look(find: Callable[[Pixels], list[Detection]], pixels: Pixels) -> list[Detection]:
    """Faces of a picture, whatever its size.

    Args:
        find: Finds faces in a picture whose sides are multiples of 32, at most `LONGEST`; in pixels of that picture.
        pixels: uint8 RGB ``(H, W, 3)``.

    Returns:
        Detections in pixels of `pixels`; those that are empty or not finite are left out.
    """
    longest = max(pixels.shape[:2])
    scale = min(1.0, LONGEST / longest)
    first = _look_once(find, pixels, scale, border=0.0)
    small = [face for face in first if max(face.box.width, face.box.height) * scale <= LARGEST_FACE]
    if small and len(small) == len(first):
        return first
    second = _look_once(find, pixels, min(1.0, SECOND_LONGEST / longest), border=BORDER)
    if not second:
        return first
    return second + [face for face in small if all(overlap(face.box, other.box) < 0.3 for other in second)]


def overlap(one: Box, other: Box) -> float:
    """Intersection over union, 0..1."""
    width = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    height = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    shared = max(width, 0.0) * max(height, 0.0)
    union = one.width * one.height + other.width * other.height - shared
    return shared / union if union > 0 else 0.0


def _look_once(
    find: Callable[[Pixels], list[Detection]], pixels: Pixels, scale: float, *, border: float
) -> list[Detection]:
    size = np.maximum(1, np.round(np.array(pixels.shape[1::-1]) * scale)).astype(int)
    reduced = pixels
    if tuple(size) != pixels.shape[1::-1]:
        reduced = np.asarray(cv2.resize(pixels, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA), np.uint8)
    offset = int(border * size.max())
    width, height = (-(-(int(side) + 2 * offset) // STRIDE) * STRIDE for side in size)
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[offset : offset + size[1], offset : offset + size[0]] = reduced
    # Sides are rounded to whole pixels, so each axis has a scale of its own.
    scales = size / np.array(pixels.shape[1::-1])
    faces = [_in_picture(face, scales, offset) for face in find(canvas)]
    picture = Box(0.0, 0.0, pixels.shape[1], pixels.shape[0])
    return [face for face in faces if _is_whole(face) and overlap(face.box, picture) > 0.0]


def _in_picture(face: Detection, scales: np.ndarray, offset: int) -> Detection:
    box = Box(
        (face.box.left - offset) / scales[0],
        (face.box.top - offset) / scales[1],
        face.box.width / scales[0],
        face.box.height / scales[1],
    )
    # Landmarks count from the centre of the first pixel, boxes from its edge.
    points = None if face.points is None else (face.points - offset + 0.5) / scales - 0.5
    return Detection(Box(*map(float, box)), points, face.score)


def _is_whole(face: Detection) -> bool:
    numbers = np.array(face.box) if face.points is None else np.append(face.points.ravel(), face.box)
    return bool(np.isfinite(numbers).all() and np.isfinite(face.score) and face.box.width > 0 and face.box.height > 0)
