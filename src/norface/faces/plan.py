"""Dividing the rows of a data set into jobs: what one process does in one go, and what an interruption can lose."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from norface.imaging.sources import split_reference
from norface.labels import BOX_COLUMNS, LANDMARK_COLUMNS

PART_ROWS = 128
"""Rows of a part: what is lost at most where a process is killed."""

FOLDER_ROWS = 128
"""Crops in one folder, about those of a part: processes that make files in one folder wait for each other."""

GIVEN_COLUMNS = ("face_id", "image", *BOX_COLUMNS, *LANDMARK_COLUMNS, "success")
"""What a row itself says of its face, and what a file of boxes may be looked up by."""

_MAX_BYTES = 120
_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class Item:
    """One row to be done.

    Args:
        row: Position in the reading.
        image: Reference of its image.
        frame: Frame of a video, None where `image` is a single image.
        crop: Where its crop goes, relative to the output folder.
        given: Its `GIVEN_COLUMNS`, as far as the reading has them.
    """

    row: int
    image: str
    frame: int | None
    crop: str
    given: Mapping[str, object]


@dataclass(frozen=True)
class Part:
    """Rows that are finished together.

    Args:
        number: Its name among all parts.
        rows: Their positions in the reading.
    """

    number: int
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Job:
    """Parts that one process does one after the other.

    Args:
        video: The video that all rows are frames of, in ascending order; None where they are single images.
        parts: Its parts.
    """

    video: str | None
    parts: tuple[Part, ...]


class Plan:
    """All jobs of a reading. The same reading is always divided in the same way.

    Args:
        rows: Rows of the reading, index 0..n-1.
        suffix: Of the crops' file names.
    """

    def __init__(self, rows: pd.DataFrame, suffix: str) -> None:
        self.rows = rows
        self.crops = crop_paths(rows["face_id"], suffix)
        self._images: list[str] = rows["image"].tolist()
        self._given = rows[[name for name in GIVEN_COLUMNS if name in rows.columns]]
        self.jobs = tuple(self._divide())

    def _divide(self) -> Iterator[Job]:
        videos: dict[str, list[tuple[int, int]]] = {}
        single: list[int] = []
        for row, image in enumerate(self._images):
            video, frame = frame_of(image)
            if frame is None:
                single.append(row)
            else:
                videos.setdefault(video, []).append((frame, row))
        number = 0
        for rows in _chunks(single):
            yield Job(None, (Part(number, rows),))
            number += 1
        for video, frames in videos.items():
            parts = [Part(number + k, rows) for k, rows in enumerate(_chunks([row for _, row in sorted(frames)]))]
            number += len(parts)
            yield Job(video, tuple(parts))

    def items(self, part: Part) -> list[Item]:
        """The rows of a part, ready to be sent to a process."""
        given = self._given.iloc[part.rows].to_dict("records")
        rows = zip(part.rows.tolist(), given, strict=True)
        return [self._item(row, {str(name): value for name, value in known.items()}) for row, known in rows]

    def _item(self, row: int, given: Mapping[str, object]) -> Item:
        image = self._images[row]
        return Item(row, image, frame_of(image)[1], self.crops[row], given)


def frame_of(image: str) -> tuple[str, int | None]:
    """The video and the frame that a reference names; the reference itself and None where it is a single image."""
    source = split_reference(image)
    return (image, None) if source.frame is None else (source.path, source.frame)


def _chunks(rows: list[int]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(rows), PART_ROWS):
        yield np.array(rows[start : start + PART_ROWS], np.int64)


def crop_paths(face_ids: Iterable[str], suffix: str) -> list[str]:
    """A path for each face: readable, allowed on every file system, unique there too (which may ignore case).

    Args:
        face_ids: Unique names, in the order of the rows.
        suffix: Such as ``.png``.
    """
    taken: set[str] = set()
    paths = []
    for row, face_id in enumerate(face_ids):
        readable = _UNSAFE.sub("_", unicodedata.normalize("NFC", face_id)).strip(".")
        name = readable.encode()[:_MAX_BYTES].decode(errors="ignore") or "face"
        path = f"images/{row // FOLDER_ROWS:05d}/{name}{suffix}"
        while path.casefold() in taken:
            name += f"-{row}"
            path = f"images/{row // FOLDER_ROWS:05d}/{name}{suffix}"
        taken.add(path.casefold())
        paths.append(path)
    return paths
