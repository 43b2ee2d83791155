"""How much slower `norface data prepare` is than a bare loop that decodes, resizes, encodes and writes the same images.

`python -m benchmarks.prepare` prints rates and ratios of one run; both sides use as many processes.
The images are JPEGs of 100 x 100 pixels, as RAF-DB's aligned ones are, the crops PNGs (the default; its target is 0.80)
or JPEGs of 112 x 112, which are coded so fast that everything else shows. On some file systems the time to
make a file varies several times over; with TMPDIR=/dev/shm that is left out of both sides.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path

import cv2
import numpy as np

from benchmarks.timing import Figure, figure
from norface.data.readers.folder import ImageFolder
from norface.faces.cutting import SUFFIXES, ImageFormat
from norface.faces.detectors import make_detector
from norface.faces.prepare import prepare
from norface.imaging.files import encode_jpeg
from norface.imaging.workers import one_thread_each, start_worker
from norface.synthetic import ProceduralFaces

SIZE, CROP = 100, 112
EMOTIONS = ("happy", "sad")
FORMATS: tuple[ImageFormat, ...] = ("png", "jpeg")


def write_images(root: Path, count: int) -> None:
    """JPEGs of built-in faces, a few pictures under many names."""
    source = ProceduralFaces(seed=0)
    faces = [source.face(subject, 0).image for subject in range(8)]
    resized = [cv2.resize(face, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) for face in faces]
    coded = [encode_jpeg(np.asarray(face, np.uint8)) for face in resized]
    for number in range(count):
        path = root / EMOTIONS[number % 2] / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(coded[number % len(coded)])


def bare(paths: list[Path], out: Path, image_format: ImageFormat) -> None:
    """Decode, resize, encode, write: nothing else."""
    out.mkdir(parents=True, exist_ok=True)
    png = image_format == "png"
    setting = [cv2.IMWRITE_PNG_COMPRESSION, 3] if png else [cv2.IMWRITE_JPEG_QUALITY, 95]
    for path in paths:
        image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        crop = cv2.resize(image, (CROP, CROP), interpolation=cv2.INTER_LINEAR)
        _, data = cv2.imencode(SUFFIXES[image_format], crop, setting)
        (out / f"{path.stem}{SUFFIXES[image_format]}").write_bytes(data.tobytes())


def bare_in_processes(paths: list[Path], out: Path, processes: int, image_format: ImageFormat) -> None:
    """The bare loop, divided among as many processes."""
    if processes == 1:
        bare(paths, out, image_format)
        return
    context = multiprocessing.get_context("spawn")
    shares = [(paths[k::processes], out / str(k), image_format) for k in range(processes)]
    with one_thread_each(), context.Pool(processes, initializer=start_worker) as pool:
        pool.starmap(bare, shares)


def prepared(root: Path, out: Path, processes: int, image_format: ImageFormat) -> None:
    """The same images through the whole pipeline."""
    prepare(
        ImageFolder(),
        root,
        out,
        detector=partial(make_detector, "none"),
        frame="bench",
        size=CROP,
        image_format=image_format,
        processes=processes,
        progress=False,
    )


def seconds(work: Callable[[Path], None], folder: Path) -> tuple[float, float]:
    """Wall time and processor time (of all processes) of one round in a fresh folder."""
    out = folder / "out"
    before, start = os.times(), time.perf_counter()
    work(out)
    wall, after = time.perf_counter() - start, os.times()
    shutil.rmtree(out)
    return wall, sum(after[:4]) - sum(before[:4])


def compare(
    images: int, rounds: int, formats: tuple[ImageFormat, ...], processes: Sequence[int]
) -> dict[tuple[ImageFormat, int], list[tuple[tuple[float, float], tuple[float, float]]]]:
    """`seconds` of the bare loop and of `prepare` in every round, by image format and number of processes."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder / "images", images)
        paths = sorted((folder / "images").rglob("*.jpg"))
        found = {}
        for image_format, count in product(formats, processes):
            alone = partial(bare_in_processes, paths, processes=count, image_format=image_format)
            whole = partial(prepared, folder / "images", processes=count, image_format=image_format)
            # In turns, so that whatever else the machine does slows both.
            found[image_format, count] = [(seconds(alone, folder), seconds(whole, folder)) for _ in range(rounds)]
        return found


def measure(*, quick: bool = False) -> list[Figure]:
    """The default format in one process; the module run by itself measures more."""
    images = 30 if quick else 1500
    rounds = compare(images, 1 if quick else 3, ("png",), (1,))["png", 1]
    ratios = [loop[0] / whole[0] for loop, whole in rounds]
    return [
        figure("prepare: rate relative to a bare loop", ratios, "x", ">= 0.80"),
        figure("prepare", [images / whole[0] for _, whole in rounds], "images/s"),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    found = compare(options.images, options.rounds, FORMATS, options.processes)
    for (image_format, processes), rounds in found.items():
        loop, pipeline = (np.min(times, axis=0) for times in zip(*rounds, strict=True))
        rates = f"bare loop {options.images / loop[0]:6.0f}/s, prepare {options.images / pipeline[0]:6.0f}/s"
        wall, processor = loop / pipeline
        ratios = f"ratio {wall:.2f}, of processor time {processor:.2f}"
        print(f"{image_format}, processes {processes}: {rates}, {ratios}")


if __name__ == "__main__":
    main()
