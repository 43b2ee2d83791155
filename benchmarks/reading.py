"""How fast cached faces are read: against image files, against Hugging Face `datasets`, and against the limit.

`python benchmarks/reading.py` (about three minutes; `--growth` instead: how opening and memory grow with the cache)
writes the same faces in every form into a temporary folder, then reads batches of 64 of them in random order through
torch's DataLoader. Every source delivers the same tensors: float32 (B, 3, H, W) in [-1, 1], or, with no workers, also
uint8 (B, 3, H, W). Files are in the page cache for all. Sources take turns in every round; printed are medians, and the
spread between rounds. With no workers, rates are by processor time of the one thread that does everything, so that what
else the machine does counts little; with workers, by the clock, on as many cores as there are. torchvision and
`datasets` are no dependencies of norface: without them, their rows are left out.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, RandomSampler, default_collate, default_convert

from norface.cache import CacheBuild, CachedFace, CacheIdentity, NormalizedCache
from norface.cache.manifest import Encoding
from norface.data.batches import to_batch
from norface.imaging.alignment import Alignment
from norface.imaging.convert import to_tensor
from norface.imaging.files import encode_jpeg, encode_png
from norface.imaging.pixels import Pixels
from norface.synthetic import ProceduralFaces

FACES = {64: 4096, 224: 2048}
"""How many there are, by their size in pixels."""
BATCHES = {64: 48, 224: 12}
"""How many are read for one figure."""
BATCH = 64
WORKERS = (0, 2, 4)
ROUNDS = 3
GROWTH = (1_000, 10_000, 100_000)
GROWTH_SIZE = 32
GROWTH_BATCHES = 150
RAW, LIMIT = "cache, raw", "raw memory map (the limit)"
SKIPPED = "not installed, row left out"

Output = Literal["float32", "uint8"]
Figures = dict[str, Any]


# ------------------------------------------------------------------------------------------------------- the sources
class Batches(Dataset[Any]):
    """Whole batches from something that reads many faces at once; what norface's own data sets do."""

    def __init__(
        self, read: Callable[[list[int]], Pixels], faces: int, convert: Callable[[Pixels], torch.Tensor]
    ) -> None:
        self.read, self.faces, self.convert = read, faces, convert

    def __len__(self) -> int:
        return self.faces

    def __getitems__(self, rows: list[int]) -> torch.Tensor:
        return self.convert(self.read(rows))


class Singles(Batches):
    """One face at a time; the loader collates them."""

    __getitems__ = None  # type: ignore[assignment]

    def __getitem__(self, row: int) -> torch.Tensor:
        return self.convert(self.read([row]))


