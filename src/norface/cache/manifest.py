"""The manifest of a cache: its parents, its shards and whom its normalizer was trained on.

It is written last, so a folder with a manifest is a finished cache. It carries a digest of itself: an edited list of
training subjects would defeat the leakage check.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, NoReturn, TypeVar, get_args

from norface.cache.durable import write_durably
from norface.cache.key import CacheIdentity, canonical_json
from norface.errors import CacheError
from norface.imaging.alignment import Alignment

MANIFEST = "manifest.json"
SCHEMA_VERSION = 1

Encoding = Literal["png", "raw"]
"""``raw``: the uint8 pixels ``(H, W, 3)`` themselves, many times faster to read; ``png``: half the size or less.

Both are exact; `docs/cache.md` has the figures.
"""
DEFAULT_ENCODING: Encoding = "raw"

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """One file of a cache and the rows of the face table that it holds."""

    file: str
    first_row: int
    rows: int

    @property
    def last_row(self) -> int:
        """Last row, inclusive."""
        return self.first_row + self.rows - 1

    @property
    def span(self) -> slice:
        """The rows as a slice of the table."""
        return slice(self.first_row, self.first_row + self.rows)


def plan(faces: int, shard_size: int) -> tuple[Shard, ...]:
    """Cut a table into shards; the same numbers always give the same shards."""
    starts = range(0, faces, shard_size)
    return tuple(
        Shard(f"shard-{index:05d}-of-{len(starts):05d}.arrow", start, min(shard_size, faces - start))
        for index, start in enumerate(starts)
    )


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What `manifest.json` says.

    Args:
        identity: The parents.
        subjects: Subjects the normalizer was trained on.
        faces: Rows of the table, failed ones included.
        failed: Rows without an image.
        shard_size: Rows per shard (the last one may hold fewer).
        encoding: How images are stored.
        sha256: Digest in hex of each shard file, in order.
        gate_passed: Whether the normalizer passed the gate, None = not yet known.
        normalizers: Fingerprint and training subjects of each, where several have cross-fitted this cache; else empty.
    """

    identity: CacheIdentity
    subjects: tuple[str, ...]
    faces: int
    failed: int
    shard_size: int
    encoding: Encoding
    sha256: tuple[str, ...]
    gate_passed: bool | None = None
    normalizers: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @cached_property
    def shards(self) -> tuple[Shard, ...]:
        """The files, in order of their rows."""
        return plan(self.faces, self.shard_size)

    def describe(self) -> dict[str, object]:
        """Plain data as written to the file."""
        body: dict[str, object] = {
            "schema": SCHEMA_VERSION,
            "created_by": f"norface {self.identity.version}",
            "key": self.identity.key,
            "identity": self.identity.describe(),
            "gate_passed": self.gate_passed,
            "subjects": list(self.subjects),
            "faces": self.faces,
            "failed": self.failed,
            "shard_size": self.shard_size,
            "encoding": self.encoding,
            "shards": [
                {**vars(shard), "last_row": shard.last_row, "sha256": digest}
                for shard, digest in zip(self.shards, self.sha256, strict=True)
            ],
        }
        if self.normalizers:  # others look as they always did
            body["normalizers"] = [{"fingerprint": one, "subjects": list(names)} for one, names in self.normalizers]
        return {**body, "digest": hashlib.sha256(canonical_json(body)).hexdigest()}

    def save(self, folder: Path) -> None:
        """Write the file.

        Raises:
            OutputError: The folder cannot be written to.
        """
        write_durably(folder / MANIFEST, (json.dumps(self.describe(), indent=1) + "\n").encode())

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read and check the file.

        Raises:
            CacheError: There is no finished cache, or its manifest is damaged, edited or of another schema version.
        """
        path = folder / MANIFEST
        try:
            data = json.loads(path.read_bytes())
        except OSError as error:
            raise CacheError(
                expected="a finished cache",
                found=error.strerror or "an unreadable manifest",
                where=str(path),
                action="Build it with `norface cache build`; an interrupted build goes on where it stopped.",
            ) from error
        except (ValueError, RecursionError):
            _damaged(str(path), "valid JSON", "something else")
        manifest = _parse(data, str(path))
        _require_equal(manifest.describe(), data, str(path))
        return manifest


def mark_gate(folder: Path, passed: bool) -> None:
    """Record in a finished cache whether its normalizer passed the gate.

    Raises:
        CacheError: There is no readable manifest.
        OutputError: The folder cannot be written to.
    """
    replace(Manifest.load(folder), gate_passed=passed).save(folder)


def _parse(data: object, where: str) -> Manifest:
    # Reads only what cannot be derived; `_require_equal` then compares everything else with what is derived from it.
    if (schema := _take(data, "schema", int, where)) != SCHEMA_VERSION:
        _damaged(where, f"schema {SCHEMA_VERSION}", f"schema {schema}")
    encoding, gate = _take(data, "encoding", str, where), _take(data, "gate_passed", object, where)
    faces, shard_size = _take(data, "faces", int, where), _take(data, "shard_size", int, where)
    shards = _take(data, "shards", list, where)
    if faces < 1 or shard_size < 1 or len(shards) != -(-faces // shard_size):
        _damaged(where, f"the shards of {faces} faces, {shard_size} to a shard", f"{len(shards)} shards")
    if encoding not in get_args(Encoding) or not (gate is None or isinstance(gate, bool)):
        _damaged(where, "a known encoding and gate status", f"{encoding!r} and {gate!r}")
    several = _take(data, "normalizers", list, where) if isinstance(data, dict) and "normalizers" in data else []
    return Manifest(
        identity=_parse_identity(_take(data, "identity", dict, where), where),
        subjects=_names(data, where),
        faces=faces,
        failed=_take(data, "failed", int, where),
        shard_size=shard_size,
        encoding="png" if encoding == "png" else "raw",
        sha256=tuple(_take(shard, "sha256", str, where) for shard in shards),
        gate_passed=gate,
        normalizers=tuple((_take(one, "fingerprint", str, where), _names(one, where)) for one in several),
    )


def _names(data: object, where: str) -> tuple[str, ...]:
    subjects = _take(data, "subjects", list, where)
    if not all(isinstance(subject, str) for subject in subjects):
        _damaged(where, "subjects by name", "something else")
    return tuple(subjects)


def _parse_identity(data: object, where: str) -> CacheIdentity:
    alignment = _take(data, "alignment", dict, where)
    size = _take(alignment, "size", int, where)
    if size < 1:
        _damaged(where, "a size of at least 1 pixel", str(size))
    return CacheIdentity(
        normalizer=_take(data, "normalizer", str, where),
        table=_take(data, "table", str, where),
        alignment=Alignment(
            size=size,
            margin=_take(alignment, "margin", float, where),
            drop=_take(alignment, "drop", float, where),
            frame=_take(alignment, "template", str, where),
        ),
        cache_format=_take(data, "cache_format", int, where),
        version=_take(data, "version", str, where),
    )


def _take(data: object, key: str, kind: type[T], where: str) -> T:
    value = data.get(key, _take) if isinstance(data, dict) else _take
    # JSON's true is no number, although Python's True is an int.
    if not isinstance(value, kind) or value is _take or (kind is int and isinstance(value, bool)):
        found = "nothing" if value is _take else repr(value)[:60]
        _damaged(where, f"{key!r}" if kind is object else f"{key!r} of type {kind.__name__}", found)
    return value


def _require_equal(derived: dict[str, object], data: dict[str, object], where: str) -> None:
    mine, theirs = ({key: canonical_json(value) for key, value in side.items()} for side in (derived, data))
    differing = [key for key in [*mine, *theirs] if mine.get(key) != theirs.get(key)]
    if differing:
        _damaged(where, "the manifest as it was written", f"another {differing[0]!r}")


def _damaged(where: str, expected: str, found: str) -> NoReturn:
    raise CacheError(
        expected=expected,
        found=f"{found} (the manifest is damaged, was edited, or is of another version)",
        where=where,
        action="Delete the manifest and run `norface cache build` again: finished shards are kept.",
    )
