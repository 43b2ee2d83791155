"""Where the face is in a table's true normalized images, when nobody wrote down their landmarks.

All normalized images of a table show one person in one fixed frame, so a single similarity brings them all into the
frame of the aligned originals. It is found from means: the mean of many aligned originals shows blurred eyes and mouth
on the template, the mean of the normalized images shows them wherever they are, and the similarity that correlates the
two best is searched, coarse to fine. Deterministic; well below a second.
"""

from __future__ import annotations

from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from norface.errors import AlignmentError
from norface.imaging.alignment import Points
from norface.imaging.pixels import Pixels

SIZE = 64
"""Side at which the means are compared; the result is scaled to any other."""
_MINIMUM_CORRELATION = 0.65
"""Faces of another renderer reach 0.9, noise up to 0.6."""

Grey = NDArray[np.float32]


def register(normalized: Pixels, aligned: Pixels) -> Points:
    """Similarity ``(2, 3)`` that maps pixels of `normalized` onto pixels of `aligned`.

    Args:
        normalized: uint8 RGB ``(H, W, 3)``: mean of true normalized images.
        aligned: uint8 RGB ``(size, size, 3)``: mean of near-frontal originals, aligned with margin 0.25 and drop 0.

    Raises:
        AlignmentError: No position correlates; the images do not show the same kind of thing.
    """
    fixed, moving = _features(aligned), _features(normalized)
    weight = _face_weight()
    scales = np.geomspace(0.6, 1.8, 14)
    shifts = np.linspace(-0.2, 0.2, 9) * SIZE
    grid = [(np.log(s), 0.0, x, y) for s, x, y in product(scales, shifts, shifts)]
    best = max(grid, key=lambda p: _correlation(fixed, moving, weight, p))
    best = _refine(fixed, moving, weight, best)
    correlation = _correlation(fixed, moving, weight, best)
    if correlation < _MINIMUM_CORRELATION:
        raise AlignmentError(
            expected="normalized images that show a frontal face",
            found=f"a correlation of only {correlation:.2f} with the mean aligned face",
            where="column normalized",
            action="Add `normalized_landmarks` (five points) to the .json file beside the table.",
        )
    return _to_pixels(_matrix(best), normalized.shape[0], normalized.shape[1], aligned.shape[0])


def _features(image: Pixels) -> Grey:
    """Band-passed grey: eyes, brows and mouth stay, light, hair and background mostly go."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = np.asarray(cv2.resize(grey, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.float32)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.5) - cv2.GaussianBlur(grey, (0, 0), 6.0), np.float32)


def _face_weight() -> Grey:
    """``(SIZE, SIZE)`` soft window over eyes, nose and mouth of a template with margin 0.25 and no drop."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32) / SIZE - 0.5
    return np.asarray(np.exp(-((x / 0.25) ** 4 + ((y - 0.03) / 0.25) ** 4)), np.float32)


def _matrix(parameters: tuple[float, float, float, float]) -> Points:
    log_scale, angle, dx, dy = parameters
    centre = (SIZE - 1) / 2
    rotation = np.exp(log_scale) * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([rotation, centre + np.array([dx, dy]) - rotation @ np.array([centre, centre])])


def _correlation(fixed: Grey, moving: Grey, weight: Grey, parameters: tuple[float, float, float, float]) -> float:
    warped = cv2.warpAffine(moving, _matrix(parameters), (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
    total = float(weight.sum())
    a = fixed - float((weight * fixed).sum()) / total
    b = warped - float((weight * warped).sum()) / total
    norm = float(np.sqrt((weight * a * a).sum() * (weight * b * b).sum()))
    return float((weight * a * b).sum()) / max(norm, 1e-9)


def _refine(
    fixed: Grey, moving: Grey, weight: Grey, start: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    """Coordinate search with steps halved down to a fiftieth of a pixel."""
    best, score = start, _correlation(fixed, moving, weight, start)
    steps = np.array([0.08, 0.03, 2.0, 2.0])
    while steps[2] > 0.02:
        improved = False
        for axis, sign in product(range(4), (1, -1)):
            trial = list(best)
            trial[axis] += sign * float(steps[axis])
            candidate = (trial[0], trial[1], trial[2], trial[3])
            value = _correlation(fixed, moving, weight, candidate)
            if value > score + 1e-7:
                best, score, improved = candidate, value, True
        if not improved:
            steps /= 2
    return best


def _to_pixels(matrix: Points, height: int, width: int, size: int) -> Points:
    """The same similarity for images of other sizes; pixel centres lie half a pixel inside."""
    before = np.diag([SIZE / width, SIZE / height, 1.0])
    before[:2, 2] = [0.5 * SIZE / width - 0.5, 0.5 * SIZE / height - 0.5]
    after = np.diag([size / SIZE, size / SIZE, 1.0])
    after[:2, 2] = 0.5 * size / SIZE - 0.5
    return np.asarray((after @ np.vstack([matrix, [0, 0, 1]]) @ before)[:2], np.float64)
