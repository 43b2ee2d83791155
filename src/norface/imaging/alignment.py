"""Five-point alignment: a least-squares similarity to one documented template.

The template is ArcFace's (Deng et al. 2019, https://github.com/deepinsight/insightface), given for a 112 x 112 crop.
It cuts the chin off, where jaw drop and chin raiser happen, so the crop is enlarged a little and moved down.
Pixel coordinates are (x, y) with the origin at the centre of the top-left pixel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from norface.errors import AlignmentError
from norface.imaging.pixels import Pixels

Points = NDArray[np.float64]

ARCFACE_112: Points = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Right eye, left eye, nose, right and left mouth corner (the subject's right first) in a 112 x 112 crop."""

FIVE_POINTS = "arcface-5"
"""The frame of crops that norface makes from five points."""

BOX = "box"
"""The frame of crops that norface makes from face boxes, where no landmarks are known."""

LARGEST = 8000
"""Side in pixels that a crop may have at most: as many pixels as an image."""

_MIN_FIT = 0.25  # a profile reaches 0.5, swapped sides 0.05
_MIN_BREADTH = 0.02


@dataclass(frozen=True)
class Alignment:
    """How faces were cropped; images with different alignments never mix.

    Args:
        size: Side of the square crop in pixels.
        margin: Border added on each side of ArcFace's crop, as a share of that crop's side; of the box where crops are
            made from boxes.
        drop: How far the crop is moved down, likewise.
        frame: What the crop is fixed to: ``arcface-5`` five landmarks, ``box`` a face box; any other name stands for
            crops that somebody else made, such as ``rafdb-aligned``.
    """

    size: int = 64
    margin: float = 0.05
    drop: float = 0.1
    frame: str = FIVE_POINTS

    def template(self) -> Points:
        """The five points ``(5, 2)`` in pixels of this crop.

        Raises:
            AlignmentError: The crops are not made from five points, so nobody knows where these are.
        """
        if self.frame != FIVE_POINTS:
            raise AlignmentError(
                expected=f"crops of the frame {FIVE_POINTS!r}, where the five landmarks have known places",
                found=f"crops of the frame {self.frame!r}",
                where="alignment",
                action="Prepare the data set from its original images with a detector that finds landmarks.",
            )
        scale = self.size / (112.0 * (1.0 + 2.0 * self.margin))
        border = 112.0 * np.array([self.margin, self.margin - self.drop])
        return (ARCFACE_112 + 0.5 + border) * scale - 0.5

    def describe(self) -> dict[str, float | int | str]:
        """Plain data for tables, checkpoints and caches."""
        return {"template": self.frame, "size": self.size, "margin": self.margin, "drop": self.drop}

    @classmethod
    def parse(cls, described: Mapping[str, object], *, where: str) -> Self:
        """The alignment that `describe` described; without ``template`` it is ArcFace's.

        Args:
            described: Plain data, as read from a file.
            where: The file, for the message.

        Raises:
            AlignmentError: A part is missing or of another type.
        """
        size, frame = described.get("size"), described.get("template", FIVE_POINTS) or None
        numbers = [share for name in ("margin", "drop") if (share := _number(described.get(name))) is not None]
        if type(size) is not int or not 1 <= size <= LARGEST or not isinstance(frame, str) or len(numbers) < 2:
            raise AlignmentError(
                expected='an alignment {"template": "arcface-5", "size": ..., "margin": ..., "drop": ...}',
                found=str(dict(described)),
                where=where,
                action="Correct the alignment.",
            )
        return cls(size, numbers[0], numbers[1], frame)


