"""The work of a cache build: faces read ahead, normalized batch by batch, encoded and written behind.

The network never waits for a disk or a codec as long as other cores are free: threads decode the next batches, encode
the last ones and write the shard before, all of which OpenCV and the operating system do without the interpreter lock.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice

import numpy as np
import torch
from numpy.typing import NDArray

from norface.cache import CacheBuild, CachedFace, FaceNormalizer
from norface.cache.manifest import Shard
from norface.data.images import Read
from norface.errors import AlignmentError, ImageError
from norface.imaging.convert import to_pixels, to_tensor
from norface.imaging.pixels import Pixels

NOT_FINITE = "the normalizer returned values that are not finite"

Encoded = list[tuple[CachedFace, bytes | None]]


@dataclass(frozen=True)
class Batch:
    """Faces of one shard that were read.

    Args:
        shard: The shard.
        rows: Their rows in the table.
        images: uint8 ``(len(rows) - len(bad), S, S, 3)`` of the readable ones.
        bad: Why the others could not be read, by row.
    """

    shard: Shard
    rows: range
    images: Pixels
    bad: dict[int, str]


def read_or_reason(read: Read, row: int) -> Pixels | str:
    """The face of a row, or why it cannot be read."""
    try:
        return read(row)
    except (ImageError, AlignmentError) as error:
        return str(error)


@dataclass(frozen=True)
class Normalizing:
    """Normalizes shards of a build and writes them.

    Batches are cut from the start of a shard, whoever normalizes it: so that the same faces always meet in a batch, and
    give the same bytes.

    Args:
        build: What the shards belong to.
        read: Reads the original of a row.
        normalizers: The normalizers, on `device`; usually one.
        chosen: ``(rows,)`` which of them normalizes each row of the table.
        batch_size: Faces normalized at once.
        device: Where they are normalized.
        workers: Threads that read, encode and write.
    """

    build: CacheBuild
    read: Read
    normalizers: Sequence[FaceNormalizer]
    chosen: NDArray[np.int64]
    batch_size: int
    device: torch.device
    workers: int

    def write(self, shards: Sequence[Shard], advance: Callable[[int], object]) -> None:
        """Normalize and write shards, in order.

        A shard is written while the next one is normalized, and is finished before that one is: whoever is killed has
        lost the shard in work, and the one before it only in the moment in which it is written.

        Args:
            shards: The shards.
            advance: Called with the number of faces after each batch.

        Raises:
            OutputError: The folder cannot be written to.
        """
        reading: deque[Future[Batch]] = deque()
        writing: Future[None] | None = None
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="norface-cache")
        try:
            for shard, batches in groupby(self._read_ahead(shards, pool, reading), key=lambda batch: batch.shard):
                parts: list[Future[Encoded]] = []
                for batch in batches:
                    parts.append(pool.submit(self._encode, shard, self._normalize(batch)))
                    advance(len(batch.rows))
                if writing is not None:
                    writing.result()
                writing = pool.submit(self._write, shard, parts)
            if writing is not None:
                writing.result()
        finally:  # also after Ctrl-C: a shard that is whole is written, what was read ahead is of no use
            for read in reading:
                read.cancel()
            pool.shutdown()

    def _read_ahead(
        self, shards: Sequence[Shard], pool: ThreadPoolExecutor, reading: deque[Future[Batch]]
    ) -> Iterator[Batch]:
        places = (
            (shard, range(start, min(start + self.batch_size, shard.last_row + 1)))
            for shard in shards
            for start in range(shard.first_row, shard.last_row + 1, self.batch_size)
        )
        reading.extend(pool.submit(self._read, *place) for place in islice(places, self.workers + 1))
        while reading:
            batch = reading.popleft().result()
            reading.extend(pool.submit(self._read, *place) for place in islice(places, 1))
            yield batch

    def _read(self, shard: Shard, rows: range) -> Batch:
        found = {row: read_or_reason(self.read, row) for row in rows}
        good = [pixels for pixels in found.values() if not isinstance(pixels, str)]
        bad = {row: error for row, error in found.items() if isinstance(error, str)}
        return Batch(shard, rows, np.stack(good) if good else np.empty(0, np.uint8), bad)

    def _normalize(self, batch: Batch) -> list[CachedFace]:
        ids = self.build.face_ids
        faces = {row: CachedFace(face_id=ids[row], image=None, error=error) for row, error in batch.bad.items()}
        good = np.array([row for row in batch.rows if row not in batch.bad], np.int64)
        for number in np.unique(self.chosen[good]).tolist():
            mine = self.chosen[good] == number
            images = batch.images if mine.all() else batch.images[mine]
            faces |= self._normalize_by(self.normalizers[number], good[mine].tolist(), images)
        return [faces[row] for row in batch.rows]

    def _normalize_by(self, normalizer: FaceNormalizer, rows: list[int], images: Pixels) -> dict[int, CachedFace]:
        with torch.inference_mode():
            output = normalizer.normalize(to_tensor(images, self.device))
            finite = torch.isfinite(output.image).flatten(1).all(1).tolist()
            pixels = to_pixels(output.image)
        identity, expression = output.identity_to_target.tolist(), output.expression_distance.tolist()
        return {
            row: CachedFace(
                face_id=self.build.face_ids[row],
                image=pixels[k] if finite[k] else None,
                identity_to_target=identity[k] if finite[k] else math.nan,
                expression_distance=expression[k] if finite[k] else math.nan,
                error="" if finite[k] else NOT_FINITE,
            )
            for k, row in enumerate(rows)
        }

    def _encode(self, shard: Shard, faces: list[CachedFace]) -> Encoded:
        return [(face, self.build.encode(shard, face)) for face in faces]

    def _write(self, shard: Shard, parts: Sequence[Future[Encoded]]) -> None:
        # The parts were submitted before this: a pool of one thread has finished them by now.
        faces = [face for part in parts for face in part.result()]
        self.build.write(shard, [face for face, _ in faces], [image for _, image in faces])
