"""Which encoding a cache should have: bytes per face, time to encode and decode, and what a lossy one costs a probe.

`python benchmarks/codecs.py` draws its own faces. With a finished cache, `--cache runs/demo/cache/<key>`, it measures
that cache's faces, and with its table too, `--table data/faces`, it trains the probe of `norface gate` on the faces as
they come back from each lossy codec (a minute each, times `--seeds`). Lossless ones cannot change it, and are checked
to be lossless.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import torch
from PIL import Image

from norface.cache import CacheBuild, CachedFace, NormalizedCache
from norface.imaging.alignment import Alignment
from norface.imaging.files import decode_image, encode_jpeg, encode_png
from norface.imaging.pixels import Pixels
from norface.synthetic import ProceduralFaces

DRAWN, SIZES = 64, (64, 224)
ROUNDS = 5


@dataclass(frozen=True)
class Codec:
    """Pixels to bytes and back; both take the size of the images as well."""

    encode: Callable[[Pixels], bytes]
    decode: Callable[[bytes, int], Pixels]
    lossless: bool = True


def opencv(suffix: str, *settings: int) -> Callable[[Pixels], bytes]:
    return lambda pixels: bytes(cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), settings)[1])


def webp_fast(pixels: Pixels) -> bytes:
    """OpenCV has no setting for libwebp's effort; Pillow has."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", lossless=True, method=0, quality=0)
    return out.getvalue()


def from_image(data: bytes, size: int) -> Pixels:
    return decode_image(data, where=f"a face of {size} pixels")


def from_bytes(data: bytes, size: int) -> Pixels:
    return np.frombuffer(data, np.uint8).reshape(size, size, 3).copy()


def compressed(name: str) -> Codec:
    """Pixels through one of Arrow's general compressors, each image alone."""
    codec = pa.Codec(name)

    def decode(data: bytes, size: int) -> Pixels:
        return from_bytes(codec.decompress(data, 3 * size * size, asbytes=True), size)

    return Codec(lambda pixels: bytes(codec.compress(pixels.tobytes(), asbytes=True)), decode)


PNG_FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
CODECS = {
    "raw": Codec(lambda pixels: pixels.tobytes(), from_bytes),
    "raw, lz4": compressed("lz4"),
    "raw, zstd": compressed("zstd"),
    "png": Codec(encode_png, from_image),
    "png, level 1, run lengths": Codec(opencv(".png", *PNG_FAST), from_image),
    "png, level 3": Codec(opencv(".png", cv2.IMWRITE_PNG_COMPRESSION, 3), from_image),
    "png, level 9": Codec(opencv(".png", cv2.IMWRITE_PNG_COMPRESSION, 9), from_image),
    "webp, lossless": Codec(opencv(".webp", cv2.IMWRITE_WEBP_QUALITY, 101), from_image),
    "webp, lossless, fastest": Codec(webp_fast, from_image),
    "jpeg 95": Codec(lambda pixels: encode_jpeg(pixels, quality=95), from_image, lossless=False),
    "jpeg 85": Codec(lambda pixels: encode_jpeg(pixels, quality=85), from_image, lossless=False),
    "webp 95": Codec(opencv(".webp", cv2.IMWRITE_WEBP_QUALITY, 95), from_image, lossless=False),
}


