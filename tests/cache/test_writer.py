from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from norface.cache import CacheBuild, CachedFace, CacheIdentity, NormalizedCache, mark_gate
from norface.cache.manifest import MANIFEST, Encoding
from norface.errors import CacheError, ConfigError, OutputError

Build = Callable[..., CacheBuild]
Complete = Callable[[CacheBuild], Path]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_two_builds_are_byte_equal(new_build: Build, complete: Complete, encoding: Encoding) -> None:
    one, two = (contents(complete(new_build(name, encoding=encoding))) for name in ("one", "two"))
    assert one == two
    assert len(one) == 5  # three shards, the manifest and the list of failed faces


def test_resumed_build_equals_an_undisturbed_one(
    new_build: Build, complete: Complete, faces: list[CachedFace], folder: Path
) -> None:
    build = new_build("resumed")

    def stopping() -> list[CachedFace]:
        raise KeyboardInterrupt

    build.write(build.plan[1], faces[build.plan[1].span])
    with pytest.raises(KeyboardInterrupt):
        build.write(build.plan[0], stopping())
    half = build.folder / f".{build.plan[0].file}.0123456789ab.tmp"
    half.write_bytes((folder / build.plan[0].file).read_bytes()[:100])
    with pytest.raises(CacheError, match="expected a finished cache"):
        NormalizedCache.open(build.folder)

    again = new_build("resumed")
    assert again.missing() == [again.plan[0], again.plan[2]]
    assert not again.complete
    complete(again)
    assert again.complete
    assert new_build("resumed").complete
    half.unlink()
    assert contents(build.folder) == contents(folder)


def test_several_processes_share_the_work(new_build: Build, faces: list[CachedFace], folder: Path) -> None:
    ranks = [new_build("shared"), new_build("shared")]
    shards = [build.missing()[rank::2] for rank, build in enumerate(ranks)]
    assert sorted(shard.first_row for part in shards for shard in part) == [0, 4, 8]
    with pytest.raises(CacheError, match=r"shard-00000-of-00003\.arrow: expected a whole shard, found no file"):
        ranks[0].finish()
    for build, part in zip(ranks, shards, strict=True):
        for shard in part:
            build.write(shard, faces[shard.span])
    for build in ranks:  # both may find that nothing is missing
        build.finish()
    assert contents(ranks[0].folder) == contents(folder)


@pytest.mark.parametrize("manifest", [True, False])
@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_a_thorough_look_finds_every_flip(
    new_build: Build, complete: Complete, encoding: Encoding, manifest: bool
) -> None:
    folder = complete(new_build("flipped", encoding=encoding))
    if not manifest:
        (folder / MANIFEST).unlink()
    build = new_build("flipped", encoding=encoding)
    assert build.missing(thorough=True) == []
    path = folder / build.plan[1].file
    original = path.read_bytes()
    for place in range(3, len(original), 97):
        data = bytearray(original)
        data[place] ^= 0x10
        path.write_bytes(data)
        assert build.missing(thorough=True) == [build.plan[1]], f"byte {place}"


def test_a_manifest_of_other_subjects_is_written_again(new_build: Build, complete: Complete, folder: Path) -> None:
    before = contents(folder)
    replace(NormalizedCache.open(folder).manifest, subjects=()).save(folder)
    assert not new_build().complete
    complete(new_build())
    assert contents(folder) == before


def test_damaged_and_foreign_shards_are_made_again(
    new_build: Build, complete: Complete, folder: Path, identity: CacheIdentity, faces: list[CachedFace]
) -> None:
    before = contents(folder)
    names = sorted(name for name in before if name.endswith(".arrow"))
    (folder / names[0]).write_bytes(before[names[0]][:200])
    other = CacheBuild(
        folder.with_name("other"),
        identity=replace(identity, normalizer="f" * 64),
        subjects=(),
        face_ids=[face.face_id for face in faces],
        shard_size=4,
    )
    other.write(other.plan[2], faces[other.plan[2].span])
    (folder / names[2]).write_bytes((other.folder / names[2]).read_bytes())
    build = new_build()
    assert [shard.file for shard in build.missing()] == [names[0], names[2]]
    assert not build.complete
    complete(build)
    assert contents(folder) == before


