"""Reading the aligned images of a table: every row's original and, where known, true normalized face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from norface.data.registration import SIZE, register
from norface.data.table import TARGET_FILE, FaceTable
from norface.data.texts import Texts
from norface.data.validation import NORMALIZED_LANDMARK_COLUMNS
from norface.errors import AlignmentError, ConfigError, ImageError
from norface.imaging.alignment import Alignment, Points, align, invert, transform
from norface.imaging.pixels import Pixels
from norface.imaging.sources import ImageRoot

Read = Callable[[int], Pixels]


class ImageReader(Protocol):
    """Reads images by their number, one or many at once."""

    def __call__(self, number: int, /) -> Pixels:
        """One image: uint8 RGB ``(size, size, 3)``.

        Raises:
            ImageError: It cannot be read.
            AlignmentError: It cannot be aligned.
        """

    def many(self, numbers: NDArray[np.int64], /) -> Pixels:
        """As many images, in this order: uint8 RGB ``(len(numbers), size, size, 3)``; errors as for one."""


_REGISTRATION_FACES = 200
_REGISTRATION_ALIGNMENT = Alignment(SIZE, margin=0.25, drop=0.0)
_FRONTAL_DEGREES = 12.0


@dataclass(frozen=True, eq=False)
class ImageColumn:
    """Reads the images that one column of a table names. It is all that the workers of a loader need of the table.

    Args:
        root: What the references are relative to.
        references: One for each row of the table.
        alignment: The alignment wanted.
        landmarks: ``(N, 5, 2)`` points of each row, or ``(5, 2)`` of all of them; None: the images are aligned already.
    """

    root: ImageRoot
    references: Texts
    alignment: Alignment
    landmarks: Points | None

    def __call__(self, row: int) -> Pixels:
        """The image of a row: uint8 RGB ``(size, size, 3)``.

        Raises:
            ImageError: The file is missing, damaged or of another size than the table's alignment says.
            AlignmentError: The row's landmarks are degenerate.
        """
        pixels = self.root.read(self.references[row])
        if self.landmarks is not None:
            return align(pixels, self.landmarks if self.landmarks.ndim == 2 else self.landmarks[row], self.alignment)
        size = self.alignment.size
        if pixels.shape != (size, size, 3):
            raise ImageError(
                expected=f"a crop of {size} x {size} pixels, as the table's alignment says",
                found=f"{pixels.shape[1]} x {pixels.shape[0]}",
                where=self.root.where(self.references[row]),
                action="Align the images again.",
            )
        return pixels

    def many(self, rows: NDArray[np.int64]) -> Pixels:
        """The images of some rows."""
        return np.stack([self(int(row)) for row in rows])


@dataclass(frozen=True, eq=False)
class WhereKnown:
    """Reads the rows that are known; the others are black.

    Args:
        read: Reads a row.
        known: bool ``(N,)``, by row.
        size: Side of the images.
    """

    read: ImageReader
    known: NDArray[np.bool_]
    size: int

    def __call__(self, row: int) -> Pixels:
        """The image of a row: uint8 RGB ``(size, size, 3)``; errors as by `read`."""
        return self.read(row) if self.known[row] else np.zeros((self.size, self.size, 3), np.uint8)

    def many(self, rows: NDArray[np.int64]) -> Pixels:
        """The images of some rows."""
        return np.stack([self(int(row)) for row in rows])


class FaceReader:
    """Images of a table's rows, in one alignment.

    Images of an aligned table are read as they are; others are warped, the originals by their own landmarks, the
    normalized ones by one common similarity.

    Args:
        table: The face table.
        alignment: The alignment wanted.

    Raises:
        AlignmentError: The table's images are crops of another alignment.
    """

    def __init__(self, table: FaceTable, alignment: Alignment) -> None:
        if table.meta.alignment not in (None, alignment):
            raise AlignmentError(
                expected=str(alignment),
                found=str(table.meta.alignment),
                where=f"face table in {table.root}",
                action="Set the data module's image_size, margin and drop to those of the table.",
            )
        self.table, self.alignment = table, alignment
        self._aligned = table.meta.alignment is not None
        landmarks = None if self._aligned else table.landmarks()
        self.originals = ImageColumn(table.images, Texts(table.frame["image"]), alignment, landmarks)

    def original(self, row: int) -> Pixels:
        """uint8 RGB ``(size, size, 3)``; errors as by `ImageColumn`."""
        return self.originals(row)

    def normalized(self, row: int) -> Pixels:
        """The true normalized face of a row; uint8 RGB ``(size, size, 3)``; errors as by `ImageColumn` and `truths`."""
        return self.truths(row)

    @cached_property
    def truths(self) -> ImageColumn:
        """The true normalized faces.

        Raises:
            ConfigError: The table does not know them, or nothing says where the face is in them.
            AlignmentError: Registration failed.
        """
        if not self.table.knows_normalized.any():
            raise ConfigError(
                expected="a table with a column `normalized`",
                found="no such column, or nothing in it",
                where=str(self.table.root),
                action="Use a normalizer and its cache, or a table that knows the true normalized faces.",
            )
        return self._in_normalized_frame(Texts(self.table.frame["normalized"]))

    def truths_of(self, rows: NDArray[np.int64]) -> ImageColumn:
        """The true normalized faces, if all of these rows have one.

        Raises:
            ConfigError: Some have none; or as by `truths`.
        """
        truths, unknown = self.truths, int((~self.table.knows_normalized[rows]).sum())
        if unknown:
            raise ConfigError(
                expected="the true normalized face of every face, for source: truth",
                found=f"{unknown} of {len(rows)} faces without, the column `normalized` is empty there",
                where=str(self.table.root),
                action="Set source to cache or none, or choose splits that know them.",
            )
        return truths

    def target(self) -> Pixels:
        """The common target: ``target.png`` of the table's folder, or else the calmest true normalized face.

        Returns:
            uint8 RGB ``(size, size, 3)``.

        Raises:
            ConfigError: The table has neither.
        """
        if self.table.images.exist([TARGET_FILE])[0]:
            return self._in_normalized_frame(Texts([TARGET_FILE]))(0)
        if not self.table.knows_normalized.any():
            raise ConfigError(
                expected=f"a table with {TARGET_FILE} or true normalized faces, for the common target",
                found="neither",
                where=str(self.table.root),
                action=f"Put {TARGET_FILE} beside the table, or set data.init_args.pairs.fixed_target to 0.",
            )
        return self.normalized(calmest_row(self.table))

    def _in_normalized_frame(self, references: Texts) -> ImageColumn:
        landmarks = None if self._aligned else self.normalized_landmarks
        return ImageColumn(self.table.images, references, self.alignment, landmarks)

    @cached_property
    def normalized_landmarks(self) -> Points:
        """``(5, 2)`` points in the normalized images of an unaligned table: as stated, or else by registration.

        Raises:
            ConfigError: Nothing says where the face is.
            AlignmentError: Registration failed.
        """
        if self.table.meta.normalized_landmarks is not None:
            return np.array(self.table.meta.normalized_landmarks, np.float64)
        if NORMALIZED_LANDMARK_COLUMNS[0] in self.table.frame.columns:
            means = self.table.frame[list(NORMALIZED_LANDMARK_COLUMNS)].mean()
            return means.to_numpy(np.float64).reshape(5, 2)
        if not self.table.knows_normalized.any():
            raise ConfigError(
                expected=f"landmarks of {TARGET_FILE}, because the table is not aligned and has no normalized images",
                found="none",
                where=f"face table in {self.table.root}",
                action="Add `normalized_landmarks` (five points) to the .json file beside the table.",
            )
        root, references = self.table.images, Texts(self.table.frame["normalized"])
        rows = frontal_rows(self.table, _REGISTRATION_FACES)
        # Always in one alignment, so that the result does not depend on the one that is trained with.
        aligned = _mean(FaceReader(self.table, _REGISTRATION_ALIGNMENT).original, rows)
        normalized = _mean(lambda row: root.read(references[row]), rows)
        return transform(invert(register(normalized, aligned)), _REGISTRATION_ALIGNMENT.template())


def frontal_rows(table: FaceTable, count: int) -> NDArray[np.int64]:
    """Up to `count` usable rows with a true normalized face, evenly spread over the table.

    They look ahead, where poses are known.
    """
    usable = _usable(table)
    if {"yaw", "pitch"} <= set(table.frame.columns):
        frontal = usable & (table.frame[["yaw", "pitch"]].abs() < _FRONTAL_DEGREES).all(axis=1).to_numpy(bool)
        usable = frontal if frontal.any() else usable
    rows = np.flatnonzero(usable).astype(np.int64)
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(np.int64)]


def calmest_row(table: FaceTable) -> int:
    """Usable row with a true normalized face and the lowest AU intensity; neutral ones first, where these are known."""
    usable = _usable(table)
    if "neutral" in table.meta.emotions:
        neutral = usable & (table.frame["emotion"] == "neutral").to_numpy(bool)
        usable = neutral if neutral.any() else usable
    total = np.nan_to_num(table.intensity(), nan=0.0).sum(axis=1)
    return int(np.argmin(np.where(usable, total, np.inf)))


def _usable(table: FaceTable) -> NDArray[np.bool_]:
    usable: NDArray[np.bool_] = (table.frame["success"] != 0).to_numpy(bool) & table.knows_normalized
    return usable


def _mean(read: Read, rows: Sequence[int] | NDArray[np.int64]) -> Pixels:
    total, count = np.zeros((0,)), 0
    for row in rows:
        try:
            pixels = read(int(row)).astype(np.float64)
        except (ImageError, AlignmentError):
            continue  # counted and listed where the faces are read for use
        if count and pixels.shape != total.shape:
            continue
        total, count = (total + pixels if count else pixels), count + 1
    if not count:
        raise ImageError(
            expected="at least one readable face",
            found=f"none among {len(rows)}",
            where="registration of normalized images",
            action="Check the images of the table.",
        )
    return np.asarray(np.round(total / count), np.uint8)


def read_all(read: Read, rows: NDArray[np.int64], size: int) -> tuple[Pixels, dict[int, str]]:
    """Decode rows into one array; a bad image leaves zeros.

    Args:
        read: Reads one row.
        rows: Row numbers.
        size: Side of the images.

    Returns:
        uint8 ``(len(rows), size, size, 3)``, and for each row that could not be read its error.
    """
    images = np.zeros((len(rows), size, size, 3), np.uint8)
    bad: dict[int, str] = {}

    def fill(position: int) -> None:
        try:
            images[position] = read(int(rows[position]))
        except (ImageError, AlignmentError) as error:
            bad[int(rows[position])] = str(error)

    with ThreadPoolExecutor(max_workers=2) as pool:  # OpenCV decodes and warps without the interpreter lock
        list(pool.map(fill, range(len(rows))))
    return images, dict(sorted(bad.items()))