def as_bytes(pixels: Pixels) -> torch.Tensor:
    """uint8 ``(..., H, W, 3)`` to uint8 ``(..., 3, H, W)``."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(pixels, -1, -3)))


CONVERT: dict[Output, Callable[[Pixels], torch.Tensor]] = {"float32": to_tensor, "uint8": as_bytes}
CONVERT_BATCH = {**CONVERT, "float32": to_batch}
"""What is not collated any more."""


@dataclass(frozen=True)
class Source:
    """What reads the faces of a folder.

    Args:
        open: Folder and output to a data set.
        collate: What the loader makes of what the data set gives it.
        needs: A module that may be missing.
    """

    open: Callable[[Path, Output], Dataset[Any]]
    collate: Callable[[Any], Any] = default_convert
    needs: str = "torch"


def from_cache(encoding: Encoding) -> Callable[[Path, Output], Dataset[Any]]:
    def open_cache(folder: Path, output: Output) -> Dataset[Any]:
        cache = NormalizedCache.open(folder / encoding)
        return Batches(cache.images, len(cache), CONVERT_BATCH[output])

    return open_cache


def one_by_one(folder: Path, output: Output) -> Dataset[Any]:
    cache = NormalizedCache.open(folder / "raw")
    names = cache.face_ids

    def read(rows: list[int]) -> Pixels:
        image = cache.image(names[rows[0]])
        assert image is not None
        return image

    return Singles(read, len(cache), CONVERT[output])


def image_folder(kind: str) -> Callable[[Path, Output], Dataset[Any]]:
    def open_folder(folder: Path, output: Output) -> Dataset[Any]:
        from torchvision import transforms
        from torchvision.datasets import ImageFolder

        usual = [transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)]
        return ImageFolder(
            folder / kind, transform=transforms.Compose(usual if output == "float32" else [transforms.PILToTensor()])
        )

    return open_folder


def hugging_face(encoding: Encoding) -> Callable[[Path, Output], Dataset[Any]]:
    def open_dataset(folder: Path, output: Output) -> Dataset[Any]:
        os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
        import datasets

        datasets.disable_progress_bars()
        size = NormalizedCache.open(folder / encoding).manifest.identity.alignment.size
        files = sorted(str(path) for path in (folder / encoding).glob("*.arrow"))
        rows = datasets.load_dataset("arrow", data_files=files, split="train", cache_dir=str(folder / "hf"))
        rows = rows.select_columns("image")
        if encoding == "png":
            rows = rows.cast_column("image", datasets.Image())

        def transform(batch: dict[str, list[Any]]) -> dict[str, Any]:
            if encoding == "png":
                images = [np.asarray(image) for image in batch["image"]]
            else:
                images = [np.frombuffer(image, np.uint8).reshape(size, size, 3) for image in batch["image"]]
            return {"image": CONVERT[output](np.stack(images))}

        return rows.with_transform(transform)  # type: ignore[no-any-return]

    return open_dataset


def memory_map(folder: Path, output: Output) -> Dataset[Any]:
    images = np.load(folder / "images.npy", mmap_mode="r")
    return Batches(lambda rows: images[rows], len(images), CONVERT_BATCH[output])


SOURCES = {
    RAW: Source(from_cache("raw")),
    "cache, png": Source(from_cache("png")),
    "cache, raw, face by face": Source(one_by_one, default_collate),
    "PNG files, ImageFolder": Source(image_folder("png-files"), default_collate, "torchvision"),
    "JPEG files, ImageFolder": Source(image_folder("jpeg-files"), default_collate, "torchvision"),
    "datasets, raw": Source(hugging_face("raw"), default_collate, "datasets"),
    "datasets, png": Source(hugging_face("png"), default_collate, "datasets"),
    LIMIT: Source(memory_map),
}


# --------------------------------------------------------------------------------------------------------- the faces
def draw(size: int, count: int) -> Iterator[Pixels]:
    """True normalized faces; a few pictures, each moved to the side by another number of pixels."""
    source = ProceduralFaces(alignment=Alignment(size))
    pictures = [source.normalized(source.factors(k, k % 8)) for k in range(min(32, count))]
    for number in range(count):
        shift = number // len(pictures) % size
        yield np.ascontiguousarray(np.roll(pictures[number % len(pictures)], shift, axis=1))


def write_cache(folder: Path, images: Sequence[Pixels], encoding: Encoding, *, faces: int | None = None) -> None:
    """A finished cache of `faces` faces, which share the images."""
    count = len(images) if faces is None else faces
    names = [f"face{number:07d}" for number in range(count)]
    identity = CacheIdentity(normalizer="a" * 64, table="b" * 64, alignment=Alignment(images[0].shape[0]))
    options: dict[str, Any] = {"identity": identity, "subjects": (), "face_ids": names, "shard_size": 512}
    build = CacheBuild(folder, encoding=encoding, **options)
    for shard in build.missing():
        rows = range(count)[shard.span]
        build.write(shard, [CachedFace(face_id=names[row], image=images[row % len(images)]) for row in rows])
    build.finish()


def write_all(folder: Path, size: int, count: int) -> None:
    """The same faces in every form."""
    images = list(draw(size, count))
    for encoding in ("png", "raw"):
        write_cache(folder / encoding, images, encoding)
    np.save(folder / "images.npy", np.stack(images))
    for kind, suffix, encode in (("png-files", "png", encode_png), ("jpeg-files", "jpg", encode_jpeg)):
        (folder / kind / "faces").mkdir(parents=True)
        for number, image in enumerate(images):
            (folder / kind / "faces" / f"{number:06d}.{suffix}").write_bytes(encode(image))


# --------------------------------------------------------------------------------------------------------- measuring
def workers_memory() -> Figures:
    """Memory in MiB that each child process shares with no other: all of it, and without pages that mirror a file."""
    found = []
    for child in multiprocessing.active_children():
        lines = [line.split() for line in Path(f"/proc/{child.pid}/smaps_rollup").read_text().splitlines()]
        found.append({line[0]: int(line[1]) / 1024 for line in lines if line[0].startswith("Private_")})
    if not found:
        return {"uss_mib": None, "private_dirty_mib": None}
    dirty = [memory["Private_Dirty:"] for memory in found]
    clean = [memory["Private_Clean:"] for memory in found]
    return {"uss_mib": statistics.mean(dirty) + statistics.mean(clean), "private_dirty_mib": statistics.mean(dirty)}


def visit(source: Source, folder: Path, output: Output, workers: int, batches: int, seed: int) -> Figures:
    """Open, read one batch, read all (which does not count), then read all in another order."""
    clock = time.perf_counter if workers else time.process_time
    start = time.perf_counter()
    dataset = source.open(folder, output)
    order = torch.Generator().manual_seed(seed)
    loader = DataLoader(
        dataset,
        BATCH,
        sampler=RandomSampler(dataset, num_samples=batches * BATCH, generator=order),  # type: ignore[arg-type]
        num_workers=workers,
        collate_fn=source.collate,
        persistent_workers=workers > 0,
    )
    reading = iter(loader)
    next(reading)
    first = time.perf_counter() - start
    for _ in reading:
        pass
    start = clock()
    for _ in loader:
        pass
    rate = batches * BATCH / (clock() - start)
    return {"faces_per_s": rate, "first_batch_s": first, **workers_memory()}


def measure(size: int, workers: int, output: Output, folder: Path, rounds: int) -> dict[str, Figures]:
    """Figures of every source that can be read here; `raw_is_times` is how many times faster the raw cache is."""
    found: dict[str, list[Figures]] = {
        name: [] for name, source in SOURCES.items() if importlib.util.find_spec(source.needs) is not None
    }
    for number in range(rounds):
        for name, visits in found.items():
            gc.collect()  # ends the workers of the source before
            visits.append(visit(SOURCES[name], folder, output, workers, BATCHES[size], number))
    return {name: summary(visits, found[RAW]) for name, visits in found.items()}


def summary(visits: list[Figures], raw: list[Figures]) -> Figures:
    """Medians over the rounds; a ratio is taken within each round."""
    rates = [visit["faces_per_s"] for visit in visits]
    ratios = [mine["faces_per_s"] / rate for mine, rate in zip(raw, rates, strict=True)]
    memory = {name: [visit[name] for visit in visits] for name in ("uss_mib", "private_dirty_mib")}
    return {
        "faces_per_s": statistics.median(rates),
        "from": min(rates),
        "to": max(rates),
        "raw_is_times": statistics.median(ratios),
        "raw_is_times_from": min(ratios),
        "raw_is_times_to": max(ratios),
        "first_batch_s": statistics.median(visit["first_batch_s"] for visit in visits),
        **{name: None if None in values else statistics.median(values) for name, values in memory.items()},
    }


def figures(sizes: Sequence[int] = tuple(FACES), workers: Sequence[int] = WORKERS, rounds: int = ROUNDS) -> Figures:
    """Everything, by size, output and number of workers; prints while it measures."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    warnings.filterwarnings("ignore", ".*worker processes in total.*")  # more than the machine has cores: meant
    results: Figures = {
        "machine": {"cores": os.cpu_count(), "torch": torch.__version__, "python": sys.version.split()[0]}
    }
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            write_all(Path(name), size, FACES[size])
            results[f"{size} px"] = {}
            for output, count in [("float32", count) for count in workers] + [("uint8", 0)]:
                measured = measure(size, count, output, Path(name), rounds)  # type: ignore[arg-type]
                results[f"{size} px"][f"{output}, {count} workers"] = measured
                show(f"{size} x {size} pixels, {output}, {count} workers", measured)
    return results


