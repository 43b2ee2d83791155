from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_convert

from norface.cache import Encoding, NormalizedBatch
from norface.data import FaceDataModule
from norface.data import memory as memory_module
from norface.data.batches import to_batch
from norface.data.dataset import FaceDataset
from norface.data.memory import FromCache
from norface.errors import CacheError
from norface.imaging.alignment import Alignment
from norface.imaging.convert import to_tensor

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 3), dtype=np.uint8)


class Whole(Dataset[Tensor]):
    """Makes batches, and says whether they are in shared memory already."""

    def __len__(self) -> int:
        return len(PIXELS)

    def __getitems__(self, rows: list[int]) -> tuple[Tensor, bool]:
        batch = to_batch(PIXELS[rows])
        return batch, batch.is_shared()


@pytest.mark.parametrize("workers", [0, 1])
def test_workers_make_batches_in_shared_memory(workers: int) -> None:
    [(batch, shared)] = DataLoader(Whole(), batch_size=4, num_workers=workers, collate_fn=default_convert)
    assert torch.equal(batch, to_tensor(PIXELS))
    assert batch.is_contiguous()
    assert shared == (workers > 0)


class Turning:
    """A normalizer that turns colours around, and its own source."""

    fingerprint = "f" * 64
    subjects: tuple[str, ...] = ("s0",)
    alignment = Alignment(32)

    def load(self) -> Turning:
        return self

    def normalize(self, original: Tensor) -> NormalizedBatch:
        nothing = torch.zeros(len(original))
        return NormalizedBatch(-original, nothing, nothing)


def cached(path: Path, **options: object) -> FaceDataModule:
    arguments = {"cache_dir": str(path.parent / "cache"), "batch_size": 4, **options}
    data = FaceDataModule(str(path), source="cache", normalizer=Turning(), **arguments)  # type: ignore[arg-type]
    data.prepare_data()
    data.setup()
    return data


def shown(data: FaceDataModule) -> tuple[list[str], Tensor, Tensor]:
    batches = list(data.test_dataloader())
    names = [name for batch in batches for name in batch["face_id"]]
    return names, torch.cat([batch["original"] for batch in batches]), torch.cat([b["normalized"] for b in batches])


@pytest.mark.parametrize("encoding", ["raw", "png"])
@pytest.mark.parametrize("workers", [0, 2])
def test_cached_faces_come_with_their_originals(
    table_path: Path, encoding: Encoding, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_module, "MEMORY_LIMIT", 0)  # as of a large table: nothing is decoded beforehand
    names, originals, normalized = shown(cached(table_path, cache_encoding=encoding, num_workers=workers))
    assert names == [f"s{subject}_{k}" for subject in (6, 7) for k in range(3)]
    # Pixels are whole numbers, so turned around they are half a step away from the nearest.
    torch.testing.assert_close(normalized, -originals, atol=1 / 127, rtol=0)


def test_the_encoding_asked_for_is_that_of_a_new_cache_only(table_path: Path) -> None:
    assert cached(table_path)._cache.manifest.encoding == "raw"  # type: ignore[union-attr]
    assert cached(table_path, cache_encoding="png")._cache.manifest.encoding == "raw"  # type: ignore[union-attr]
    other = cached(table_path, cache_encoding="png", cache_dir=str(table_path.parent / "other"))
    assert other._cache.manifest.encoding == "png"  # type: ignore[union-attr]


def test_a_face_that_was_not_normalized_is_replaced_in_its_batch(
    table_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = table_path.parent / "images/s6_1.png"
    whole = broken.read_bytes()
    broken.write_bytes(b"")
    cached(table_path)
    broken.write_bytes(whole)  # the original can be read again; the cache has no face for it
    monkeypatch.setattr(memory_module, "MEMORY_LIMIT", 0)
    dataset = cached(table_path).test_dataloader().dataset
    assert isinstance(dataset, FaceDataset)
    batch = dataset.batch([(0, 0), (0, 1), (0, 2)])
    assert batch["face_id"] == ["s6_0", "s6_2", "s6_2"]
    assert batch["emotion"].tolist()[1] == -1
    assert torch.equal(batch["normalized"][1], batch["normalized"][2])
    assert dataset.skipped == ["s6_1"]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_face_stops_the_loader_with_its_name(
    table_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_module, "MEMORY_LIMIT", 0)
    data = cached(table_path, num_workers=workers)
    [shard] = data.cache_folder.glob("*.arrow")
    content = bytearray(shard.read_bytes())
    cache = data._cache
    assert cache is not None
    image = cache.image("s7_0")
    assert image is not None
    content[content.index(image.tobytes()) + 5] ^= 1
    shard.write_bytes(content)
    with pytest.raises(CacheError, match=rf"{shard.name}, face s7_0: .*another checksum"):
        shown(cached(table_path, num_workers=workers))


def places(rows: Sequence[int]) -> NDArray[np.int64]:
    return np.array(rows, np.int64)


def test_rows_of_a_table_are_found_in_its_cache(table_path: Path) -> None:
    cache = cached(table_path)._cache
    assert cache is not None
    rows = np.arange(6, 24)  # those of the people who train, watch and test
    read = FromCache(cache, rows)
    np.testing.assert_array_equal(read.many(places([23, 6, 23])), cache.images([17, 0, 17]))
    np.testing.assert_array_equal(read(7), cache.image("s2_1"))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(read))(7), read(7))
    with pytest.raises(CacheError, match="one that is not in it"):
        read(5)
    with pytest.raises(ValueError, match="18 faces for 17 rows"):
        FromCache(cache, rows[1:])
