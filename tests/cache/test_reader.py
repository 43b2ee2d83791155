from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, default_convert

from norface.cache import CacheBuild, CachedFace, CacheIdentity, Manifest, NormalizedCache, mark_gate
from norface.cache.manifest import Encoding
from norface.cache.shard import ShardFile, ShardHeader
from norface.errors import CacheError, ImageError, LeakageError
from norface.imaging.alignment import Alignment
from norface.imaging.files import encode_png


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_reads_what_was_written(
    new_build: Callable[..., CacheBuild],
    complete: Callable[[CacheBuild], Path],
    faces: list[CachedFace],
    identity: CacheIdentity,
    encoding: Encoding,
) -> None:
    cache = NormalizedCache.open(complete(new_build(encoding=encoding)), expect=identity)
    assert len(cache) == 10
    assert cache.face_ids == tuple(face.face_id for face in faces)
    assert "face5" in cache
    assert "face10" not in cache
    for face in reversed(faces):
        read = cache[face.face_id]
        assert read.face_id == face.face_id
        assert read.error == face.error
        figures = (read.identity_to_target, read.expression_distance)
        np.testing.assert_allclose(figures, (face.identity_to_target, face.expression_distance), rtol=1e-6)
        if face.image is None:
            assert cache.image(face.face_id) is None
        else:
            np.testing.assert_array_equal(read.image, face.image)
            assert read.image is not None
            assert read.image.flags.writeable


def test_frame_has_a_row_per_face(folder: Path) -> None:
    frame = NormalizedCache.open(folder).frame()
    assert list(frame["face_id"]) == [f"face{row}" for row in range(10)]
    assert list(frame.loc[~frame["success"], "error"]) == ["a truncated file"]
    assert "image" not in frame


def test_shards_are_plain_arrow(folder: Path) -> None:
    with pa.memory_map(str(folder / "shard-00000-of-00003.arrow")) as source:
        table = pa.ipc.open_file(source).read_all()
    assert table.column("face_id").to_pylist() == ["face0", "face1", "face2", "face3"]
    assert table.column("image").to_pylist()[0].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("parent", "value", "shown"),
    [
        ("normalizer", "c" * 64, "normalizer ccc.*found normalizer aaa"),
        ("table", "c" * 64, "table ccc.*found table bbb"),
        (
            "alignment",
            Alignment(size=8, margin=0.5),
            r"alignment \(.*margin=0\.5.*found alignment \(.*margin=0\.25",
        ),
        ("version", "0.0.9", r"version 0\.0\.9, found version"),
    ],
)
def test_another_parent_is_named(folder: Path, identity: CacheIdentity, parent: str, value: object, shown: str) -> None:
    with pytest.raises(CacheError, match=f"expected {shown}"):
        NormalizedCache.open(folder, expect=replace(identity, **{parent: value}))  # type: ignore[arg-type]


def test_unknown_face(folder: Path) -> None:
    with pytest.raises(CacheError, match="expected face nobody, found 10 other faces"):
        NormalizedCache.open(folder)["nobody"]


def test_missing_shard(folder: Path) -> None:
    (folder / "shard-00001-of-00003.arrow").unlink()
    with pytest.raises(CacheError, match=r"1 missing, first shard-00001-of-00003\.arrow"):
        NormalizedCache.open(folder)


def test_altered_image_names_shard_and_face(folder: Path) -> None:
    path = folder / "shard-00001-of-00003.arrow"
    data = bytearray(path.read_bytes())
    data[data.index(b"IEND") - 10] ^= 1  # in the first image of this shard
    path.write_bytes(data)
    cache = NormalizedCache.open(folder)
    with pytest.raises(CacheError, match=r"shard-00001-of-00003\.arrow, face face4: .*another checksum"):
        cache.image("face4")
    assert cache.image("face5") is not None