def test_a_damaged_manifest_is_written_again(new_build: Build, complete: Complete, folder: Path) -> None:
    before = contents(folder)
    (folder / MANIFEST).write_text("{}")
    build = new_build()
    assert build.missing() == []
    assert not build.complete
    complete(build)
    assert contents(folder) == before


def test_repair_keeps_the_gate_status(new_build: Build, complete: Complete, folder: Path) -> None:
    mark_gate(folder, False)
    (folder / new_build().plan[0].file).unlink()
    complete(new_build())
    assert NormalizedCache.open(folder).manifest.gate_passed is False


def test_a_finished_cache_keeps_its_layout(new_build: Build, folder: Path) -> None:
    build = new_build(shard_size=2, encoding="raw")
    assert build.complete
    assert (build.folder, build.shard_size, build.encoding) == (folder, 4, "png")


def test_shards_of_an_abandoned_layout_are_removed(
    new_build: Build, complete: Complete, faces: list[CachedFace]
) -> None:
    abandoned = new_build(shard_size=5)
    abandoned.write(abandoned.plan[0], faces[:5])
    folder = complete(new_build(shard_size=4))
    assert not (folder / abandoned.plan[0].file).exists()


def test_a_folder_of_another_cache_is_refused(folder: Path, identity: CacheIdentity) -> None:
    other = replace(identity, table="e" * 64)
    with pytest.raises(CacheError, match=r"expected table eee.*found table bbb"):
        CacheBuild(folder, identity=other, subjects=(), face_ids=["x"])


def test_failed_faces_are_listed(folder: Path) -> None:
    assert (folder / "failed.csv").read_text() == "face_id,error\nface3,a truncated file\n"


def test_full_disk_leaves_no_shard(
    new_build: Build, complete: Complete, faces: list[CachedFace], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = new_build("full")

    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_space)
        with pytest.raises(OutputError, match=r"No space left on device\. Free some space"):
            build.write(build.plan[0], faces[:4])
    assert contents(build.folder) == {}
    assert contents(complete(build)) == contents(folder)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_read_only_folder(new_build: Build, faces: list[CachedFace]) -> None:
    build = new_build("locked")
    build.folder.mkdir()
    build.folder.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        build.write(build.plan[0], faces[:4])


def test_no_permission_to_write(new_build: Build, faces: list[CachedFace], monkeypatch: pytest.MonkeyPatch) -> None:
    build = new_build("locked")

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        with pytest.raises(OutputError, match="Permission denied"):
            build.write(build.plan[0], faces[:4])
    assert contents(build.folder) == {}


def test_no_permission_to_remove_an_abandoned_shard(
    new_build: Build, faces: list[CachedFace], complete: Complete, monkeypatch: pytest.MonkeyPatch
) -> None:
    abandoned = new_build(shard_size=5)
    abandoned.write(abandoned.plan[0], faces[:5])

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        complete(new_build(shard_size=4))


@pytest.mark.parametrize("face_ids", [[], ["a", "b", "a"]])
def test_face_ids_must_be_unique(tmp_path: Path, identity: CacheIdentity, face_ids: list[str]) -> None:
    with pytest.raises(CacheError, match="at least one face, each id once"):
        CacheBuild(tmp_path, identity=identity, subjects=(), face_ids=face_ids)


def test_impossible_options(new_build: Build) -> None:
    with pytest.raises(ConfigError, match="shard_size: expected at least 1"):
        new_build(shard_size=0)


def test_faces_of_other_rows_are_refused(new_build: Build, faces: list[CachedFace]) -> None:
    build = new_build()
    with pytest.raises(ValueError, match="not rows 0 to 3"):
        build.write(build.plan[0], faces[1:5])


def test_image_of_another_size_is_refused(new_build: Build, faces: list[CachedFace]) -> None:
    build = new_build()
    wrong = CachedFace(face_id="face0", image=np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(CacheError, match=r"normalized face face0: expected uint8 pixels \(8, 8, 3\)"):
        build.write(build.plan[0], [wrong, *faces[1:4]])