def microseconds(work: Callable[[Any], object], items: list[Any]) -> float:
    """Processor time per item: the best of a few rounds, so that what else the machine does counts little."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for item in items:
            work(item)
        times.append((time.process_time() - start) / len(items))
    return 1e6 * min(times)


def measure(codec: Codec, faces: list[Pixels]) -> dict[str, float]:
    """Size and speed on some faces.

    Raises:
        ValueError: A codec that is called lossless changed a pixel.
    """
    size = len(faces[0])
    coded = [codec.encode(face) for face in faces]
    back = [codec.decode(data, size) for data in coded]
    if codec.lossless and not all(np.array_equal(one, other) for one, other in zip(faces, back, strict=True)):
        raise ValueError("not lossless")
    error = statistics.mean(float(np.square(a.astype(float) - b).mean()) for a, b in zip(faces, back, strict=True))
    return {
        "bytes": statistics.mean(len(data) for data in coded),
        "encode_us": microseconds(codec.encode, faces),
        "decode_us": microseconds(lambda data: codec.decode(data, size), coded),
        **({} if codec.lossless else {"psnr_db": 10 * math.log10(255**2 / error)}),
    }


def drawn(size: int) -> list[Pixels]:
    source = ProceduralFaces(alignment=Alignment(size))
    return [source.normalized(source.factors(k // 8, k % 8)) for k in range(DRAWN)]


def recode(cache: NormalizedCache, codec: Codec, folder: Path) -> Path:
    """A cache of the faces as they come back from a codec."""
    manifest = cache.manifest
    options: dict[str, Any] = {"identity": manifest.identity, "subjects": manifest.subjects, "face_ids": cache.face_ids}
    build = CacheBuild(folder, encoding="raw", **options)
    for shard in build.missing():
        faces = [cache[name] for name in cache.face_ids[shard.span]]
        size = manifest.identity.alignment.size
        back = [None if f.image is None else codec.decode(codec.encode(f.image), size) for f in faces]
        build.write(
            shard,
            [CachedFace(face_id=f.face_id, image=i, error=f.error) for f, i in zip(faces, back, strict=True)],
        )
    build.finish()
    return folder


def probe(folder: Path, table: str, epochs: int, seed: int) -> tuple[float, int]:
    """Accuracy of the gate's probe on test people, trained on normalized faces alone; and how many it was tested on."""
    from norface.data import FaceDataModule
    from norface.evaluation.gate import PROBE_AUGMENTATION, measure_probe

    crop = NormalizedCache.open(folder).manifest.identity.alignment
    data = FaceDataModule(
        table,
        image_size=crop.size,
        margin=crop.margin,
        drop=crop.drop,
        seed=seed,
        source="cache",
        cache_dir=str(folder),
        augment=PROBE_AUGMENTATION,
    )
    data.setup()
    score = measure_probe(data, "normalized", epochs=epochs, seed=seed)
    return float(score["accuracy"]), sum(map(sum, score["confusion"]))


def probes(cache: NormalizedCache, table: str, epochs: int, seeds: int) -> dict[str, dict[str, float]]:
    """The probe on the cache as it is, and after each lossy codec; the same seeds for all."""
    found = {}
    lossy = {name: codec for name, codec in CODECS.items() if not codec.lossless}
    for name, codec in {"lossless": CODECS["raw"], **lossy}.items():
        with tempfile.TemporaryDirectory() as folder:
            scores = [probe(recode(cache, codec, Path(folder) / "cache"), table, epochs, seed) for seed in range(seeds)]
        accuracy, faces = statistics.mean(score for score, _ in scores), scores[0][1]
        error = math.sqrt(accuracy * (1 - accuracy) / faces)
        found[name] = {"accuracy": accuracy, "standard_error": error, "test_faces": faces, "seeds": seeds}
        each = " ".join(f"{score:.3f}" for score, _ in scores)
        print(f"{name:<28} accuracy {accuracy:.4f} +- {error:.4f} on {faces} faces ({each})", flush=True)
    return found


def show(title: str, faces: list[Pixels]) -> dict[str, dict[str, float]]:
    print(f"\n{title}\n{'':<28}{'bytes/face':>11}{'of raw':>8}{'encode':>11}{'decode':>11}{'PSNR':>9}")
    found = {}
    for name, codec in CODECS.items():
        found[name] = row = measure(codec, faces)
        quality = f"{row['psnr_db']:.1f} dB" if "psnr_db" in row else "exact"
        share = row["bytes"] / faces[0].size
        times = f"{row['encode_us']:>8.0f} us{row['decode_us']:>8.0f} us"
        print(f"{name:<28}{row['bytes']:>11.0f}{share:>8.2f}{times}{quality:>9}")
    return found


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cache", type=Path, help="a finished cache; without it, faces are drawn")
    parser.add_argument("--table", help="the face table of the cache: train the probe as well")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    results: dict[str, Any] = {}
    if options.cache is None:
        results = {f"drawn, {size} px": show(f"drawn faces of {size} pixels", drawn(size)) for size in SIZES}
    else:
        cache = NormalizedCache.open(options.cache)
        some = [cache.image(name) for name in cache.face_ids[:: max(1, len(cache) // 256)]]
        results["cache"] = show(f"faces of {options.cache}", [image for image in some if image is not None])
        if options.table:
            results["probe"] = probes(cache, options.table, options.epochs, options.seeds)
    options.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
