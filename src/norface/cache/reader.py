"""Read normalized faces from a finished cache."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from norface.cache.key import CacheIdentity
from norface.cache.manifest import Manifest
from norface.cache.shard import CachedFace, ShardFile, ShardHeader
from norface.errors import CacheError, LeakageError
from norface.imaging.pixels import Pixels
from norface.people import common_people

_LOG = logging.getLogger(__name__)


class NormalizedCache:
    """Random access to normalized faces by their id.

    Shards are memory-mapped when first needed, by each process for itself, so the object may be sent to or inherited
    by the workers of a data loader. Every image is checked against its checksum when it is read.

    Args:
        folder: Folder of a finished cache.
        manifest: What its manifest says; `open` reads it.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder, self.manifest = folder, manifest
        self._shards: dict[int, ShardFile] = {}
        self._index: dict[str, tuple[int, int]] = {}
        self._process = os.getpid()

    @classmethod
    def open(cls, folder: Path, expect: CacheIdentity | None = None) -> NormalizedCache:
        """Open a finished cache.

        Args:
            folder: Folder with the manifest.
            expect: The parents that it must have; None = any.

        Raises:
            CacheError: There is no finished cache, it is damaged, or a parent differs.
        """
        manifest = Manifest.load(folder)
        if expect is not None:
            expect.require(manifest.identity, where=str(folder))
        missing = [shard.file for shard in manifest.shards if not (folder / shard.file).is_file()]
        if missing:
            raise CacheError(
                expected=f"{len(manifest.shards)} shards",
                found=f"{len(missing)} missing, first {missing[0]}",
                where=str(folder),
                action="Run `norface cache build` again: only the missing ones are made.",
            )
        if manifest.gate_passed is False:
            _LOG.warning("%s: the normalizer of this cache did not pass the gate; do not trust results on it.", folder)
        return cls(folder, manifest)

    def __len__(self) -> int:
        return self.manifest.faces

    def __contains__(self, face_id: object) -> bool:
        return face_id in self._rows()

    def __getitem__(self, face_id: str) -> CachedFace:
        """One face with its quality figures.

        Raises:
            CacheError: The face is not in the cache, or its image is damaged.
        """
        try:
            shard, row = self._rows()[face_id]
        except KeyError:
            raise CacheError(
                expected=f"face {face_id}",
                found=f"{len(self)} other faces",
                where=str(self.folder),
                action="Use the face table that the cache was built from.",
            ) from None
        return self._shard(shard).face(row)

    def image(self, face_id: str) -> Pixels | None:
        """uint8 RGB ``(H, W, 3)``, or None where the face could not be read or normalized; errors as by ``[]``."""
        return self[face_id].image

    def places(self, face_ids: Iterable[str]) -> NDArray[np.int64]:
        """Where faces stand in the cache, for `at`; -1 = not in it.

        Args:
            face_ids: Strings, or a pandas or Arrow column of them.
        """
        known = pa.concat_arrays([self._shard(index).names for index in range(len(self.manifest.shards))])
        found = pc.index_in(pa.array(face_ids, known.type, from_pandas=True), known)
        return np.asarray(pc.fill_null(found, -1), np.int64)

    def at(self, place: int) -> CachedFace:
        """The face at a place that `places` found: unlike ``[]`` it needs no index of all names in every process.

        Raises:
            CacheError: There is no such place, or the image is damaged.
        """
        if not 0 <= place < len(self):
            raise CacheError(
                expected="a face of this cache",
                found="one that is not in it",
                where=str(self.folder),
                action="Use the face table that the cache was built from.",
            )
        shard, row = divmod(place, self.manifest.shard_size)
        return self._shard(shard).face(row)

    @property
    def face_ids(self) -> tuple[str, ...]:
        """All faces in the table's order."""
        return tuple(self._rows())

    def frame(self) -> pd.DataFrame:
        """Everything but the images, a row per face: face_id, success, checksum, quality figures, error."""
        frames = [self._shard(index).frame() for index in range(len(self.manifest.shards))]
        return pd.concat(frames, ignore_index=True)

    def check_subjects(self, test_subjects: Iterable[str], *, allow: bool = False) -> tuple[str, ...]:
        """Compare the subjects of a test with those the normalizer was trained on.

        Args:
            test_subjects: Subjects to be tested on, as `norface.people` names them.
            allow: Whether to return the common ones, to be printed in every report, instead of raising.

        Returns:
            Subjects on both sides, sorted.

        Raises:
            LeakageError: There are some and it is not allowed.
        """
        leaked = common_people(test_subjects, self.manifest.subjects)
        if leaked and not allow:
            more = f" and {len(leaked) - 10} more" if len(leaked) > 10 else ""
            raise LeakageError(
                expected="test subjects that the normalizer was not trained on",
                found=f"{len(leaked)} that it was trained on: {', '.join(leaked[:10])}{more}",
                where=str(self.folder),
                action="Test on other subjects, or set allow_leakage: true, which every report will then say.",
            )
        return leaked

    def _rows(self) -> dict[str, tuple[int, int]]:
        if not self._index:
            for index in range(len(self.manifest.shards)):
                self._index.update({name: (index, row) for row, name in enumerate(self._shard(index).face_ids)})
        return self._index

    def _shard(self, index: int) -> ShardFile:
        if self._process != os.getpid():
            self._shards, self._process = {}, os.getpid()
        if index not in self._shards:
            shard = self.manifest.shards[index]
            header = ShardHeader(self.manifest.identity, self.manifest.encoding, shard)
            self._shards[index] = ShardFile(self.folder / shard.file, header)
        return self._shards[index]

    def __reduce__(self) -> tuple[type[NormalizedCache], tuple[Path, Manifest]]:
        return NormalizedCache, (self.folder, self.manifest)  # no maps, no index: the other process makes its own
