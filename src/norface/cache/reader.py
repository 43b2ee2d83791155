"""Read normalized faces from a finished cache."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from norface.cache.key import CacheIdentity
from norface.cache.manifest import Manifest
from norface.cache.shard import CachedFace, ShardFile, ShardHeader
from norface.errors import CacheError, ImageError, LeakageError
from norface.imaging.pixels import Pixels
from norface.people import common_people

_LOG = logging.getLogger(__name__)


class NormalizedCache:
    """Random access to normalized faces by their id.

    A shard is opened, checked and memory-mapped when one of its faces is first asked for. The object may be sent to or
    inherited by the workers of a data loader; all processes of a machine share the mapped pages. Every image is
    compared with its checksum when it is read.

    Args:
        folder: Folder of a finished cache.
        manifest: What its manifest says; `open` reads it.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder, self.manifest = folder, manifest
        self._shards: dict[int, ShardFile] = {}
        self._index: dict[str, tuple[int, int]] = {}

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
        there = {path.name for path in folder.iterdir()}  # one question, where many shards lie on a slow network
        missing = [shard.file for shard in manifest.shards if shard.file not in there]
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
        """Where faces stand in the cache, for `images`; -1 = not in it. Reads the names of all faces, once.

        Args:
            face_ids: Strings, or a pandas or Arrow column of them.
        """
        known = pa.concat_arrays([self._shard(index).names for index in range(len(self.manifest.shards))])
        found = pc.index_in(pa.array(face_ids, known.type, from_pandas=True), known)
        return np.asarray(pc.fill_null(found, -1), np.int64)

    def images(self, places: Sequence[int] | NDArray[np.int64]) -> Pixels:
        """Read many faces at once, several times faster than one by one.

        Args:
            places: Rows of the table that the cache was built from, in any order, repeated or not.

        Returns:
            uint8 RGB ``(len(places), H, W, 3)``.

        Raises:
            CacheError: There is no such place, or an image is damaged.
            ImageError: One of the faces has no image, because it could not be read or normalized.
        """
        size, shard_size = self.manifest.identity.alignment.size, self.manifest.shard_size
        faces, bytes_each = len(self), 3 * size * size
        images = np.empty((len(places), size, size, 3), np.uint8)
        pixels = images.reshape(-1).data
        for number, place in enumerate(np.asarray(places, np.int64).tolist()):
            if not 0 <= place < faces:
                self._not_in_it()
            index, row = divmod(place, shard_size)
            shard = self._shards.get(index) or self._shard(index)
            if not shard.read_into(pixels[number * bytes_each : (number + 1) * bytes_each], row):
                self._without_image(shard.face_id(row))
        return images

    @property
    def face_ids(self) -> tuple[str, ...]:
        """All faces in the table's order."""
        return tuple(self._rows())

    def frame(self) -> pd.DataFrame:
        """Everything but the images, a row per face: face_id, success, checksum, quality figures, error."""
        frames = [self._shard(index).frame() for index in range(len(self.manifest.shards))]
        return pd.concat(frames, ignore_index=True)

    def check_subjects(self, subjects: Iterable[str], *, allow: bool = False) -> tuple[str, ...]:
        """Compare the subjects of a classifier with those the normalizer was trained on.

        Args:
            subjects: Who must be new to the normalizer, as `norface.people` names them.
            allow: Whether to return the common ones, to be printed in every report, instead of raising.

        Returns:
            Subjects on both sides, sorted.

        Raises:
            LeakageError: There are some and it is not allowed.
        """
        leaked = common_people(subjects, self.manifest.subjects)
        if leaked and not allow:
            more = f" and {len(leaked) - 10} more" if len(leaked) > 10 else ""
            raise LeakageError(
                expected="subjects that the normalizer was not trained on",
                found=f"{len(leaked)} that it was trained on: {', '.join(leaked[:10])}{more}",
                where=str(self.folder),
                action="Use other subjects. A classifier may train on subjects of the normalizer where several are "
                "cross-fitted (docs/pipeline.md). Or set allow_leakage: true, which every report will then say.",
            )
        return leaked

    def _rows(self) -> dict[str, tuple[int, int]]:
        if not self._index:
            for index in range(len(self.manifest.shards)):
                self._index.update({name: (index, row) for row, name in enumerate(self._shard(index).face_ids)})
        return self._index

    def _shard(self, index: int) -> ShardFile:
        opened = self._shards.get(index)
        if opened is None:
            shard = self.manifest.shards[index]
            header = ShardHeader(self.manifest.identity, self.manifest.encoding, shard)
            opened = self._shards[index] = ShardFile(self.folder / shard.file, header)
        return opened

    def _not_in_it(self) -> NoReturn:
        raise CacheError(
            expected="a face of this cache",
            found="one that is not in it",
            where=str(self.folder),
            action="Use the face table that the cache was built from.",
        )

    def _without_image(self, face_id: str) -> NoReturn:
        raise ImageError(
            expected="a normalized face",
            found="a face that could not be normalized",
            where=f"{self.folder}, face {face_id}",
            action="See failed.csv there.",
        )

    def __reduce__(self) -> tuple[type[NormalizedCache], tuple[Path, Manifest]]:
        return NormalizedCache, (self.folder, self.manifest)  # no maps, no index: the other process makes its own
