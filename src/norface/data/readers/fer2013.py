"""FER2013: 35,887 grey faces of 48 x 48 pixels with one of seven emotions, all in one CSV file.

Goodfellow et al., "Challenges in representation learning: a report on three machine learning contests", ICONIP 2013.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from norface.data.readers.checked import CheckedReader
from norface.data.readers.contract import DatasetInfo, Problem, Reading
from norface.data.readers.fer_file import SPLIT_OF_USAGE, read_pixels, scan
from norface.data.readers.layout import Listing
from norface.data.readers.reasons import unknown_code
from norface.data.readers.sieve import Sieve, codes
from norface.imaging.pixels import Pixels

FILE = "fer2013.csv"
EMOTIONS_BY_CODE = {0: "anger", 1: "disgust", 2: "fear", 3: "happy", 4: "sad", 5: "surprise", 6: "neutral"}


class Fer2013(CheckedReader):
    """Reads FER2013. Equal rows are different faces here: the literature's counts have them all."""

    info = DatasetInfo(
        name="fer2013",
        title="FER2013 (Facial Expression Recognition 2013)",
        tasks=("fer",),
        licence="none stated; images from the web, for research",
        source="https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge",
        tree="""\
fer2013/
  fer2013.csv       (emotion,pixels,Usage)""",
        emotions=("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger"),
        literature={"faces": 35_887, "train": 28_709, "val": 3_589, "test": 3_589},
        subjects_known=False,
    )

    def marks(self) -> tuple[str, ...]:
        """See `CheckedReader`."""
        return (FILE,)

    def layout(self, listing: Listing) -> tuple[Problem, ...]:
        """See `CheckedReader`."""
        return ()

    def rows(self, listing: Listing) -> Reading:
        """See `CheckedReader`."""
        name = listing.find(FILE) or FILE
        file = scan(listing.root / name)
        numbers = [row for row, usage in enumerate(file.usages) if usage is not None]
        frame = pd.DataFrame(
            {
                "place": [f"{name}:{file.lines[row]}" for row in numbers],
                "image": [f"{name}@{row}" for row in numbers],
                "name": [f"fer{row:07d}" for row in numbers],
                "code": codes(file.emotions[row] or "" for row in numbers),
                "usage": [file.usages[row] for row in numbers],
            }
        )
        sieve = Sieve(frame, file.skipped(name))
        splits = [SPLIT_OF_USAGE.get(usage.lower()) for usage in sieve.rows["usage"]]
        sieve.rows = sieve.rows.assign(split=pd.Series(splits, dtype="str"))
        reasons = [unknown_code(usage[:40]) for usage in sieve.rows["usage"]]
        sieve.leave_out(sieve.rows["split"].isna().to_numpy(bool), reasons)
        sieve.name_emotions(EMOTIONS_BY_CODE)
        sieve.name_faces(sieve.rows["name"])
        sieve.rows = sieve.rows.drop(columns=["name", "usage"])
        return sieve.reading({"frame": "fer2013"})

    def pixels(self, root: Path, image: str) -> Pixels:
        """The image of one row of the CSV file; see `norface.data.readers.fer_file.read_pixels`."""
        return read_pixels(root, image)
