"""One cache by several normalizers: the toy people s2, s3 train classifier and normalizers, s4 to s7 nobody."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from norface.cache import CrossFitted, FaceNormalizer, Manifest, NormalizedBatch, NormalizedCache
from norface.data import FaceDataModule, FaceTable, LeaveOut
from norface.data.caching import build_cache, find_cache
from norface.errors import CacheError, ConfigError, LeakageError, SplitError
from norface.imaging.alignment import Alignment

ALIGNMENT = Alignment(32)


@dataclass
class Shading:
    """Paints a face in one shade of grey."""

    fingerprint: str
    subjects: tuple[str, ...]
    shade: int
    alignment: Alignment = ALIGNMENT
    stop_after: int | None = None
    calls: list[int] = field(default_factory=list)

    def normalize(self, original: Tensor) -> NormalizedBatch:
        if self.stop_after is not None and len(self.calls) >= self.stop_after:
            raise KeyboardInterrupt
        self.calls.append(len(original))
        figure = torch.full((len(original),), self.shade / 100)
        return NormalizedBatch(torch.full_like(original, self.shade / 127.5 - 1), figure, figure)


def pair(*, stop_after: int | None = None) -> list[Shading]:
    return [
        Shading("a" * 64, ("s0", "s1", "s2"), 50, stop_after=stop_after),
        Shading("b" * 64, ("s0", "s1", "s3"), 100),
    ]


def build(path: Path, normalizer: FaceNormalizer, *, workers: int = 1) -> NormalizedCache:
    options = {"alignment": ALIGNMENT, "batch_size": 4, "shard_size": 5, "progress": False, "workers": workers}
    return build_cache(FaceTable.load(path), normalizer, path.parent / "cache", **options)  # type: ignore[arg-type]


def shades(cache: NormalizedCache) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for name in cache.face_ids:
        image = cache.image(name)
        assert image is not None
        assert len(np.unique(image)) == 1
        assert cache[name].identity_to_target == pytest.approx(image[0, 0, 0] / 100)  # the figures are of the same one
        found.setdefault(name.partition("_")[0], set()).add(int(image[0, 0, 0]))
    return found


def test_every_person_is_normalized_by_one_that_has_not_seen_them(table_path: Path) -> None:
    found = shades(build(table_path, CrossFitted(pair())))
    assert found.keys() == {f"s{k}" for k in range(2, 8)}
    assert (found["s2"], found["s3"]) == ({100}, {50})
    assert all(len(of_one) == 1 for of_one in found.values())


def test_interruptions_and_order_change_no_byte(table_path: Path) -> None:
    def contents(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    whole = build(table_path, CrossFitted(pair()))
    wanted = contents(whole.folder)
    shutil.rmtree(whole.folder)
    with pytest.raises(KeyboardInterrupt):
        build(table_path, CrossFitted(pair(stop_after=2)))
    again = build(table_path, CrossFitted(pair()[::-1]), workers=3)
    assert contents(again.folder) == wanted


def test_the_manifest_names_every_normalizer_and_whom_it_has_seen(table_path: Path) -> None:
    folder = build(table_path, CrossFitted(pair())).folder
    manifest = Manifest.load(folder)
    assert manifest.subjects == ("s0", "s1", "s2", "s3")
    assert manifest.normalizers == (("a" * 64, ("s0", "s1", "s2")), ("b" * 64, ("s0", "s1", "s3")))
    written = json.loads((folder / "manifest.json").read_text())
    assert written["normalizers"][1] == {"fingerprint": "b" * 64, "subjects": ["s0", "s1", "s3"]}
    written["normalizers"][1]["subjects"] = []
    (folder / "manifest.json").write_text(json.dumps(written))
    with pytest.raises(CacheError, match="was edited"):
        Manifest.load(folder)


def test_caches_of_one_normalizer_look_as_before_and_have_another_key(table_path: Path) -> None:
    together = CrossFitted(pair())
    alone = build(table_path, Shading(together.normalizers[0].fingerprint, ("s0", "s1"), 7))
    assert "normalizers" not in json.loads((alone.folder / "manifest.json").read_text())
    assert build(table_path, together).folder != alone.folder
    table, folder = FaceTable.load(table_path), table_path.parent / "cache"
    assert find_cache(table, together.fingerprint, folder, alignment=ALIGNMENT).manifest.normalizers


def test_somebody_whom_all_have_seen_is_refused(table_path: Path) -> None:
    one, other = pair()
    other.subjects = (*other.subjects, "s2")
    with pytest.raises(LeakageError, match=r"all 2 were trained.*: s2\."):
        build(table_path, CrossFitted([one, other]))


@dataclass
class Source:
    normalizer: FaceNormalizer

    def load(self) -> FaceNormalizer:
        return self.normalizer


def classifier_data(path: Path, normalizers: list[Shading]) -> FaceDataModule:
    cache = str(path.parent / "cache")
    source = Source(CrossFitted(normalizers))
    data = FaceDataModule(str(path), source="cache", normalizer=source, cache_dir=cache, batch_size=6)
    data.prepare_data()
    data.setup()
    return data


def test_training_people_may_be_known_to_another_normalizer_but_people_of_a_test_to_none(table_path: Path) -> None:
    data = classifier_data(table_path, pair())
    assert data.leaked_subjects == ()
    (batch,) = data.train_dataloader()
    for name, face in zip(batch["face_id"], batch["normalized"], strict=True):
        assert float(face.mean() + 1) * 127.5 == pytest.approx(100 if name.startswith("s2") else 50, abs=0.1)

    one, other = pair()
    other.subjects = (*other.subjects, "s7")  # s7 is tested, and would be normalized by the first
    with pytest.raises(LeakageError, match=r"1 that it was trained on: s7\."):
        classifier_data(table_path, [one, other])


def normalizer_people(path: Path, part: int, parts: int) -> tuple[set[str], set[str]]:
    data = FaceDataModule(str(path), train_split="normalizer", leave_out=LeaveOut(part, parts), batch_size=100)
    data.setup()
    (batch,) = data.train_dataloader()
    assert data.protocol["leave_out"] == {"part": part, "parts": parts, "seed": 0}
    return set(data.subjects), {name.partition("_")[0] for name in batch["face_id"]}


def test_parts_that_are_left_out_cover_the_people_once(
    frame: pd.DataFrame, write_table: Callable[[pd.DataFrame], Path]
) -> None:
    frame["split"] = frame["subject"].map(
        lambda name: {"s5": "train", "s6": "val", "s7": "test"}.get(name, "normalizer")
    )
    path = write_table(frame)
    everybody = {f"s{k}" for k in range(5)}
    left_out: list[str] = []
    for part in (1, 2, 3):
        named, seen = normalizer_people(path, part, 3)
        assert named == seen
        left_out += everybody - seen
    assert sorted(left_out) == sorted(everybody)


def test_mistaken_parts() -> None:
    for part, parts in ((0, 2), (3, 2), (1, 1)):
        with pytest.raises(ConfigError, match="at least 2 parts"):
            LeaveOut(part, parts)
    people = pd.Series(["a", "a", "b"])
    with pytest.raises(SplitError, match="found 2 subjects"):
        LeaveOut(1, 3).kept(people, np.arange(3))
