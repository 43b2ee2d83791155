"""fer2013.csv in miniature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.readers.miniature import Expected, write

EMOTIONS = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # by the owner's code
# code, part
ROWS = (
    *((0, "Training"), (1, "Training"), (2, "Training"), (3, "Training"), (4, "Training"), (5, "Training")),
    *((6, "Training"), (3, "PublicTest"), (6, "PublicTest"), (4, "PrivateTest"), (5, "PrivateTest")),
)
SPLITS = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}


def grey(row: int) -> NDArray[np.uint8]:
    """The 48 x 48 picture of a row."""
    y, x = np.mgrid[0:48, 0:48]
    face = ((x - 24) / 15) ** 2 + ((y - 24) / 20) ** 2 < 1
    return np.where(face, 150 + row, 3 * (x + y) // 8 + row).astype(np.uint8)


def line(row: int, code: object, usage: str) -> str:
    """One line of the file."""
    return f"{code},{' '.join(map(str, grey(row).ravel()))},{usage}"


def make(root: Path) -> Expected:
    """The file as Kaggle has it."""
    write(
        root / "fer2013.csv", "\n".join(["emotion,pixels,Usage", *(line(k, *row) for k, row in enumerate(ROWS))]) + "\n"
    )
    return Expected(
        images={f"fer{k:07d}": f"fer2013.csv@{k}" for k in range(len(ROWS))},
        emotions={f"fer{k:07d}": EMOTIONS[code] for k, (code, _) in enumerate(ROWS)},
        splits={f"fer{k:07d}": SPLITS[usage] for k, (_, usage) in enumerate(ROWS)},
    )