def test_every_flipped_bit_is_an_error_or_harmless(folder: Path, faces: list[CachedFace]) -> None:
    path = folder / "shard-00000-of-00003.arrow"
    original = path.read_bytes()
    for place in range(0, len(original), 7):
        data = bytearray(original)
        data[place] ^= 1 << place % 8
        path.write_bytes(data)
        try:
            cache = NormalizedCache.open(folder)
            images = [cache.image(face.face_id) for face in faces[:4]]
        except CacheError:
            continue
        for image, face in zip(images, faces, strict=False):
            assert (image is None) == (face.image is None)
            if image is not None:
                np.testing.assert_array_equal(image, face.image)


def test_image_under_another_id_is_an_error(folder: Path) -> None:
    path = folder / "shard-00000-of-00003.arrow"
    path.write_bytes(path.read_bytes().replace(b"face0face1", b"face1face0"))
    with pytest.raises(CacheError, match="face face0: expected the face that was written, found another checksum"):
        NormalizedCache.open(folder).image("face0")


def test_shard_without_its_header(folder: Path) -> None:
    path = folder / "shard-00000-of-00003.arrow"
    with pa.memory_map(str(path)) as source:
        batch = pa.ipc.open_file(source).get_batch(0).replace_schema_metadata(None)
    with pa.ipc.new_file(str(path.with_name("bare")), batch.schema) as writer:
        writer.write_batch(batch)
    path.with_name("bare").replace(path)
    with pytest.raises(CacheError, match="expected a shard of this cache"):
        NormalizedCache.open(folder).image("face0")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors as Linux lists them")
def test_open_shards_keep_no_descriptor(folder: Path) -> None:
    cache = NormalizedCache.open(folder)
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert cache.image("face0") is not None
    assert cache.image("face9") is not None
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_shard_in_the_place_of_another(folder: Path) -> None:
    first, second = (folder / f"shard-0000{index}-of-00003.arrow" for index in (0, 1))
    first.write_bytes(second.read_bytes())
    with pytest.raises(CacheError, match="one of another cache or of other rows"):
        NormalizedCache.open(folder).image("face0")


def test_pickled_reader_reads(folder: Path) -> None:
    cache = NormalizedCache.open(folder)
    image = cache.image("face5")
    assert len(pickle.dumps(cache)) < 5_000  # neither maps nor index travel
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(cache)).image("face5"), image)


def test_test_subjects_of_the_normalizer_are_an_error(folder: Path) -> None:
    cache = NormalizedCache.open(folder)
    assert cache.check_subjects(["s8", "s9"]) == ()
    with pytest.raises(LeakageError, match="found 2 that it was trained on: s1, s2"):
        cache.check_subjects(["s2", "s9", "s1"])
    assert cache.check_subjects(["s2", "s9"], allow=True) == ("s2",)
    assert cache.check_subjects(["disfa:s2"], allow=True) == ("disfa:s2",)  # a bare name may be anybody's


@pytest.mark.parametrize(("passed", "announced"), [(True, False), (False, True)])
def test_a_failed_normalizer_is_announced(
    folder: Path, caplog: pytest.LogCaptureFixture, passed: bool, announced: bool
) -> None:
    mark_gate(folder, passed)
    NormalizedCache.open(folder)
    assert ("did not pass the gate" in caplog.text) is announced


def test_faces_are_found_by_place(folder: Path, faces: list[CachedFace]) -> None:
    cache = NormalizedCache.open(folder)
    places = cache.places(["face9", "nobody", "face0", "face3"])
    assert places.tolist() == [9, -1, 0, 3]
    np.testing.assert_array_equal(cache.images(places[[0]])[0], faces[9].image)
    for place in (-1, 10):
        with pytest.raises(CacheError, match="one that is not in it"):
            cache.images([0, place])


