"""Five-point alignment: a least-squares similarity to one documented template.

The template is ArcFace's (Deng et al. 2019, https://github.com/deepinsight/insightface), given for a 112 x 112 crop.
It cuts the chin off, where jaw drop and chin raiser happen, so the crop is enlarged a little and moved down.
Pixel coordinates are (x, y) with the origin at the centre of the top-left pixel.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

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


@dataclass(frozen=True)
class Alignment:
    """How faces were cropped; images with different alignments never mix.

    Args:
        size: Side of the square crop in pixels.
        margin: Border added on each side of ArcFace's crop, as a share of that crop's side.
        drop: How far the crop is moved down, likewise.
    """

    size: int = 64
    margin: float = 0.05
    drop: float = 0.1

    def template(self) -> Points:
        """The five points ``(5, 2)`` in pixels of this crop."""
        scale = self.size / (112.0 * (1.0 + 2.0 * self.margin))
        border = 112.0 * np.array([self.margin, self.margin - self.drop])
        return (ARCFACE_112 + 0.5 + border) * scale - 0.5

    def describe(self) -> dict[str, float | int | str]:
        """Plain data for tables, checkpoints and caches."""
        return {"template": "arcface-5", **asdict(self)}


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
    mean_s, mean_d = source.mean(0), destination.mean(0)
    centred_s, centred_d = source - mean_s, destination - mean_d
    variance = float((centred_s**2).sum())
    if not np.isfinite(source).all() or variance < 1.0:
        raise AlignmentError(
            expected="five distinct, finite landmarks",
            found=np.array2string(source, precision=1, separator=",").replace("\n", ""),
            where="landmarks",
            action="Remove the face or correct its landmarks in the face table.",
        )
    # In two dimensions the optimal rotation has a closed form: no SVD, and never a reflection.
    a = float((centred_s * centred_d).sum()) / variance
    b = float((centred_s[:, 0] * centred_d[:, 1] - centred_s[:, 1] * centred_d[:, 0]).sum()) / variance
    matrix = np.array([[a, -b], [b, a]])
    return np.column_stack([matrix, mean_d - matrix @ mean_s])


def invert(matrix: Points) -> Points:
    """Exact inverse of a ``(2, 3)`` similarity."""
    inverse = np.linalg.inv(matrix[:, :2])
    return np.column_stack([inverse, -inverse @ matrix[:, 2]])


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
    """
    matrix = similarity(landmarks, alignment.template())
    shrink = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if shrink < 0.75:  # bilinear sampling would alias: low-pass first, as a good resize does
        sigma = 0.4 / shrink
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)
    size = (alignment.size, alignment.size)
    warped = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)
