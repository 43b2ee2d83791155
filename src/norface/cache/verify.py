"""Look at every byte of a cache, sum it up, and take its images out."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from norface.cache.durable import write_durably
from norface.cache.manifest import MANIFEST, Manifest
from norface.cache.reader import NormalizedCache
from norface.cache.shard import ShardFile, ShardHeader
from norface.cache.writer import FAILED, failed_csv, failed_rows, file_sha256
from norface.errors import CacheError
from norface.imaging.files import write_png

FIGURES = ("identity_to_target", "expression_distance")


@dataclass(frozen=True)
class Problem:
    """Something wrong with one file of a cache."""

    file: str
    message: str


def verify(folder: Path) -> list[Problem]:
    """Find missing, truncated, altered and foreign files; an empty list means that every byte is as written."""
    try:
        manifest = Manifest.load(folder)
    except CacheError as error:
        return [Problem(MANIFEST, str(error))]
    problems: list[Problem] = []
    failures: list[tuple[str, str]] = []
    for shard, digest in zip(manifest.shards, manifest.sha256, strict=True):
        try:
            file = ShardFile(folder / shard.file, ShardHeader(manifest.identity, manifest.encoding, shard))
            problems += _altered(file, digest)
            failures += failed_rows(file)
        except (CacheError, OSError) as error:
            problems.append(Problem(shard.file, str(error)))
    listed = {shard.file for shard in manifest.shards}
    foreign = sorted(path.name for path in folder.glob("*.arrow") if path.name not in listed)
    problems += [Problem(name, "not listed in the manifest") for name in foreign]
    if not problems:
        problems += _failures(folder, manifest, failures)
    return problems


def _altered(file: ShardFile, digest: str) -> list[Problem]:
    name = file.path.name
    if file_sha256(file.path) == digest:
        return []
    problems = []
    for row in range(file.header.shard.rows):  # name the faces, so that one knows what a reader would have noticed
        try:
            file.face(row)
        except CacheError as error:
            problems.append(Problem(name, str(error)))
    return problems or [Problem(name, "differs from the file that was written, outside the images")]


def _failures(folder: Path, manifest: Manifest, failures: list[tuple[str, str]]) -> list[Problem]:
    if len(failures) != manifest.failed:
        return [Problem(MANIFEST, f"{manifest.failed} failed faces, but the shards hold {len(failures)}")]
    path = folder / FAILED
    if not path.is_file() or path.read_bytes() != failed_csv(failures):
        return [Problem(FAILED, "missing, or does not list the failed faces of the shards")]
    return []


def stats(folder: Path) -> dict[str, object]:
    """Sum up a cache as plain data: counts, bytes, parents, and mean and percentiles of each quality figure.

    Raises:
        CacheError: There is no finished cache, or it is damaged.
    """
    cache = NormalizedCache.open(folder)
    frame, manifest = cache.frame(), cache.manifest
    return {
        "faces": manifest.faces,
        "failed": manifest.failed,
        "shards": len(manifest.shards),
        "encoding": manifest.encoding,
        "bytes": sum((folder / shard.file).stat().st_size for shard in manifest.shards),
        "gate_passed": manifest.gate_passed,
        "normalizer_subjects": len(manifest.subjects),
        "parents": manifest.identity.describe(),
        **{name: _summary(frame[name].to_numpy(np.float64)) for name in FIGURES},
    }


def _summary(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> dict[str, float | None]:
    known = values[np.isfinite(values)]
    if not known.size:  # None and not NaN: the result must be valid JSON
        return dict.fromkeys(("mean", "p5", "p50", "p95"))
    p5, p50, p95 = np.percentile(known, (5, 50, 95))
    return {"mean": float(known.mean()), "p5": float(p5), "p50": float(p50), "p95": float(p95)}


def export(folder: Path, out: Path) -> int:
    """Write every normalized face as a PNG file, with `index.csv` (face_id, file) beside them.

    Returns:
        Number of images; failed faces have none.

    Raises:
        CacheError: There is no finished cache, or an image is damaged.
        OutputError: `out` cannot be written to.
    """
    cache = NormalizedCache.open(folder)
    rows: list[tuple[str, str]] = []
    taken: set[str] = set()
    for face_id in cache.face_ids:
        image = cache.image(face_id)
        if image is not None:
            name = _file_name(face_id, taken)
            write_png(out / name, image)
            rows.append((face_id, name))
    index = io.StringIO()
    csv.writer(index, lineterminator="\n").writerows([("face_id", "file"), *rows])
    write_durably(out / "index.csv", index.getvalue().encode())
    return len(rows)


def _file_name(face_id: str, taken: set[str]) -> str:
    # A face id may hold anything, "../x" included. Whatever is changed gets a digest behind "~", which no unchanged
    # name contains; names that differ only in case would be one file on some systems.
    stem = re.sub(r"[^A-Za-z0-9_.-]", "_", face_id).lstrip(".")[:100]
    if stem != face_id or f"{stem}.png".casefold() in taken:
        stem += "~" + hashlib.sha256(face_id.encode()).hexdigest()[:12]
    taken.add(f"{stem}.png".casefold())
    return f"{stem}.png"