def _number(value: object) -> float | None:
    """A finite number as it is written in JSON, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e6:
        return None
    return float(value) if math.isfinite(value) else None


def similarity(source: Points, destination: Points) -> Points:
    """Least-squares similarity (rotation, uniform scale, translation) that maps `source` onto `destination`.

    Closed form of Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    PAMI 1991, eq. 40-42, without reflection.

    Args:
        source, destination: ``(N, 2)`` points, N >= 2.

    Returns:
        ``(2, 3)`` matrix M with ``destination = M[:, :2] @ source + M[:, 2]``.

    Raises:
        AlignmentError: The source points coincide or are not finite.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # told below
        mean_s, mean_d = source.mean(0), destination.mean(0)
        centred_s, centred_d = source - mean_s, destination - mean_d
        variance = float((centred_s**2).sum())
    if not np.isfinite(source).all() or not 1.0 <= variance < np.inf:
        raise _degenerate("five distinct, finite landmarks", source)
    # In two dimensions the optimal rotation has a closed form: no SVD, and never a reflection.
    a = float((centred_s * centred_d).sum()) / variance
    b = float((centred_s[:, 0] * centred_d[:, 1] - centred_s[:, 1] * centred_d[:, 0]).sum()) / variance
    matrix = np.array([[a, -b], [b, a]])
    return np.column_stack([matrix, mean_d - matrix @ mean_s])


def place(landmarks: Points, alignment: Alignment) -> Points:
    """The ``(2, 3)`` similarity from pixels of an image to pixels of the crop, by a face's five landmarks.

    Args:
        landmarks: ``(5, 2)``.
        alignment: Size, margin and drop of the crop.

    Raises:
        AlignmentError: The landmarks are no face's (they coincide, lie on a line, are mirrored or not finite), or
            `alignment` is of another frame.
    """
    template = alignment.template()
    matrix = similarity(landmarks, template)
    centred = landmarks - landmarks.mean(0)
    long, short = np.linalg.svd(centred, compute_uv=False)
    if short < _MIN_BREADTH * long:
        raise _degenerate("five landmarks that do not lie on one line", landmarks)
    spread = float(((template - template.mean(0)) ** 2).sum())
    fit = float(np.linalg.det(matrix[:, :2]) * (centred**2).sum()) / spread  # R² of the least squares
    if fit < _MIN_FIT:
        expected = "right eye, left eye, nose, right and left corner of the mouth (the subject's own right first)"
        raise _degenerate(expected, landmarks)
    return matrix


def place_box(box: tuple[float, float, float, float], alignment: Alignment) -> Points:
    """The ``(2, 3)`` matrix from pixels of an image to pixels of the crop, by a box: a square around its centre.

    The square's side is the longer one of the box, so nothing is stretched and nothing inside the box is lost.

    Args:
        box: left, top, width, height; (0, 0, width, height) is the whole image.
        alignment: Size, margin and drop of the crop, the latter two as shares of the square's side.

    Raises:
        AlignmentError: The box is empty or not finite.
    """
    left, top, width, height = box
    if not (np.isfinite(box).all() and width > 0 and height > 0):
        raise _degenerate("a box of positive width and height", np.array(box))
    side = max(width, height)
    scale = alignment.size / (side * (1.0 + 2.0 * alignment.margin))
    half = side * (0.5 + alignment.margin)
    x, y = left + width / 2 - half, top + height / 2 + side * alignment.drop - half  # the corner of the square
    return np.array([[scale, 0.0, (0.5 - x) * scale - 0.5], [0.0, scale, (0.5 - y) * scale - 0.5]])


def invert(matrix: Points) -> Points:
    """Exact inverse of a ``(2, 3)`` similarity."""
    (a, b, x), (c, d, y) = matrix.tolist()  # in closed form: numpy's own takes ten times as long
    determinant = a * d - b * c
    inverse: Points = np.array([[d, -b, b * y - d * x], [-c, a, c * x - a * y]]) / determinant
    return inverse


