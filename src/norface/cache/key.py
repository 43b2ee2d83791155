"""The content address of a cache: everything that decides what its images look like."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from norface import __version__
from norface.errors import CacheError
from norface.imaging.alignment import Alignment

CACHE_FORMAT = 1
"""Raised whenever shards or manifest change in a way that older readers would misread."""

Plain = dict[str, str | int | float]


@dataclass(frozen=True, kw_only=True)
class CacheIdentity:
    """The parents of a cache. Two caches with equal identities hold the same images.

    Args:
        normalizer: Fingerprint of the normalizer (weights, target and alignment).
        table: Fingerprint of the face table.
        alignment: How the normalized faces are cropped.
        cache_format: Version of the file layout.
        version: Version of norface.
    """

    normalizer: str
    table: str
    alignment: Alignment
    cache_format: int = CACHE_FORMAT
    version: str = __version__

    def describe(self) -> dict[str, str | int | Plain]:
        """Plain data for manifest and shards, one entry per parent."""
        return {
            "normalizer": self.normalizer,
            "table": self.table,
            "alignment": _geometry(self.alignment),
            "cache_format": self.cache_format,
            "version": self.version,
        }

    @property
    def key(self) -> str:
        """sha256 in hex over all parents."""
        return hashlib.sha256(canonical_json(self.describe())).hexdigest()

    def folder(self, cache_dir: Path) -> Path:
        """Where the cache of this identity belongs among other caches."""
        return cache_dir / self.key[:16]

    def require(self, found: CacheIdentity, *, where: str) -> None:
        """Compare with what a cache was made from.

        Raises:
            CacheError: A parent differs; the message names each with both values.
        """
        mine, theirs = self.describe(), found.describe()
        parents = [name for name in mine if mine[name] != theirs[name]]
        if parents:
            raise CacheError(
                expected=", ".join(f"{name} {_short(mine[name])}" for name in parents),
                found=", ".join(f"{name} {_short(theirs[name])}" for name in parents),
                where=where,
                action="Build a cache for these parents with `norface cache build`, or name the right folder.",
            )


def _geometry(alignment: Alignment) -> Plain:
    # Equal alignments must have equal keys, whether a margin was written 0 or 0.0; only the size counts pixels.
    parts = alignment.describe().items()
    return {name: float(part) if isinstance(part, int) and name != "size" else part for name, part in parts}


def canonical_json(data: object) -> bytes:
    """The one way to write plain data as bytes: equal data give equal bytes."""
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


def _short(value: str | int | Plain) -> str:
    if isinstance(value, dict):
        return "(" + " ".join(f"{name}={part}" for name, part in value.items()) + ")"
    return str(value)
