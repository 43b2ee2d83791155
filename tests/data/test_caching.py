from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Barrier
from typing import Any

import lightning
import pandas as pd
import pytest
import torch
from torch import Tensor

from norface.cache import CacheBuild, NormalizedBatch, NormalizedCache
from norface.data import FaceDataModule, FaceTable, caching
from norface.data.caching import build_cache, find_cache, table_fingerprint
from norface.errors import AlignmentError, CacheError, LeakageError, OutputError, SplitError
from norface.imaging.alignment import Alignment
from norface.imaging.convert import to_pixels

Write = Callable[[pd.DataFrame], Path]
ALIGNMENT = Alignment(32)


@dataclass
class Inverting:
    """A normalizer that swaps red and green; raises after `stop_after` batches, as Ctrl-C would."""

    fingerprint: str = "f" * 64
    subjects: tuple[str, ...] = ("s0", "s1")
    alignment: Alignment = ALIGNMENT
    stop_after: int | None = None
    nan_at: int | None = None
    calls: list[int] = field(default_factory=list)

    def normalize(self, original: Tensor) -> NormalizedBatch:
        if self.stop_after is not None and len(self.calls) >= self.stop_after:
            raise KeyboardInterrupt
        self.calls.append(len(original))
        image = original[:, [1, 0, 2]].clone()
        if self.nan_at is not None:
            image[self.nan_at] = torch.nan
        figures = torch.arange(len(original)) / 10
        return NormalizedBatch(image, figures, figures + 1)


@dataclass
class Source:
    normalizer: Inverting

    def load(self) -> Inverting:
        return self.normalizer


