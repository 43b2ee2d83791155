"""Images of a split, decoded once into memory where they fit, else read when needed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from norface.cache import NormalizedCache
from norface.data.images import Read, read_all
from norface.errors import ImageError
from norface.imaging.pixels import Pixels

MEMORY_LIMIT = 2 * 1024**3
"""Bytes of decoded images up to which a split is held in memory."""
DECODING_LIMIT = 50_000
"""Images up to which a split is held in memory: decoding more would keep the first batch waiting."""


def fits_in_memory(faces: int, size: int, kinds: int) -> bool:
    """Whether `kinds` images of each face, `size` pixels a side, stay below `MEMORY_LIMIT` and `DECODING_LIMIT`."""
    return faces * kinds * size * size * 3 <= MEMORY_LIMIT and faces * kinds <= DECODING_LIMIT


@dataclass(frozen=True)
class InMemory:
    """Reads a position of a uint8 array ``(N, size, size, 3)``."""

    images: Pixels

    def __call__(self, position: int) -> Pixels:
        """The image at `position`."""
        pixels: Pixels = self.images[position]
        return pixels


@dataclass(frozen=True)
class OnDemand:
    """Reads a position of a split from its row of the table."""

    read: Read
    rows: NDArray[np.int64]

    def __call__(self, position: int) -> Pixels:
        """The image of the row at `position`."""
        return self.read(int(self.rows[position]))


class FromCache:
    """Reads a row's normalized face from a cache.

    Args:
        cache: The cache.
        face_ids: Of all rows; looked up here, so that the workers of a loader need no names.
    """

    def __init__(self, cache: NormalizedCache, face_ids: Iterable[str]) -> None:
        self.cache, self._places = cache, cache.places(face_ids)

    def __call__(self, row: int) -> Pixels:
        """The normalized face of `row`."""
        face = self.cache.at(int(self._places[row]))
        if face.image is None:
            raise ImageError(
                expected="a normalized face",
                found="a face that could not be normalized",
                where=f"{self.cache.folder}, face {face.face_id}",
                action="See failed.csv there.",
            )
        return face.image


@dataclass(frozen=True)
class SplitImages:
    """The readable rows of a split and the readers of their images.

    Args:
        rows: Rows of the table, unreadable ones left out as far as known.
        readers: One for each kind of image, taking positions in `rows`.
        bad: Error of each row left out.
    """

    rows: NDArray[np.int64]
    readers: tuple[Read, ...]
    bad: dict[int, str]


def load_split(reads: tuple[Read, ...], rows: NDArray[np.int64], size: int) -> SplitImages:
    """Decode the rows, or leave them to be read when needed; the same faces in the same order either way.

    Args:
        reads: Reads a row; one for each kind of image.
        rows: Rows of the split.
        size: Side of the images.

    Raises:
        ImageError: No row is readable.
    """
    if not fits_in_memory(len(rows), size, len(reads)):
        return SplitImages(rows, tuple(OnDemand(read, rows) for read in reads), {})
    bad: dict[int, str] = {}
    arrays = []
    for read in reads:
        images, unreadable = read_all(read, rows, size)
        arrays.append(images)
        bad.update(unreadable)
    if bad:
        good = ~np.isin(rows, list(bad))
        rows, arrays = rows[good], [images[good] for images in arrays]
    if len(rows) == 0:
        raise ImageError(
            expected="at least one readable face",
            found=f"none of {len(bad)}",
            where="face table",
            action=f"Check the images. The first: {next(iter(bad.values()), 'no rows')}",
        )
    return SplitImages(rows, tuple(InMemory(images) for images in arrays), dict(sorted(bad.items())))