def transform(matrix: Points, points: Points) -> Points:
    """Apply a ``(2, 3)`` matrix to ``(N, 2)`` points."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def align(pixels: Pixels, landmarks: Points, alignment: Alignment) -> Pixels:
    """Crop a face so that its landmarks fall on the template.

    Args:
        pixels: uint8 RGB ``(H, W, 3)``.
        landmarks: ``(5, 2)`` in pixels of `pixels`.
        alignment: Size and margin of the crop.

    Returns:
        uint8 RGB ``(size, size, 3)``; pixels outside the image repeat its border.

    Raises:
        AlignmentError: The landmarks are no face's, see `place`, or lie far outside the image.
    """
    return warp(pixels, place(landmarks, alignment), alignment.size)


def warp(pixels: Pixels, matrix: Points, size: int) -> Pixels:
    """Crop an image by a placement.

    Args:
        pixels: uint8 RGB ``(H, W, 3)``.
        matrix: ``(2, 3)`` similarity from pixels of the image to pixels of the crop.
        size: Side of the crop in pixels.

    Returns:
        uint8 RGB ``(size, size, 3)``; pixels outside the image repeat its border.

    Raises:
        AlignmentError: Nothing of the crop lies in the image.
    """
    shrink = math.hypot(matrix[0, 0], matrix[1, 0])
    part, matrix = _needed_part(pixels, matrix, size, border=2.0 + 1.6 / min(shrink, 1.0))
    while shrink < 0.25:  # too many pixels for a filter
        part, matrix = _halve(part, matrix)
        shrink *= 2.0
    if shrink < 0.75:  # bilinear sampling would alias: low-pass first, as a good resize does
        part = np.asarray(cv2.GaussianBlur(part, (0, 0), 0.4 / shrink), np.uint8)
    warped = cv2.warpAffine(part, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


def _needed_part(pixels: Pixels, matrix: Points, size: int, *, border: float) -> tuple[Pixels, Points]:
    """The rectangle of an image that a crop looks at, and the matrix from there."""
    corners = np.array([[-0.5, -0.5], [size - 0.5, -0.5], [-0.5, size - 0.5], [size - 0.5, size - 0.5]])
    corners = transform(invert(matrix), corners)
    limit = np.array([pixels.shape[1], pixels.shape[0]])
    if (corners.max(0) < -0.5).any() or (corners.min(0) > limit - 0.5).any():
        raise AlignmentError(
            expected=f"a face inside the image of {limit[0]} x {limit[1]} pixels",
            found=f"one from {corners.min(0).round()} to {corners.max(0).round()}",
            where="landmarks",
            action="Check that the landmarks belong to this image, at this size.",
        )
    left, top = np.minimum(np.maximum(np.floor(corners.min(0) - border), 0), limit - 1).astype(int)
    right, bottom = np.minimum(np.maximum(np.ceil(corners.max(0) + border) + 1, [left + 1, top + 1]), limit).astype(int)
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ [left, top]
    return pixels[top:bottom, left:right], shifted


def _halve(pixels: Pixels, matrix: Points) -> tuple[Pixels, Points]:
    """An image of half the size, each pixel the mean of four, and the matrix from there; odd ends are left out."""
    sides = np.array(pixels.shape[1::-1])
    new = np.maximum(sides // 2, 1)
    used = np.minimum(new * 2, sides)  # a side of one pixel stays
    part = pixels[: used[1], : used[0]]
    halved = np.asarray(cv2.resize(part, (int(new[0]), int(new[1])), interpolation=cv2.INTER_AREA), np.uint8)
    # The centre of the first new pixel lies (scale - 1) / 2 old ones behind that of the first old one.
    scale = used / new
    return halved, np.column_stack([matrix[:, :2] * scale, matrix[:, 2] + matrix[:, :2] @ (scale - 1) / 2])


def _degenerate(expected: str, found: Points) -> AlignmentError:
    return AlignmentError(
        expected=expected,
        found=np.array2string(found, precision=1, separator=",").replace("\n", ""),
        where="landmarks",
        action="Remove the face or correct its landmarks in the face table.",
    )
