from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor

from norface.cache import NormalizedBatch, NormalizedCache
from norface.data import FaceDataModule, FaceTable
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


def build(path: Path, normalizer: Inverting, *, rank: int = 0, world_size: int = 1) -> NormalizedCache | None:
    return build_cache(
        FaceTable.load(path),
        normalizer,
        path.parent / "cache",
        alignment=ALIGNMENT,
        batch_size=4,
        shard_size=5,
        progress=False,
        rank=rank,
        world_size=world_size,
    )


def built(path: Path, normalizer: Inverting) -> NormalizedCache:
    cache = build(path, normalizer)
    assert cache is not None
    return cache


def test_classifier_splits_are_normalized_in_the_tables_order(table_path: Path) -> None:
    cache = built(table_path, Inverting())
    table = FaceTable.load(table_path)
    assert cache.face_ids == tuple(table.frame["face_id"][6:])
    assert cache.manifest.subjects == ("s0", "s1")
    image = cache.image("s3_1")
    assert image is not None
    assert image[0, 0].tolist() == [0, 8 * 10 + 10, 0]  # row 10
    assert cache["s3_1"].expression_distance == pytest.approx(cache["s3_1"].identity_to_target + 1)


def test_a_finished_cache_is_not_made_again(table_path: Path) -> None:
    built(table_path, Inverting())
    second = Inverting()
    built(table_path, second)
    assert second.calls == []


def test_interrupted_build_goes_on_where_it_stopped(table_path: Path) -> None:
    whole = built(table_path, Inverting(fingerprint="a" * 64))
    stopped = Inverting(stop_after=5)  # two batches a shard: the third shard is half done
    with pytest.raises(KeyboardInterrupt):
        build(table_path, stopped)
    with pytest.raises(CacheError, match="expected a finished cache"):
        find_cache(FaceTable.load(table_path), "f" * 64, table_path.parent / "cache", alignment=ALIGNMENT)
    second = Inverting()
    cache = built(table_path, second)
    assert sum(second.calls) == 18 - 10
    for name in cache.face_ids:
        a, b = cache.image(name), whole.image(name)
        assert a is not None
        assert b is not None
        assert (a == b).all()


def test_processes_share_the_shards(table_path: Path) -> None:
    first, second = Inverting(), Inverting()
    assert build(table_path, first, rank=0, world_size=2) is None
    cache = build(table_path, second, rank=1, world_size=2)
    assert cache is not None
    assert (sum(first.calls), sum(second.calls)) == (10, 8)
    assert len(cache) == 18


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
        cache = built(table_path, Inverting(nan_at=0))
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
    assert cache is not None
    assert len(cache) == 6
    with pytest.raises(SplitError, match="usable faces in nobody"):
        build_cache(table, Inverting(), folder, alignment=ALIGNMENT, splits=("nobody",), progress=False)
    whole = table.with_frame(table.frame.drop(columns="split"))
    cache = build_cache(whole, Inverting(), folder, alignment=ALIGNMENT, progress=False)
    assert cache is not None
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
    cache = built(table_path, Inverting())
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
