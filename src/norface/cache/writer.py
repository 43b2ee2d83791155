"""Build a cache shard by shard: resumable after any interruption, by one process or by many."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from norface.cache.durable import remove_stale, write_durably
from norface.cache.key import CacheIdentity
from norface.cache.manifest import DEFAULT_ENCODING, Encoding, Manifest, Shard, plan
from norface.cache.shard import CachedFace, ShardFile, ShardHeader, encode_image, encode_shard
from norface.errors import CacheError, ConfigError, OutputError

FAILED = "failed.csv"
_READERS = 4


class CacheBuild:
    """What is done and what is missing of one cache.

    A build is a loop over `missing` that gives each shard to `write`, then `finish`; started again, it goes on where it
    stopped. The same faces give the same bytes, however often it was interrupted and whoever wrote which shard.

    Args:
        folder: Folder of this cache, usually ``identity.folder(cache_dir)``.
        identity: The parents.
        subjects: Subjects the normalizer was trained on.
        normalizers: Fingerprint and training subjects of each, where several share the faces.
        face_ids: All faces of the table, in its order.
        shard_size: Rows per shard; a finished cache keeps its own.
        encoding: How images are stored; a finished cache keeps its own.

    Raises:
        CacheError: The folder holds a cache with other parents, or faces are missing or doubled.
        ConfigError: The shard size is not positive.
    """

    def __init__(
        self,
        folder: Path,
        *,
        identity: CacheIdentity,
        subjects: Iterable[str],
        normalizers: Iterable[tuple[str, Sequence[str]]] = (),
        face_ids: Sequence[str],
        shard_size: int = 1024,
        encoding: Encoding = DEFAULT_ENCODING,
    ) -> None:
        self.folder, self.identity = folder, identity
        self.subjects = tuple(sorted(set(subjects)))
        self.normalizers = tuple((name, tuple(sorted(set(trained)))) for name, trained in normalizers)
        self.face_ids = _unique(face_ids, where=str(folder))
        if shard_size < 1:
            raise ConfigError(
                expected="at least 1 row per shard",
                found=str(shard_size),
                where="shard_size",
                action="Choose a positive number, for example 1024.",
            )
        self.manifest = self._existing_manifest()
        if self.manifest is not None:
            shard_size, encoding = self.manifest.shard_size, self.manifest.encoding
        self.shard_size, self.encoding = shard_size, encoding
        self.plan = plan(len(self.face_ids), shard_size)
        remove_stale(folder)

    def missing(self, *, thorough: bool = False) -> list[Shard]:
        """Shards that are still to be written; a damaged or foreign file does not count as written.

        Args:
            thorough: Look at every byte of the others; if not, at their headers and face ids, which takes no time.
        """
        written = self._is_intact if thorough else self._is_finished
        with ThreadPoolExecutor(_READERS) as pool:  # digests are taken without the interpreter lock
            finished = pool.map(written, self.plan)
        return [shard for shard, done in zip(self.plan, finished, strict=True) if not done]

    @property
    def complete(self) -> bool:
        """Manifest and all shards are there."""
        return self.manifest is not None and not self.missing()

    def failures(self, shard: Shard) -> list[tuple[str, str]]:
        """Face id and error of each face of a written shard that has no image.

        Raises:
            CacheError: The shard is missing or damaged.
        """
        return failed_rows(self._open(shard))

    def encode(self, shard: Shard, face: CachedFace) -> bytes | None:
        """Encode the image of one face; `write` takes it, so that several threads can share that work.

        Raises:
            CacheError: The image is not of the size that the alignment says.
        """
        return encode_image(face, self._header(shard))

    def write(self, shard: Shard, faces: Iterable[CachedFace], images: Sequence[bytes | None] | None = None) -> None:
        """Write one shard; it appears whole or not at all.

        Args:
            shard: One of `plan`.
            faces: Its rows, in the table's order.
            images: What `encode` gave for each of them; None: not called yet.

        Raises:
            CacheError: An image is not of the size that the alignment says.
            OutputError: The folder cannot be written to, or the disk is full.
            ValueError: The faces are not those of the shard.
        """
        rows = list(faces)
        if [face.face_id for face in rows] != list(self.face_ids[shard.span]):
            raise ValueError(f"the faces given are not rows {shard.first_row} to {shard.last_row} of the table")
        encoded = [self.encode(shard, face) for face in rows] if images is None else images
        write_durably(self.folder / shard.file, encode_shard(rows, encoded, self._header(shard)))

    def finish(self) -> Manifest:
        """List the failed faces and write the manifest, when all processes have written their shards.

        Raises:
            CacheError: A shard is missing.
            OutputError: The folder cannot be written to.
        """
        failures = [row for shard in self.plan for row in self.failures(shard)]
        self._remove_other_shards()
        _write_changed(self.folder / FAILED, failed_csv(failures))
        finished = Manifest(
            identity=self.identity,
            subjects=self.subjects,
            faces=len(self.face_ids),
            failed=len(failures),
            shard_size=self.shard_size,
            encoding=self.encoding,
            sha256=tuple(file_sha256(self.folder / shard.file) for shard in self.plan),
            gate_passed=self.manifest.gate_passed if self.manifest else None,
            normalizers=self.normalizers,
        )
        if finished != self.manifest:
            finished.save(self.folder)
        self.manifest = finished
        return finished

    def _existing_manifest(self) -> Manifest | None:
        try:
            found = Manifest.load(self.folder)
        except CacheError:
            return None  # missing or damaged: `finish` writes a new one
        self.identity.require(found.identity, where=str(self.folder))
        mine = (len(self.face_ids), self.subjects, self.normalizers)
        agrees = (found.faces, found.subjects, found.normalizers) == mine
        return found if agrees else None

    def _header(self, shard: Shard) -> ShardHeader:
        return ShardHeader(self.identity, self.encoding, shard)

    def _open(self, shard: Shard) -> ShardFile:
        return ShardFile(self.folder / shard.file, self._header(shard))

    def _is_finished(self, shard: Shard) -> bool:
        # Cheap: header and face ids; a renamed file is whole, and `verify` looks at every byte.
        try:
            return self._open(shard).face_ids == list(self.face_ids[shard.span])
        except CacheError:
            return False

    def _is_intact(self, shard: Shard) -> bool:
        if not self._is_finished(shard):
            return False
        if self.manifest is None:
            return self._open(shard).is_as_written()
        return file_sha256(self.folder / shard.file) == self.manifest.sha256[shard.first_row // self.shard_size]

    def _remove_other_shards(self) -> None:
        # An interrupted build with another shard size leaves files that no manifest will ever list.
        keep = {shard.file for shard in self.plan}
        try:
            for path in self.folder.glob("shard-*-of-*.arrow"):
                if path.name not in keep:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                expected="a folder to write to",
                found=error.strerror or str(error),
                where=str(self.folder),
                action="Change its permissions, then run the same command again.",
            ) from error


def failed_rows(shard: ShardFile) -> list[tuple[str, str]]:
    """Face id and error of each face without an image."""
    frame = shard.frame()
    failed = frame[~frame["success"]]
    return list(zip(failed["face_id"].astype(str), failed["error"].fillna("").astype(str), strict=True))


def failed_csv(rows: Iterable[tuple[str, str]]) -> bytes:
    """The list of failed faces as the file's bytes."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("face_id", "error"), *rows])
    return text.getvalue().encode()


def file_sha256(path: Path) -> str:
    """sha256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_changed(path: Path, data: bytes) -> None:
    if not (path.is_file() and path.read_bytes() == data):
        write_durably(path, data)


def _unique(face_ids: Sequence[str], *, where: str) -> tuple[str, ...]:
    ids = tuple(str(face_id) for face_id in face_ids)
    if not ids or len(set(ids)) != len(ids):
        raise CacheError(
            expected="at least one face, each id once",
            found=f"{len(ids)} faces with {len(set(ids))} ids",
            where=where,
            action="Correct the face table: `norface data check` lists what is wrong.",
        )
    return ids