def show(title: str, measured: dict[str, Figures]) -> None:
    print(
        f"\n{title}\n{'':<28}{'faces/s':>10} {'spread':>19} {'raw cache is':>13} {'1st batch':>10} {'USS/worker':>11}"
    )
    for name, source in SOURCES.items():
        if name not in measured:
            print(f"{name:<28}{source.needs}: {SKIPPED}")
            continue
        row = measured[name]
        memory = "" if row["uss_mib"] is None else f"{row['uss_mib']:.0f} MiB"
        print(
            f"{name:<28}{row['faces_per_s']:>10.0f} {row['from']:>9.0f}-{row['to']:<9.0f} {row['raw_is_times']:>12.2f}x"
            f" {row['first_batch_s']:>8.3f} s {memory:>11}",
            flush=True,
        )


# ------------------------------------------------------------------------------------------------------------ growth
def growth_of(folder: Path, workers: int) -> Figures:
    """In a process of its own: open, read a batch, then read on with workers."""

    def resident() -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))

    before, start = resident(), time.perf_counter()
    cache = NormalizedCache.open(folder / "raw")
    opened = time.perf_counter() - start
    rows = np.random.default_rng(0).permutation(len(cache))[:BATCH]
    start = time.perf_counter()
    to_batch(cache.images(rows))
    batch = time.perf_counter() - start
    memory = resident() - before
    read_on = visit(SOURCES[RAW], folder, "float32", workers, GROWTH_BATCHES, 0)
    return {
        "open, s": opened,
        "first batch, s": batch,
        "RSS increase, MiB": memory,
        f"first batch from {workers} workers, s": read_on["first_batch_s"],
        "USS per worker, MiB": read_on["uss_mib"],
        "without pages of files, MiB": read_on["private_dirty_mib"],
    }


def growth(rows: Sequence[int] = GROWTH, workers: int = 2) -> dict[str, Figures]:
    """How opening and memory depend on the number of faces; each size in a process of its own."""
    found = {}
    for count in rows:
        with tempfile.TemporaryDirectory() as name:
            write_cache(Path(name) / "raw", list(draw(GROWTH_SIZE, 256)), "raw", faces=count)
            command = [sys.executable, __file__, "--alone", name, str(workers)]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[f"{count} faces"] = json.loads(said.splitlines()[-1])
        print(f"{count:>8} faces: " + ", ".join(f"{k} {v:.4g}" for k, v in found[f"{count} faces"].items()), flush=True)
    return found


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", choices=list(FACES), default=list(FACES))
    parser.add_argument("--workers", type=int, nargs="+", default=list(WORKERS))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--growth", action="store_true", help="measure how opening and memory grow with the cache")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        print(json.dumps(growth_of(Path(options.alone[0]), int(options.alone[1]))))
        return
    results = growth() if options.growth else figures(options.sizes, options.workers, options.rounds)
    options.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
