from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from norface.cache import CacheBuild, CachedFace, CacheIdentity, Manifest
from norface.cache.verify import Problem, export, stats, verify
from norface.errors import CacheError, OutputError
from norface.imaging.files import read_image

SHARD = "shard-00001-of-00003.arrow"


def test_an_untouched_cache_is_sound(folder: Path) -> None:
    assert verify(folder) == []


def test_a_flip_anywhere_is_found(folder: Path) -> None:
    path = folder / SHARD
    original = path.read_bytes()
    for place in range(0, len(original), 23):
        data = bytearray(original)
        data[place] ^= 0x10
        path.write_bytes(data)
        problems = verify(folder)
        assert problems, f"byte {place}"
        assert {problem.file for problem in problems} == {SHARD}


@pytest.mark.parametrize("length", [0, 7, 500, -1])
def test_truncation_is_found(folder: Path, length: int) -> None:
    (folder / SHARD).write_bytes((folder / SHARD).read_bytes()[:length])
    assert [problem.file for problem in verify(folder)] == [SHARD]


def test_altered_faces_are_named(folder: Path) -> None:
    data = bytearray((folder / SHARD).read_bytes())
    data[data.index(b"IEND") - 10] ^= 1
    (folder / SHARD).write_bytes(data)
    [problem] = verify(folder)
    assert "face face4" in problem.message


def test_missing_and_foreign_shards_are_found(folder: Path) -> None:
    (folder / SHARD).rename(folder / "shard-00007-of-00009.arrow")
    missing, foreign = verify(folder)
    assert (missing.file, foreign) == (SHARD, Problem("shard-00007-of-00009.arrow", "not listed in the manifest"))
    assert "no file" in missing.message


def test_shard_of_another_cache_is_found(
    folder: Path, identity: CacheIdentity, faces: list[CachedFace], tmp_path: Path
) -> None:
    ids = [face.face_id for face in faces]
    other = replace(identity, table="f" * 64)
    build = CacheBuild(tmp_path / "other", identity=other, subjects=(), face_ids=ids, shard_size=4)
    build.write(build.plan[1], faces[build.plan[1].span])
    (build.folder / SHARD).rename(folder / SHARD)
    [problem] = verify(folder)
    assert "another cache" in problem.message


def test_manifest_problems_are_found(folder: Path) -> None:
    manifest = Manifest.load(folder)
    replace(manifest, failed=5).save(folder)
    assert verify(folder) == [Problem("manifest.json", "5 failed faces, but the shards hold 1")]
    data = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**data, "subjects": []}))
    [problem] = verify(folder)
    assert "was edited" in problem.message
    (folder / "manifest.json").unlink()
    [problem] = verify(folder)
    assert "expected a finished cache" in problem.message


def test_altered_list_of_failures_is_found(folder: Path) -> None:
    (folder / "failed.csv").write_text("face_id,error\n")
    assert [problem.file for problem in verify(folder)] == ["failed.csv"]
    (folder / "failed.csv").unlink()
    assert [problem.file for problem in verify(folder)] == ["failed.csv"]


def test_stats(folder: Path, identity: CacheIdentity, faces: list[CachedFace]) -> None:
    summary = stats(folder)
    assert (summary["faces"], summary["failed"], summary["shards"], summary["normalizer_subjects"]) == (10, 1, 3, 2)
    assert summary["bytes"] == sum(path.stat().st_size for path in folder.glob("*.arrow"))
    assert summary["parents"] == identity.describe()
    distance = summary["expression_distance"]
    assert isinstance(distance, dict)
    assert distance["mean"] == pytest.approx(np.nanmean([face.expression_distance for face in faces]), rel=1e-6)
    assert distance["p5"] < distance["p50"] < distance["p95"]
    json.dumps(summary, allow_nan=False)


def test_stats_without_figures(tmp_path: Path, identity: CacheIdentity) -> None:
    build = CacheBuild(tmp_path / "bare", identity=identity, subjects=(), face_ids=["x"])
    build.write(build.plan[0], [CachedFace(face_id="x", image=None, error="missing")])
    build.finish()
    summary = stats(build.folder)
    assert summary["identity_to_target"] == {"mean": None, "p5": None, "p50": None, "p95": None}


def test_export_writes_every_image(folder: Path, faces: list[CachedFace], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert export(folder, out) == 9
    assert not (out / "face3.png").exists()
    np.testing.assert_array_equal(read_image(out / "face5.png"), faces[5].image)
    assert (out / "index.csv").read_text().splitlines()[:2] == ["face_id,file", "face0,face0.png"]


def test_export_stays_inside_its_folder(tmp_path: Path, identity: CacheIdentity) -> None:
    ids = ["../up", "/root", "a/b", "a_b", "A_B", "..", ".hidden", "x" * 300, "ü", "nul\x00", "c:\\d"]
    build = CacheBuild(tmp_path / "odd", identity=identity, subjects=(), face_ids=ids)
    images = [np.full((8, 8, 3), row, np.uint8) for row in range(len(ids))]
    build.write(build.plan[0], [CachedFace(face_id=i, image=image) for i, image in zip(ids, images, strict=True)])
    build.finish()
    before = set(tmp_path.iterdir())
    out = tmp_path / "out"
    assert export(build.folder, out) == len(ids)
    assert set(tmp_path.iterdir()) == before | {out}
    assert len({path.name.casefold() for path in out.glob("*.png")}) == len(ids)
    assert sorted(int(read_image(path)[0, 0, 0]) for path in out.rglob("*.png")) == list(range(len(ids)))
    assert (out / "a_b.png").is_file()


def test_export_refuses_damage_and_impossible_folders(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        export(folder, tmp_path / "file")
    data = bytearray((folder / SHARD).read_bytes())
    data[data.index(b"IEND") - 10] ^= 1
    (folder / SHARD).write_bytes(data)
    with pytest.raises(CacheError, match="face face4"):
        export(folder, tmp_path / "out")


def test_sound_after_repair(
    folder: Path, new_build: Callable[..., CacheBuild], complete: Callable[[CacheBuild], Path]
) -> None:
    (folder / SHARD).write_bytes(b"")
    assert verify(folder)
    complete(new_build())
    assert verify(folder) == []