def build(path: Path, normalizer: Inverting, **options: Any) -> NormalizedCache:
    table, folder = FaceTable.load(path), path.parent / "cache"
    options = {"batch_size": 4, "shard_size": 5, "progress": False, "workers": 1, **options}
    return build_cache(table, normalizer, folder, alignment=ALIGNMENT, **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_classifier_splits_are_normalized_in_the_tables_order(table_path: Path) -> None:
    cache = build(table_path, Inverting())
    table = FaceTable.load(table_path)
    assert cache.face_ids == tuple(table.frame["face_id"][6:])
    assert cache.manifest.subjects == ("s0", "s1")
    image = cache.image("s3_1")
    assert image is not None
    assert image[0, 0].tolist() == [0, 8 * 10 + 10, 0]  # row 10
    assert cache["s3_1"].expression_distance == pytest.approx(cache["s3_1"].identity_to_target + 1)


def test_a_finished_cache_is_not_made_again(table_path: Path) -> None:
    build(table_path, Inverting())
    second = Inverting()
    build(table_path, second)
    assert second.calls == []


def test_interrupted_build_goes_on_where_it_stopped(table_path: Path) -> None:
    whole = build(table_path, Inverting(fingerprint="a" * 64))
    stopped = Inverting(stop_after=5)  # two batches a shard: the third shard is half done
    with pytest.raises(KeyboardInterrupt):
        build(table_path, stopped)
    with pytest.raises(CacheError, match="expected a finished cache"):
        find_cache(FaceTable.load(table_path), "f" * 64, table_path.parent / "cache", alignment=ALIGNMENT)
    second = Inverting()
    cache = build(table_path, second)
    assert sum(second.calls) == 18 - 10
    for name in cache.face_ids:
        a, b = cache.image(name), whole.image(name)
        assert a is not None
        assert b is not None
        assert (a == b).all()


@dataclass
class Thread:
    """One of several threads that stand for processes."""

    global_rank: int
    world_size: int
    meeting: Barrier
    board: list[Any]
    device: torch.device = caching.CPU

    def broadcast(self, obj: Any, src: int = 0) -> Any:
        if self.global_rank == src:
            self.board.append(obj)
        self.meeting.wait()
        return self.board[-1]

    def barrier(self) -> None:
        self.meeting.wait()


@pytest.mark.parametrize("workers", [1, 3])
def test_processes_share_the_missing_shards(table_path: Path, workers: int) -> None:
    whole = contents(build(table_path, Inverting(fingerprint="f" * 64)).folder)
    shutil.rmtree(table_path.parent / "cache")
    with pytest.raises(KeyboardInterrupt):
        build(table_path, Inverting(stop_after=3))  # the first of four shards is there
    meeting, normalizers = Barrier(2), [Inverting(), Inverting()]
    board: list[Any] = []
    with ThreadPoolExecutor() as pool:
        caches = [
            pool.submit(build, table_path, normalizer, processes=Thread(rank, 2, meeting, board), workers=workers)
            for rank, normalizer in enumerate(normalizers)
        ]
    assert [sum(normalizer.calls) for normalizer in normalizers] == [5 + 3, 5]  # dealt by what is missing
    for cache in caches:
        assert contents(cache.result().folder) == whole


@pytest.mark.parametrize("thorough", [True, False])
def test_a_thorough_build_repairs_what_a_quick_one_does_not_see(table_path: Path, thorough: bool) -> None:
    cache = build(table_path, Inverting())
    whole = contents(cache.folder)
    shard = cache.folder / cache.manifest.shards[1].file
    data = bytearray(whole[shard.name])
    data[len(data) // 2] ^= 1  # inside an image: they fill most of a shard
    shard.write_bytes(data)
    (cache.folder / "failed.csv").unlink()
    again = Inverting()
    build(table_path, again, thorough=thorough)
    assert (contents(cache.folder) == whole) == thorough
    assert sum(again.calls) == (5 if thorough else 0)


def test_faces_that_failed_are_tried_again_when_their_files_are_back(table_path: Path) -> None:
    file = table_path.parent / "images/s4_0.png"
    pixels = file.read_bytes()
    file.write_bytes(b"")
    cache = build(table_path, Inverting(nan_at=0))
    assert cache.manifest.failed > 1
    again = Inverting()
    assert build(table_path, again, thorough=True).image("s4_0") is None
    assert again.calls == []  # it fails as before, and what is not finite stays so
    file.write_bytes(pixels)
    assert build(table_path, again).image("s4_0") is None
    assert build(table_path, again, thorough=True).image("s4_0") is not None
    assert sum(again.calls) == 5


@pytest.mark.parametrize(("own", "processes", "share"), [(16, 1, 16), (16, 4, 4), (4, 4, 4), (2, 4, 2), (16, 40, 1)])
def test_processes_share_the_cores(own: int, processes: int, share: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(own), raising=False)
    assert caching.cores(processes) == share


def test_shards_that_show_up_late_are_waited_for(table_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = contents(build(table_path, Inverting()).folder)
    cache = NormalizedCache.open(next((table_path.parent / "cache").iterdir()))
    shard = cache.folder / cache.manifest.shards[0].file
    (cache.folder / "manifest.json").unlink()
    monkeypatch.setattr(CacheBuild, "write", lambda *_: None)  # as another node's, not yet to be seen here
    monkeypatch.setattr(time, "sleep", lambda _: shard.write_bytes(whole[shard.name]))
    shard.unlink()
    assert contents(build(table_path, Inverting()).folder) == whole
    (cache.folder / "manifest.json").unlink()
    shard.unlink()
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(caching, "VISIBLE_WITHIN_S", 0.01)
    with pytest.raises(CacheError, match="expected a whole shard, found no file"):
        build(table_path, Inverting())


def test_progress_bar_writes_to_stderr(table_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, progress in (("a", True), ("b", False)):
        table = FaceTable.load(table_path)
        build_cache(table, Inverting(), table_path.parent / folder, alignment=ALIGNMENT, progress=progress)
        out, err = capsys.readouterr()
        assert out == ""
        assert ("normalizing faces" in err) == progress


def test_bad_images_are_kept_without_image_and_listed(table_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = table_path.parent / "images/s4_0.png"
    file.write_bytes(file.read_bytes()[:50])
    with caplog.at_level(logging.WARNING):
        cache = build(table_path, Inverting(nan_at=0))
    failed = pd.read_csv(cache.folder / "failed.csv")
    assert "s4_0" in set(failed["face_id"])
    assert "truncated" in failed.set_index("face_id")["error"]["s4_0"]
    assert failed["error"].str.contains("not finite").sum() == 7  # one in each of the 4 x 2 batches but that of s4_0's
    assert cache.image("s4_0") is None
    assert "have no normalized face" in caplog.text


def test_cache_follows_rows_and_labels_but_not_split_names(table_path: Path) -> None:
    table = FaceTable.load(table_path)
    swapped = table.frame["split"].replace({"train": "val", "val": "train"})
    assert table_fingerprint(table.with_frame(table.frame.assign(split=swapped))) == table_fingerprint(table)
    assert table_fingerprint(table.with_frame(table.frame[1:])) != table_fingerprint(table)


def test_only_the_splits_asked_for(table_path: Path) -> None:
    table = FaceTable.load(table_path)
    folder = table_path.parent / "cache"
    cache = build_cache(table, Inverting(), folder, alignment=ALIGNMENT, splits=("val",), progress=False)
    assert len(cache) == 6
    with pytest.raises(SplitError, match="usable faces in nobody"):
        build_cache(table, Inverting(), folder, alignment=ALIGNMENT, splits=("nobody",), progress=False)
    whole = table.with_frame(table.frame.drop(columns="split"))
    cache = build_cache(whole, Inverting(), folder, alignment=ALIGNMENT, progress=False)
    assert len(cache) == 24


def test_normalizer_of_another_alignment(table_path: Path) -> None:
    with pytest.raises(AlignmentError, match="Use those that the normalizer was trained with"):
        build(table_path, Inverting(alignment=Alignment(64)))


def test_no_place_to_write(table_path: Path) -> None:
    (table_path.parent / "cache").write_text("a file where the folder should be")
    with pytest.raises(OutputError):
        build(table_path, Inverting())


def module(path: Path, normalizer: Inverting | None, **options: object) -> FaceDataModule:
    source = Source(normalizer) if normalizer is not None else None
    arguments = {"cache_dir": str(path.parent / "cache"), "image_size": 32, "batch_size": 4, **options}
    return FaceDataModule(str(path), source="cache", normalizer=source, **arguments)  # type: ignore[arg-type]


def test_datamodule_makes_and_reads_the_cache(table_path: Path) -> None:
    data = module(table_path, Inverting())
    data.prepare_data()
    data.setup()
    assert data.cache_folder.parent == table_path.parent / "cache"
    for loader in (data.train_dataloader(), data.test_dataloader(), data.predict_dataloader()):
        for batch in loader:
            assert torch.equal(batch["normalized"], batch["original"][:, [1, 0, 2]])
    assert [name for batch in data.predict_dataloader() for name in batch["face_id"]] == list(
        data.table.frame["face_id"][6:]
    )
    # A finished cache can be named itself, without its normalizer.
    alone = module(table_path, None, cache_dir=str(data.cache_folder))
    alone.prepare_data()
    alone.setup("test")
    assert next(iter(alone.test_dataloader()))["face_id"] == ["s6_0", "s6_1", "s6_2", "s7_0"]


def test_the_datamodule_normalizes_where_its_trainer_computes(
    table_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[Any] = []
    monkeypatch.setattr("norface.data.datamodule.build_cache", lambda *_, processes, **__: used.append(processes))
    data = module(table_path, Inverting())
    data.prepare_data()
    data.trainer = lightning.Trainer(accelerator="cpu", logger=False)
    data.prepare_data()
    assert used == [None, caching.Alone(torch.device("cpu"))]


def test_faces_without_normalized_image_are_left_out(table_path: Path) -> None:
    file = table_path.parent / "images/s6_0.png"
    file.write_bytes(b"")
    data = module(table_path, Inverting())
    data.prepare_data()
    data.setup("test")
    assert next(iter(data.test_dataloader()))["face_id"] == ["s6_1", "s6_2", "s7_0", "s7_1"]
    assert list(data.bad_faces) == ["s6_0"]


def test_missing_and_foreign_caches(table_path: Path, frame: pd.DataFrame) -> None:
    with pytest.raises(CacheError, match="expected a finished cache"):
        module(table_path, Inverting()).setup("test")
    with pytest.raises(CacheError, match=r"Set data.init_args.normalizer"):
        module(table_path, None).setup("test")
    cache = build(table_path, Inverting())
    with pytest.raises(CacheError, match="normalizer"):
        module(table_path, Inverting(fingerprint="0" * 64), cache_dir=str(cache.folder)).setup("test")
    frame.assign(AU01_r=1.0).to_csv(table_path, index=False)
    with pytest.raises(CacheError, match="table"):
        module(table_path, None, cache_dir=str(cache.folder)).setup("test")


@pytest.mark.parametrize("person", ["s2", "s6"])
def test_leakage_is_an_error_unless_allowed_and_then_known(table_path: Path, person: str) -> None:
    leaking = Inverting(subjects=("s0", person))
    data = module(table_path, leaking)
    data.prepare_data()
    with pytest.raises(LeakageError, match=f"1 that it was trained on: {person}"):
        data.setup("test")
    allowed = module(table_path, leaking, allow_leakage=True)
    allowed.prepare_data()
    allowed.setup("test")
    assert allowed.leaked_subjects == (person,)
    clean = module(table_path, replace(leaking, fingerprint="1" * 64, subjects=("s0",)))
    clean.prepare_data()
    clean.setup("test")
    assert clean.leaked_subjects == ()


def test_what_the_cache_holds_is_what_the_normalizer_made(table_path: Path) -> None:
    data = module(table_path, Inverting())
    data.prepare_data()
    data.setup("test")
    batch = next(iter(data.test_dataloader()))
    expected = to_pixels(Inverting().normalize(batch["original"]).image)
    assert (to_pixels(batch["normalized"]) == expected).all()
