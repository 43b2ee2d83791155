"""A picture with example faces of every class of a table: wrong labels and bad crops show at a glance."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from norface.data.images import FaceReader
from norface.data.statistics import unit_title
from norface.data.table import FaceTable
from norface.errors import AlignmentError, ConfigError, ImageError
from norface.imaging.alignment import Alignment
from norface.imaging.pixels import Pixels

SIDE = 96
"""Of a face on the sheet, in pixels."""

_GAP, _EDGE, _HEAD = 4, 16, 44
_INK, _MUTED, _EMPTY = (28, 36, 48), (102, 112, 128), (236, 239, 243)
_TRIES = 3  # faces looked at for each that is shown, where some cannot be read


@dataclass(frozen=True)
class Line:
    """One class.

    Args:
        name: As written beside its faces.
        note: How many faces it has.
        rows: Rows of the table to show, the first ones first.
    """

    name: str
    note: str
    rows: NDArray[np.int64]


def face_sheet(table: FaceTable, *, title: str, examples: int = 10) -> Pixels:
    """Emotions, then action units, one line each; every face is of another person, as far as there are enough.

    Of an action unit whose intensities are known, the strongest faces are shown.

    Args:
        table: The face table.
        title: Above the faces.
        examples: How many faces of each.

    Returns:
        uint8 RGB.

    Raises:
        ConfigError: `examples` is not positive.
    """
    if examples < 1:
        raise ConfigError(expected="at least 1", found=str(examples), where="--examples", action="Give more.")
    lines = list(_lines(table))
    reader = FaceReader(table, table.meta.alignment or Alignment(SIDE))
    drawn = [(line, list(_faces(reader.original, line.rows, examples))) for line in lines]
    return _draw(title, drawn, examples)


def _lines(table: FaceTable) -> Iterator[Line]:
    usable = (table.frame["success"] != 0).to_numpy(bool)
    subjects = table.frame["subject"].to_numpy()
    codes = table.emotion_codes()
    for code, emotion in enumerate(table.meta.emotions):
        rows = np.flatnonzero(codes == code)
        shown = np.flatnonzero(usable & (codes == code))
        yield Line(emotion, f"{len(rows):,}", _one_of_each(shown[_spread(len(shown))], subjects))
    occurrence, intensity = table.occurrence(), table.intensity()
    for column, au in enumerate(table.meta.aus):
        present = occurrence[:, column] == 1
        shown = np.flatnonzero(usable & present)
        shown = shown[_spread(len(shown))]
        strongest = shown[np.argsort(-np.nan_to_num(intensity[shown, column]), kind="stable")]
        yield Line(unit_title(au), f"{int(present.sum()):,}", _one_of_each(strongest, subjects))
    if not (table.meta.emotions or table.meta.aus):
        shown = np.flatnonzero(usable)
        yield Line("faces", f"{len(table):,}", _one_of_each(shown[_spread(len(shown))], subjects))


def _spread(count: int) -> NDArray[np.int64]:
    """0..count-1 in an order whose every beginning is spread over the whole, the same each time."""
    golden = (math.sqrt(5.0) - 1.0) / 2.0
    return np.argsort((np.arange(count) * golden) % 1.0, kind="stable").astype(np.int64)


def _one_of_each(rows: NDArray[np.int64], subjects: NDArray[np.object_]) -> NDArray[np.int64]:
    """Rows in their order, but the first of every subject before the second of any."""
    seen: dict[object, int] = {}
    turns = []
    for subject in subjects[rows]:
        turns.append(seen.get(subject, 0))
        seen[subject] = turns[-1] + 1
    return rows[np.argsort(np.array(turns, np.int64), kind="stable")]


def _faces(read: Callable[[int], Pixels], rows: NDArray[np.int64], count: int) -> Iterator[Pixels]:
    found = 0
    for row in rows[: count * _TRIES].tolist():
        try:
            pixels = read(row)
        except (ImageError, AlignmentError):
            continue  # `norface data check` lists these
        yield _resized(pixels)
        found += 1
        if found == count:
            return


def _resized(pixels: Pixels) -> Pixels:
    method = cv2.INTER_AREA if pixels.shape[0] > SIDE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (SIDE, SIDE), interpolation=method), np.uint8)


def _draw(title: str, lines: list[tuple[Line, list[Pixels]]], examples: int) -> Pixels:
    large, small = ImageFont.load_default(17), ImageFont.load_default(13)
    label = math.ceil(max((small.getlength(line.name) for line, _ in lines), default=0.0)) + 2 * _EDGE
    width = max(label + examples * (SIDE + _GAP) - _GAP + _EDGE, math.ceil(large.getlength(title)) + 2 * _EDGE)
    sheet = Image.new("RGB", (width, _HEAD + len(lines) * (SIDE + _GAP) - _GAP + _EDGE), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((_EDGE, _HEAD / 2), title, _INK, large, anchor="lm")
    for number, (line, faces) in enumerate(lines):
        top = _HEAD + number * (SIDE + _GAP)
        pen.text((_EDGE, top + SIDE / 2 - 9), line.name, _INK, small, anchor="lm")
        pen.text((_EDGE, top + SIDE / 2 + 9), line.note, _MUTED, small, anchor="lm")
        for place in range(examples):
            left = label + place * (SIDE + _GAP)
            if place < len(faces):
                sheet.paste(Image.fromarray(faces[place]), (left, top))
            else:
                pen.rectangle((left, top, left + SIDE - 1, top + SIDE - 1), _EMPTY)
    return np.asarray(sheet, np.uint8)
