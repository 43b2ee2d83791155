"""A toy data set for tests of preparation: a light square is a face. Spawned processes import it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from norface.data.readers.contract import DatasetInfo, DatasetReader, Problem, Reading, Skipped
from norface.errors import DatasetError
from norface.faces.contract import Box, Detection, Detector
from norface.faces.given import GivenFaces, WholePicture
from norface.imaging.alignment import ARCFACE_112, Points
from norface.imaging.files import write_png
from norface.imaging.pixels import Pixels

EMOTIONS = ("happy", "sad")


def picture(left: int, top: int, side: int, *, shade: int = 250, size: tuple[int, int] = (60, 80)) -> Pixels:
    """A dark picture with one light square; `shade` 0 leaves it away."""
    pixels = np.full((*size, 3), 20, np.uint8)
    pixels[:, :, 2] += np.arange(size[1], dtype=np.uint8)
    if shade:
        pixels[top : top + side, left : left + side] = shade
    return pixels


def points_in(box: Box) -> Points:
    """Where the five landmarks of a toy face are."""
    return ARCFACE_112 / 112.0 * [box.width, box.height] + [box.left - 0.5, box.top - 0.5]


def write_pictures(root: Path, count: int, *, faceless: tuple[int, ...] = ()) -> pd.DataFrame:
    """Pictures ``pictures/000.png`` ... and ``rows.csv``; returns its rows."""
    rows = []
    for number in range(count):
        left, top, side = 10 + number % 20, 5 + number % 11, 24 + number % 9
        write_png(root / f"pictures/{number:03d}.png", picture(left, top, side, shade=0 if number in faceless else 250))
        rows.append(
            {
                "face_id": f"face_{number:03d}",
                "image": f"pictures/{number:03d}.png",
                "subject": f"s{number % 3}",
                "split": ("train", "test")[number % 3 // 2],
                "emotion": EMOTIONS[number % 2],
                "AU12_r": float(number % 6),
            }
        )
    frame = pd.DataFrame(rows)
    frame.to_csv(root / "rows.csv", index=False)
    return frame


class ToyReader(DatasetReader):
    """Reads ``rows.csv`` as it is."""

    info = DatasetInfo(
        name="toy",
        title="Toy faces",
        tasks=("fer", "au-intensity"),
        licence="free",
        source="tests/toy_dataset.py",
        tree="toy/\n  rows.csv\n  pictures/000.png ...",
        emotions=EMOTIONS,
        aus=(12,),
        literature={"faces": 12, "train/happy": 4, "fear": 1},
    )

    def __init__(
        self, frame: str | None = None, skipped: tuple[Skipped, ...] = (), facts: Mapping[str, object] | None = None
    ) -> None:
        self.frame, self.skipped, self.facts = frame, skipped, dict(facts or {})

    def check(self, root: Path) -> tuple[Problem, ...]:
        if (root / "rows.csv").is_file():
            strange = sorted(root.glob("*.txt"))
            return tuple(Problem(path.name, "nothing else", "a text", "Ignore it.", fatal=False) for path in strange)
        return (Problem("rows.csv", "the labels", "nothing", "Unpack them."),)

    def read(self, root: Path) -> Reading:
        if self.check(root):
            raise DatasetError(expected="rows.csv", found="nothing", where=str(root), action="Unpack it.")
        facts = {**self.facts, **({"frame": self.frame} if self.frame else {})}
        rows = pd.read_csv(root / "rows.csv", dtype={"face_id": str, "subject": str})
        return Reading(rows, self.skipped, facts)


class ToyOnCommandLine(ToyReader):
    """The toy data set with options.

    Args:
        frame: Kind of crops.
        threshold: From which intensity on AU12 counts as present.
        classes: What is meant by each folder.
    """

    def __init__(
        self, *, frame: str | None = "toy-crops", threshold: int = 2, classes: dict[str, str] | None = None
    ) -> None:
        super().__init__(frame, (Skipped("labels.txt:7", "unknown code 11"),), {"threshold": threshold})
        self.classes = classes


class SquareDetector(Detector):
    """Finds the light square; takes its time where a test wants to interrupt it."""

    name = "square"

    def __init__(self, *, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.seen = 0

    def detect(self, pixels: Pixels) -> list[Detection]:
        self.seen += 1
        time.sleep(self.seconds)
        rows, columns = np.nonzero(pixels.min(axis=2) > 200)
        if not len(rows):
            return []
        left, top = float(columns.min()), float(rows.min())
        box = Box(left, top, float(columns.max()) + 1 - left, float(rows.max()) + 1 - top)
        return [Detection(box, points_in(box), 0.9)]

    def describe(self) -> dict[str, object]:
        return {"name": self.name, "version": 1}


class Killed(SquareDetector):
    """A square detector whose process is ended at its fourth image, if it is a worker."""

    def detect(self, pixels: Pixels) -> list[Detection]:
        if self.seen == 3 and multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().detect(pixels)


def square() -> Detector:
    return SquareDetector()


def slow_square() -> Detector:
    return SquareDetector(seconds=0.05)


def killed_square() -> Detector:
    return Killed()


def whole() -> Detector:
    return WholePicture()


def given() -> Detector:
    return GivenFaces()
