"""Measure what a large face table costs: time and memory to load it, time to the first batch, memory of each worker.

`python benchmarks/scale.py` writes a table of a million rows (landmarks, 12 action units, emotion, subject, split; the
rows share a few hundred pictures) into a temporary folder and measures each figure in a process of its own. Linux only.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

AUS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
EMOTIONS = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
SIZE = 48
BASELINE_ROWS = 2000
BATCHES = 800
"""Read before memory is measured: forked memory becomes a worker's own where the worker touches it."""


def write_table(folder: Path, rows: int, images: int) -> dict[str, float]:
    """A table that is not aligned; its rows share `images` pictures."""
    from norface.imaging.alignment import Alignment
    from norface.imaging.files import write_png
    from norface.labels import LANDMARK_COLUMNS

    rng = np.random.default_rng(0)
    for k in range(images):
        write_png(folder / f"images/{k // 100:02d}/{k:06d}.png", rng.integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8))
    number = np.arange(rows)
    subject = number // 100
    points = Alignment(SIZE, 0.2).template().ravel() + rng.normal(0, 0.5, (rows, 10))
    columns: dict[str, object] = {
        "face_id": pd.Series([f"S{s:05d}_T{k % 7}_{k:07d}" for k, s in zip(number, subject, strict=True)]),
        "image": pd.Series([f"images/{k // 100:02d}/{k:06d}.png" for k in number % images]),
        "subject": pd.Series([f"S{s:05d}" for s in subject]),
        "split": pd.Series(np.array(["train"] * 8 + ["val", "test"])[subject % 10]),
        "emotion": pd.Series(np.array(EMOTIONS)[number % 8]),
        **{name: points[:, k] for k, name in enumerate(LANDMARK_COLUMNS)},
        **{f"AU{au:02d}_r": rng.integers(0, 6, rows).astype(float) for au in AUS},
    }
    pd.DataFrame(columns).to_parquet(folder / "faces.parquet", index=False)
    (folder / "faces.json").write_text(json.dumps({"schema": 1, "alignment": None}))
    return {}


def mebibytes(field: str, file: str = "/proc/self/status") -> float:
    """One field of a file of /proc."""
    for line in Path(file).read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise KeyError(field)


def loading(folder: Path) -> dict[str, float]:
    """Load the table; all that stays, and the most that was needed on the way."""
    from norface.data.table import FaceTable

    before, start, worked = mebibytes("VmRSS"), time.perf_counter(), time.process_time()
    table = FaceTable.load(folder)
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    after, peak = mebibytes("VmRSS"), mebibytes("VmHWM")
    start = time.perf_counter()
    table.fingerprint()
    return {
        "load, s": seconds,
        "load, s of processor time": worked,
        "RSS increase, MiB": after - before,
        "RSS increase at the peak, MiB": peak - before,
        "fingerprint, s": time.perf_counter() - start,
    }


def first_batch(folder: Path, workers: int) -> dict[str, float]:
    """From the data module's constructor to its first training batch; then what the workers hold for themselves."""
    from norface.data import FaceDataModule

    before, start, worked = mebibytes("VmRSS"), time.perf_counter(), time.process_time()
    data = FaceDataModule(str(folder), num_workers=workers)
    data.setup("fit")
    loader = data.train_dataloader()
    batches = iter(loader)
    next(batches)
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    figures = {
        "first batch, s": seconds,
        "first batch, s of processor time": worked,
        "batches in an epoch": len(loader),
        "RSS increase, MiB": mebibytes("VmRSS") - before,
    }
    if workers:
        for _ in itertools.islice(batches, BATCHES):
            pass
        uss = [private_memory(child.pid) for child in multiprocessing.active_children() if child.pid]
        figures |= {"workers": len(uss), "USS per worker, MiB": float(np.mean(uss)), "largest, MiB": max(uss)}
    return figures


def private_memory(process: int) -> float:
    """Memory that no other process shares, in MiB."""
    rollup = f"/proc/{process}/smaps_rollup"
    return mebibytes("Private_Clean", rollup) + mebibytes("Private_Dirty", rollup)


def alone(work: str, folder: Path, *numbers: int) -> dict[str, float]:
    """Run one of `WORKS` in a fresh process."""
    command = [sys.executable, __file__, "--work", work, str(folder), *map(str, numbers)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {str(label): float(value) for label, value in json.loads(said.splitlines()[-1]).items()}


def measure(rows: int, images: int, workers: int) -> dict[str, dict[str, float]]:
    """All figures of a table of `rows` rows, and the workers' memory with a small one."""
    few = min(rows, BASELINE_ROWS)
    with tempfile.TemporaryDirectory() as name:
        large, small = (Path(name) / size for size in ("large", "small"))
        alone("write", large, rows, images)
        alone("write", small, few, images)
        return {
            f"{rows} rows: table": alone("load", large),
            f"{rows} rows: data module, no workers": alone("batch", large, 0),
            f"{rows} rows: data module, {workers} workers": alone("batch", large, workers),
            f"{few} rows: data module, {workers} workers": alone("batch", small, workers),
        }


WORKS: dict[str, Callable[..., dict[str, float]]] = {"write": write_table, "load": loading, "batch": first_batch}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--images", type=int, default=300, help="pictures that the rows share")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--work", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work, folder, *numbers = options.work
        warnings.filterwarnings("ignore", ".*worker processes in total.*")  # more than the machine has cores: meant
        print(json.dumps(WORKS[work](Path(folder), *map(int, numbers))))
        return
    print(f"{os.cpu_count()} cores")
    for title, figures in measure(options.rows, options.images, options.workers).items():
        print(title)
        for label, value in figures.items():
            print(f"  {label:<34} {value:10.2f}")


if __name__ == "__main__":
    main()
