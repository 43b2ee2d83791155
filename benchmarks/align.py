"""How many faces one core aligns in a second, from images that are decoded already, to crops of 112 pixels.

Run ``python benchmarks/align.py``. The ratio is to a bare ``cv2.warpAffine`` with a matrix that is known already, which
aliases where the face is larger than the crop; norface finds the matrix, checks it and filters first.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np

from norface.imaging.alignment import ARCFACE_112, Alignment, align, place
from norface.imaging.pixels import Pixels

SECONDS = 1.0
ROUNDS = 3
TARGET = 300
SCENES = {
    "crop of 224 x 224, eyes 60 apart": (224, 224, 60),
    "photograph of 600 x 800, eyes 165 apart": (600, 800, 165),
    "video frame of 1920 x 1080, eyes 90 apart": (1920, 1080, 90),
    "photograph of 3000 x 4000, eyes 800 apart": (3000, 4000, 800),
}
"""Width, height and distance of the eyes in pixels."""


def rate(work: Callable[[], object]) -> float:
    """Calls per second of processor time, the best of a few rounds; so other work on the machine does not matter."""
    best = 0.0
    for _ in range(ROUNDS):
        start, count = time.process_time(), 0
        while time.process_time() - start < SECONDS / ROUNDS:
            work()
            count += 1
        best = max(best, count / (time.process_time() - start))
    return best


def scene(width: int, height: int, eyes: int) -> tuple[Pixels, np.ndarray]:
    """A picture and the five landmarks of a slightly turned face in its middle."""
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    cosine, sine = np.cos(0.15) * eyes / 35.2, np.sin(0.15) * eyes / 35.2
    turn = np.array([[cosine, sine], [-sine, cosine]])
    return pixels, (ARCFACE_112 - 56) @ turn + [width / 2, height / 2]


def main() -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    alignment = Alignment(112)
    for name, (width, height, eyes) in SCENES.items():
        pixels, points = scene(width, height, eyes)
        matrix = place(points, alignment)
        faces = rate(lambda pixels=pixels, points=points: align(pixels, points, alignment))  # type: ignore[misc]
        bare = rate(lambda pixels=pixels, matrix=matrix: cv2.warpAffine(pixels, matrix, (112, 112)))  # type: ignore[misc]
        print(f"{name:<45} {faces:8.0f} faces/s (target {TARGET})  {faces / bare:5.2f} of a bare warp")


if __name__ == "__main__":
    main()
