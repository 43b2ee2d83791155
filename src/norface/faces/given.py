"""Detectors that look at no pixels: faces that a table knows already, and pictures that are faces already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from norface.errors import DetectionError
from norface.faces.contract import Box, Detection, Detector, Row
from norface.imaging.alignment import Points
from norface.imaging.pixels import Pixels
from norface.labels import BOX_COLUMNS, LANDMARK_COLUMNS
from norface.network_files import file_sha256

KEYS: tuple[str, ...] = ("face_id", "image")


class GivenFaces(Detector):
    """Boxes (``box_left``, ``box_top``, ``box_width``, ``box_height``), five landmarks (``right_eye_x`` ...), or both.

    Args:
        file: CSV or Parquet file with these columns and ``face_id`` or ``image`` to look them up by; several rows of
            one image are several faces. None: the rows of the data set have the columns themselves.

    Raises:
        DetectionError: The file is missing, unreadable, or lacks the columns.
    """

    name = "table"

    def __init__(self, *, file: Path | None = None) -> None:
        self.file = file
        self._key: str | None = None
        self._known: dict[str, list[Row]] = {}
        if file is not None:
            self._key, self._known = _read(file)

    def detect(self, pixels: Pixels) -> list[Detection]:
        """Cannot work: `find` is what this detector is for.

        Raises:
            DetectionError: Always.
        """
        raise DetectionError(
            expected="a row of a table, to look the face up by",
            found="pixels alone",
            where="detector table",
            action="Use a detector that looks at pixels: yunet, retinaface or scrfd.",
        )

    def find(self, pixels: Pixels, row: Row) -> list[Detection]:
        """The faces of a row; none where its columns are empty or the file does not know it.

        Raises:
            DetectionError: The row has no such columns at all.
        """
        rows: Sequence[Row] = [row] if self._key is None else self._known.get(str(row.get(self._key)), ())
        if self._key is None and not (set(BOX_COLUMNS) <= row.keys() or set(LANDMARK_COLUMNS) <= row.keys()):
            raise _lacking("the rows of the data set", sorted(row))
        faces = [_face(each) for each in rows]
        return [face for face in faces if face is not None]

    def describe(self) -> dict[str, object]:
        """The file and its sha256, where there is one."""
        if self.file is None:
            return {"name": self.name, "source": "rows of the data set"}
        return {"name": self.name, "source": self.file.name, "sha256": file_sha256(self.file)}


class WholePicture(Detector):
    """Takes every picture as a face that somebody else has cropped already."""

    name = "none"

    def detect(self, pixels: Pixels) -> list[Detection]:
        """One box around everything, without points."""
        return [Detection(Box(0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0])), None, 1.0)]

    def describe(self) -> dict[str, object]:
        """Nothing but the name."""
        return {"name": self.name}


def _read(file: Path) -> tuple[str, dict[str, list[Row]]]:
    try:
        if file.suffix.lower() == ".parquet":
            frame = pd.read_parquet(file)
        else:
            frame = pd.read_csv(file, dtype=dict.fromkeys(KEYS, str))
    except (OSError, ValueError) as error:  # pandas' and pyarrow's parser errors are among these
        raise DetectionError(
            expected="a CSV or Parquet file of boxes or landmarks",
            found=(str(error).splitlines() or [type(error).__name__])[0][:200],
            where=str(file),
            action="Correct the path, or write the file again.",
        ) from error
    key = next((name for name in KEYS if name in frame.columns), None)
    columns = [name for names in (BOX_COLUMNS, LANDMARK_COLUMNS) if set(names) <= set(frame.columns) for name in names]
    if key is None or not columns:
        raise _lacking(str(file), [str(name) for name in frame.columns])
    for name in columns:
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
    known: dict[str, list[Row]] = {}
    for row in frame[[key, *columns]].to_dict("records"):
        known.setdefault(str(row[key]), []).append({str(name): value for name, value in row.items()})
    return key, known


def _lacking(where: str, found: Sequence[str]) -> DetectionError:
    return DetectionError(
        expected=f"columns {', '.join(BOX_COLUMNS)} or {LANDMARK_COLUMNS[0]}, {LANDMARK_COLUMNS[1]} ... "
        f"{LANDMARK_COLUMNS[-1]}, and {' or '.join(KEYS)}",
        found=", ".join(found[:30]) or "no columns",
        where=where,
        action="Rename the columns; docs/face-table.md describes them.",
    )


def _face(row: Row) -> Detection | None:
    points = _numbers(row, LANDMARK_COLUMNS)
    box = _numbers(row, BOX_COLUMNS)
    marks = None if points is None else points.reshape(5, 2)
    if box is None or box[2] <= 0 or box[3] <= 0:
        return None if marks is None else Detection(_around(marks), marks, 1.0)
    return Detection(Box(*box.tolist()), marks, 1.0)


def _numbers(row: Mapping[str, object], columns: Sequence[str]) -> Points | None:
    """The values of columns that are all there and all finite."""
    values = [row.get(name) for name in columns]
    numbers = [float(value) for value in values if isinstance(value, int | float | np.number)]
    return np.array(numbers) if len(numbers) == len(columns) and np.isfinite(numbers).all() else None


def _around(points: Points) -> Box:
    """A face's box where only its five points are known: they span about half of its width and of its height."""
    centre, half = (points.min(0) + points.max(0)) / 2, np.ptp(points, axis=0).max()
    left, top = centre - half + 0.5  # boxes count from the edge of the first pixel
    return Box(float(left), float(top), float(2 * half), float(2 * half))
