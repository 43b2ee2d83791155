"""``fer2013.csv``: labels and pixels in one file, which FER2013 and FERPlus share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from norface.data.readers.contract import Skipped
from norface.data.readers.reasons import UNREADABLE
from norface.errors import DatasetError, ImageError
from norface.imaging.pixels import Pixels

SIDE = 48
SPLIT_OF_USAGE = {"training": "train", "publictest": "val", "privatetest": "test"}
"""The owner's names of the parts, lower case."""

_COLUMNS = ("emotion", "pixels", "usage")
_REFERENCE = re.compile(r"^(?P<file>.+\.csv)@(?P<row>\d{1,9})$", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class FerFile:
    """What stands where in the file.

    Args:
        offsets: Byte at which each data row begins; the position in this list is the row's number.
        lines: Line number (from 1) of each data row.
        emotions: Text of each row's emotion.
        usages: Text of each row's part; both None where the row does not fit.
        pixel_field: Which field of a row holds the pixels.
    """

    offsets: list[int]
    lines: list[int]
    emotions: list[str | None]
    usages: list[str | None]
    pixel_field: int

    def skipped(self, name: str) -> list[Skipped]:
        """Rows that do not fit."""
        places = zip(self.lines, self.usages, strict=True)
        return [Skipped(f"{name}:{line}", UNREADABLE) for line, usage in places if usage is None]


def scan(path: Path) -> FerFile:
    """Read everything but the pixels.

    Raises:
        DatasetError: The file cannot be read, is empty, or most of its rows do not fit.
    """
    try:
        status = path.stat()
        return _scan(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise DatasetError(
            expected="fer2013.csv",
            found=error.strerror or str(error),
            where=str(path),
            action="Copy it again from fer2013.tar.gz.",
        ) from error


@lru_cache(maxsize=2)  # every image of a process comes from the same file
def _scan(path: Path, _size: int, _changed: int) -> FerFile:
    order = {name: k for k, name in enumerate(_COLUMNS)}
    offsets: list[int] = []
    lines: list[int] = []
    emotions: list[str | None] = []
    usages: list[str | None] = []
    offset, width = 0, len(_COLUMNS)
    first = True
    with path.open("rb") as file:
        for n, line in enumerate(file, 1):
            start, offset = offset, offset + len(line)
            fields = _fields(line)
            if fields == [""]:
                continue
            names = [field.removeprefix("\ufeff").lower() for field in fields] if first else []
            first = False
            if set(_COLUMNS) <= set(names):
                order, width = {name: names.index(name) for name in _COLUMNS}, len(names)
                continue
            good = len(fields) == width
            offsets.append(start)
            lines.append(n)
            emotions.append(fields[order["emotion"]] if good else None)
            usages.append(fields[order["usage"]] if good else None)
    bad = usages.count(None)
    if not offsets or bad > len(offsets) / 2:
        raise DatasetError(
            expected="rows of emotion,pixels,Usage",
            found=f"{bad} of {len(offsets)} rows that do not fit" if offsets else "no rows",
            where=str(path),
            action="Copy fer2013.csv again from fer2013.tar.gz.",
        )
    return FerFile(offsets, lines, emotions, usages, order["pixels"])


def _fields(line: bytes) -> list[str]:
    return [field.strip().strip('"').strip() for field in line.decode(errors="replace").split(",")]


def is_pixel_reference(image: str) -> bool:
    """Whether a reference names a row of a CSV file, as ``fer2013.csv@17`` does."""
    return _REFERENCE.match(image) is not None


def read_pixels(root: Path, image: str) -> Pixels:
    """The image of one row.

    Args:
        root: Folder of the file.
        image: Such as ``fer2013.csv@17``, rows counted from 0.

    Returns:
        uint8 RGB ``(48, 48, 3)``, all channels equal.

    Raises:
        ImageError: There is no such row, or it does not hold 2304 grey values.
    """
    match = _REFERENCE.match(image)
    if not match:
        raise _damaged(root / image, "another reference", "fer2013.csv@<row>")
    path = root / match["file"]
    try:
        rows = scan(path)
    except DatasetError as error:
        raise _damaged(path, error.found, "fer2013.csv") from error
    row = int(match["row"])
    if row >= len(rows.offsets):
        raise _damaged(root / image, f"{len(rows.offsets)} rows", "a row of that number")
    with path.open("rb") as file:
        file.seek(rows.offsets[row])
        fields = _fields(file.readline())
    texts = fields[rows.pixel_field].split() if len(fields) > rows.pixel_field else []
    values = [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) <= 3]
    if len(values) != len(texts) or len(values) != SIDE * SIDE or max(values) > 255:
        raise _damaged(root / image, f"{len(values)} such values", f"{SIDE * SIDE} grey values from 0 to 255")
    grey = np.array(values, np.uint8).reshape(SIDE, SIDE, 1)
    return np.repeat(grey, 3, axis=2)


def _damaged(where: Path, found: str, expected: str) -> ImageError:
    return ImageError(
        expected=expected, found=found, where=str(where), action="Copy fer2013.csv again from fer2013.tar.gz."
    )