ORDER = [9, 0, 5, 4, 5, 8]  # of all three shards, neither sorted nor without a double


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_many_faces_at_once_are_those_read_one_by_one(
    new_build: Callable[..., CacheBuild], complete: Callable[[CacheBuild], Path], encoding: Encoding
) -> None:
    cache = NormalizedCache.open(complete(new_build(encoding=encoding)))
    images = cache.images(np.array(ORDER))
    assert images.dtype == np.uint8
    for image, place in zip(images, ORDER, strict=True):
        np.testing.assert_array_equal(image, cache.image(f"face{place}"))
    assert cache.images([]).shape == (0, 8, 8, 3)
    images[...] = 0  # a copy: the cache stays as it is
    assert cache.images([5]).any()


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_a_damaged_face_among_many_is_named(
    new_build: Callable[..., CacheBuild],
    complete: Callable[[CacheBuild], Path],
    faces: list[CachedFace],
    encoding: Encoding,
) -> None:
    folder = complete(new_build(encoding=encoding))
    path = folder / "shard-00001-of-00003.arrow"
    data = bytearray(path.read_bytes())
    image = faces[6].image
    assert image is not None
    data[data.index(image.tobytes() if encoding == "raw" else encode_png(image)) + 60] ^= 1
    path.write_bytes(data)
    cache = NormalizedCache.open(folder)
    assert len(cache.images([4, 5, 7])) == 3
    with pytest.raises(CacheError, match=r"shard-00001-of-00003\.arrow, face face6: .*another checksum"):
        cache.images([0, 5, 6, 7])


def test_a_face_without_image_among_many_is_named(folder: Path) -> None:
    with pytest.raises(ImageError, match=r"face face3: .*could not be normalized"):
        NormalizedCache.open(folder).images([0, 3, 1])


def rewritten(folder: Path, header: ShardHeader, columns: dict[str, pa.Array]) -> ShardFile:
    """The first shard with another header or other columns: whole, but not what a build writes."""
    path = folder / header.shard.file
    with pa.memory_map(str(path)) as source:
        batch = pa.ipc.open_file(source).get_batch(0)
    schema = batch.schema.with_metadata({"norface": header.to_bytes()})
    arrays = [columns.get(name, batch.column(name)) for name in schema.names]
    with pa.ipc.new_file(str(path.with_name("other")), schema) as writer:
        writer.write_batch(pa.record_batch(arrays, schema=schema))
    return ShardFile(path.with_name("other"), header)


def test_raw_pixels_of_another_size_are_an_error(folder: Path, identity: CacheIdentity) -> None:
    file = rewritten(folder, ShardHeader(identity, "raw", Manifest.load(folder).shards[0]), {})
    with pytest.raises(CacheError, match=r"face face0: expected 192 bytes of pixels"):
        file.face(0)


def test_success_without_image_and_the_opposite_are_errors(folder: Path, identity: CacheIdentity) -> None:
    header = ShardHeader(identity, "png", Manifest.load(folder).shards[0])
    file = rewritten(folder, header, {"success": pa.array([True, False, True, True])})
    assert file.face(0).image is not None
    for row in (1, 3):
        with pytest.raises(CacheError, match=f"face face{row}: expected an image exactly where there was success"):
            file.face(row)


def test_shards_are_opened_when_first_needed(folder: Path) -> None:
    for damaged in ("shard-00000-of-00003.arrow", "shard-00002-of-00003.arrow"):
        (folder / damaged).write_bytes(b"")
    cache = NormalizedCache.open(folder)
    assert len(cache.images([4, 7])) == 2
    with pytest.raises(CacheError, match=r"shard-00002-of-00003\.arrow: expected a whole shard"):
        cache.images([4, 8])


class Batches(Dataset[torch.Tensor]):
    """Whole batches, as torch's loader asks for them."""

    def __init__(self, cache: NormalizedCache) -> None:
        self.cache = cache

    def __len__(self) -> int:
        return len(ORDER)

    def __getitems__(self, rows: list[int]) -> torch.Tensor:
        return torch.from_numpy(self.cache.images([ORDER[row] for row in rows]))


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_read_many_from_a_cache_that_is_open(folder: Path, start: str) -> None:
    cache = NormalizedCache.open(folder)
    expected = cache.images(ORDER)  # all shards are mapped before the workers start
    options = {"num_workers": 1, "multiprocessing_context": start, "collate_fn": default_convert}
    loader = DataLoader(Batches(cache), batch_size=2, **options)  # type: ignore[arg-type]
    np.testing.assert_array_equal(torch.cat(list(loader)).numpy(), expected)
