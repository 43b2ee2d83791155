"""RAF-DB, the basic part: 15,339 photographs from the web with one of seven emotions.

Li, Deng, Du, "Reliable crowdsourcing and deep locality-preserving learning for expression recognition in the wild",
CVPR 2017, http://whdeng.cn/RAF/model1.html. Layout, codes and counts as in the owner's own readme and label file.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal

import numpy as np
import pandas as pd

from norface.data.readers.checked import CheckedReader
from norface.data.readers.contract import DatasetInfo, Problem, Reading, Skipped
from norface.data.readers.layout import Listing, missing
from norface.data.readers.parsing import number, read_labels, text_lines
from norface.data.readers.reasons import UNREADABLE
from norface.data.readers.sieve import Sieve, codes
from norface.labels import BOX_COLUMNS, LANDMARK_COLUMNS

LABELS = "EmoLabel/list_patition_label.txt"
BOXES = "Annotation/boundingbox"
LANDMARKS = "Annotation/manual"

EMOTIONS_BY_CODE = {1: "surprise", 2: "fear", 3: "disgust", 4: "happy", 5: "sad", 6: "anger", 7: "neutral"}

_COUNTS = {
    "train": {"surprise": 1290, "fear": 281, "disgust": 717, "happy": 4772, "sad": 1982, "anger": 705, "neutral": 2524},
    "test": {"surprise": 329, "fear": 74, "disgust": 160, "happy": 1185, "sad": 478, "anger": 162, "neutral": 680},
}


class RafDb(CheckedReader):
    """Reads RAF-DB (basic).

    Of the original photographs, the owner's box and five points of the labelled face become columns where
    ``Annotation/boundingbox`` and ``Annotation/manual`` are there. They do not hold for the aligned images.

    Args:
        images: ``aligned``: the owner's 100 x 100 crops; ``original``: the photographs.
    """

    info = DatasetInfo(
        name="rafdb",
        title="RAF-DB (Real-world Affective Faces), basic emotions",
        tasks=("fer",),
        licence="non-commercial research, on request",
        source="http://whdeng.cn/RAF/model1.html",
        tree="""\
basic/
  EmoLabel/list_patition_label.txt           (sic)
  Image/aligned/train_00001_aligned.jpg ... test_3068_aligned.jpg
  Image/original/train_00001.jpg ...         (for images=original)
  Annotation/boundingbox/train_00001_boundingbox.txt ...  (optional)
  Annotation/manual/train_00001_manu_attri.txt ...        (optional)""",
        emotions=("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger"),
        literature={
            "faces": 15_339,
            "train": 12_271,
            "test": 3_068,
            **{f"{split}/{name}": n for split, counts in _COUNTS.items() for name, n in counts.items()},
        },
        subjects_known=False,
    )

    def __init__(self, *, images: Literal["aligned", "original"] = "aligned") -> None:
        self.images = images

    def marks(self) -> tuple[str, ...]:
        """See `CheckedReader`."""
        return ("EmoLabel", "Image")

    def layout(self, listing: Listing) -> tuple[Problem, ...]:
        """See `CheckedReader`."""
        folder = f"Image/{self.images}"
        return (
            *missing(listing, LABELS, "the emotion of every image", "Unpack EmoLabel from the data set's archive."),
            *missing(listing, folder, f"the {self.images} images", f"Unpack Image/{self.images}.zip there."),
        )

    def rows(self, listing: Listing) -> Reading:
        """See `CheckedReader`."""
        path = listing.find(LABELS) or LABELS
        labels = read_labels(listing.root, path, ("image", "code"), separator=None, numeric=("code",))
        names = labels.columns["image"]
        stems = [PurePosixPath(name.replace("\\", "/")).stem for name in names]
        wanted = [f"{stem}_aligned.jpg" for stem in stems] if self.images == "aligned" else names
        frame = pd.DataFrame(
            {
                "place": [labels.place(row) for row in range(len(labels))],
                "image": [f"Image/{self.images}/{name}" for name in wanted],
                "name": stems,
                "split": [_split(stem) for stem in stems],
                "code": codes(labels.columns["code"]),
            }
        )
        sieve = Sieve(frame.astype({"split": "str"}), labels.skipped)
        sieve.leave_out(sieve.rows["split"].isna().to_numpy(bool), "neither train nor test")
        sieve.find_images(listing)
        sieve.settle_duplicates(["image"], ["code"])
        sieve.name_emotions(EMOTIONS_BY_CODE)
        sieve.name_faces(sieve.rows["name"])
        sieve.rows = sieve.rows.drop(columns="name")
        sieve.count_unlabelled(listing, (f"Image/{self.images}",))
        if self.images == "original":
            _add_annotations(sieve, listing)
        facts: dict[str, object] = {"images": self.images}
        return sieve.reading(facts | ({"frame": "rafdb-aligned"} if self.images == "aligned" else {}))


def _split(stem: str) -> str | None:
    prefix = stem.lower().partition("_")[0]
    return prefix if prefix in {"train", "test"} else None


def _add_annotations(sieve: Sieve, listing: Listing) -> None:
    """Box and landmarks of each photograph, NaN where its file is missing; a file that breaks the format is counted."""
    known = {"box": (BOXES, "_boundingbox.txt", 4), "points": (LANDMARKS, "_manu_attri.txt", 10)}
    stems = [PurePosixPath(path).stem for path in sieve.rows["image"]]
    for kind, (folder, ending, count) in known.items():
        if not listing.files(folder):
            continue
        values = np.full((len(stems), count), np.nan)
        for row, path in enumerate(listing.find_all(f"{folder}/{stem}{ending}" for stem in stems)):
            numbers = _numbers(listing, path, count) if path else None
            if numbers is not None and (kind == "points" or _is_box(numbers)):
                values[row] = numbers
            elif path:
                sieve.skipped.append(Skipped(path, UNREADABLE))
        columns = dict(zip(BOX_COLUMNS, _as_box(values), strict=True)) if kind == "box" else _as_landmarks(values)
        sieve.rows = sieve.rows.assign(**columns)


def _numbers(listing: Listing, path: str, count: int) -> list[float] | None:
    """The first `count` numbers of a file; None where it does not begin with so many."""
    texts = [text for _, line in text_lines(listing.root, path) for text in line.split()][:count]
    numbers = [value for value in map(number, texts) if value is not None]
    return numbers if len(numbers) == count else None


def _is_box(corners: list[float]) -> bool:
    return corners[2] > corners[0] and corners[3] > corners[1]


def _as_box(corners: np.ndarray) -> list[np.ndarray]:
    left, top, right, bottom = corners.T
    return [left, top, right - left, bottom - top]


def _as_landmarks(values: np.ndarray) -> dict[str, np.ndarray]:
    """Eyes, nose, mouth corners, each pair put in order: the subject's right is on the left of an upright picture."""
    points = values.reshape(-1, 5, 2)
    order = np.tile(np.arange(5), (len(points), 1))
    for first, second in ((0, 1), (3, 4)):
        swapped = points[:, first, 0] > points[:, second, 0]
        order[swapped, first], order[swapped, second] = second, first
    ordered = np.take_along_axis(points, order[..., None], axis=1)
    return dict(zip(LANDMARK_COLUMNS, ordered.reshape(-1, 10).T, strict=True))
