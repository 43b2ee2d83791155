"""Images of a split, decoded once into memory where they fit, else read when needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from norface.cache import NormalizedCache
from norface.data.images import ImageReader, read_all
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

    def many(self, positions: NDArray[np.int64]) -> Pixels:
        """The images at `positions`."""
        return self.images[positions]


@dataclass(frozen=True)
class OnDemand:
    """Reads a position of a split from its row of the table."""

    read: ImageReader
    rows: NDArray[np.int64]

    def __call__(self, position: int) -> Pixels:
        """The image of the row at `position`."""
        return self.read(int(self.rows[position]))

    def many(self, positions: NDArray[np.int64]) -> Pixels:
        """The images of the rows at `positions`."""
        return self.read.many(self.rows[positions])


class FromCache:
    """Reads a row's normalized face from a cache.

    Args:
        cache: The cache of a table; its fingerprint says that it holds `rows` in this order, so nothing is looked up.
        rows: Rows of the table that the cache holds.
    """

    def __init__(self, cache: NormalizedCache, rows: NDArray[np.int64]) -> None:
        if len(rows) != len(cache):
            raise ValueError(f"a cache of {len(cache)} faces for {len(rows)} rows")
        self.cache = cache
        self._places = np.full(int(rows.max()) + 1, -1, np.int64)
        self._places[rows] = np.arange(len(rows))

    def __call__(self, row: int) -> Pixels:
        """The normalized face of `row`."""
        image: Pixels = self.many(np.array([row]))[0]
        return image

    def many(self, rows: NDArray[np.int64]) -> Pixels:
        """The normalized faces of `rows`."""
        return self.cache.images(self._places[rows])


@dataclass(frozen=True)
class SplitImages:
    """The readable rows of a split and the readers of their images.

    Args:
        rows: Rows of the table, unreadable ones left out as far as known.
        readers: One for each kind of image, taking positions in `rows`.
        bad: Error of each row left out.
    """

    rows: NDArray[np.int64]
    readers: tuple[ImageReader, ...]
    bad: dict[int, str]


def load_split(reads: tuple[ImageReader, ...], rows: NDArray[np.int64], size: int) -> SplitImages:
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
