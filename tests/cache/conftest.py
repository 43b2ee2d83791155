"""A small cache and the pieces it is built from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from norface.cache import CacheBuild, CachedFace, CacheIdentity
from norface.cache.manifest import Encoding
from norface.imaging.alignment import Alignment

Build = Callable[..., CacheBuild]


@pytest.fixture
def identity() -> CacheIdentity:
    return CacheIdentity(normalizer="a" * 64, table="b" * 64, alignment=Alignment(size=8, margin=0.25))


@pytest.fixture
def faces() -> list[CachedFace]:
    """Ten faces of noise; the fourth failed."""
    rng = np.random.default_rng(0)
    return [
        CachedFace(face_id=f"face{row}", image=None, error="a truncated file")
        if row == 3
        else CachedFace(
            face_id=f"face{row}",
            image=rng.integers(0, 256, (8, 8, 3), np.uint8),
            identity_to_target=0.5 + row / 20,
            expression_distance=row / 10,
        )
        for row in range(10)
    ]


@pytest.fixture
def new_build(tmp_path: Path, identity: CacheIdentity, faces: list[CachedFace]) -> Build:
    """Start a build of the ten faces, four to a shard."""

    def start(name: str = "cache", *, shard_size: int = 4, encoding: Encoding = "png") -> CacheBuild:
        face_ids = [face.face_id for face in faces]
        options = {"identity": identity, "subjects": ("s2", "s1"), "face_ids": face_ids}
        return CacheBuild(tmp_path / name, shard_size=shard_size, encoding=encoding, **options)  # type: ignore[arg-type]

    return start


@pytest.fixture
def complete(faces: list[CachedFace]) -> Callable[[CacheBuild], Path]:
    """Write whatever a build misses."""

    def run(build: CacheBuild) -> Path:
        for shard in build.missing():
            build.write(shard, faces[shard.span])
        build.finish()
        return build.folder

    return run


@pytest.fixture
def folder(new_build: Build, complete: Callable[[CacheBuild], Path]) -> Path:
    """A finished cache of three shards."""
    return complete(new_build())
