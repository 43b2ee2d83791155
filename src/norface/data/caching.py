"""Normalizing the faces of a table into a cache, and finding that cache again."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from norface.cache import (
    DEFAULT_ENCODING,
    CacheBuild,
    CachedFace,
    CacheIdentity,
    Encoding,
    FaceNormalizer,
    Manifest,
    NormalizedCache,
)
from norface.data.images import FaceReader
from norface.data.subjects import FOLD
from norface.data.table import FaceTable
from norface.errors import AlignmentError, CacheError, ImageError, SplitError
from norface.imaging.alignment import Alignment
from norface.imaging.convert import to_pixels, to_tensor
from norface.imaging.pixels import Pixels

_log = logging.getLogger(__name__)

CLASSIFIER_SPLITS = ("train", "val", "test")


def cached_rows(table: FaceTable, splits: Iterable[str] | None = None) -> NDArray[np.int64]:
    """The rows that a cache holds: usable ones of the splits (None = train, val and test; all, where none has a split).

    Raises:
        SplitError: There are none.
    """
    usable = table.frame["success"] != 0
    names = tuple(CLASSIFIER_SPLITS if splits is None else splits)
    if "split" in table.frame.columns:
        usable &= table.frame["split"].isin(names)
    rows = np.flatnonzero(usable.to_numpy(bool)).astype(np.int64)
    if len(rows) == 0:
        raise SplitError(
            expected=f"usable faces in {', '.join(names)}",
            found="none",
            where=f"face table in {table.root}",
            action="Name other splits, or correct the column `split`.",
        )
    return rows


def rows_to_cache(table: FaceTable, splits: Iterable[str] | None = None) -> FaceTable:
    """The table of `cached_rows`."""
    return table.with_frame(table.frame.iloc[cached_rows(table, splits)])


def table_fingerprint(rows: FaceTable) -> str:
    """Fingerprint of cached rows; in which split each of them stands, and by which fold, does not matter."""
    rows = rows.with_frame(rows.frame.drop(columns="split", errors="ignore"))
    about = {name: value for name, value in rows.meta.provenance.items() if name != FOLD}
    return replace(rows, meta=replace(rows.meta, provenance=about)).fingerprint()


def build_cache(
    table: FaceTable,
    normalizer: FaceNormalizer,
    folder: Path,
    *,
    alignment: Alignment,
    batch_size: int = 32,
    splits: Iterable[str] | None = None,
    shard_size: int = 512,
    encoding: Encoding = DEFAULT_ENCODING,
    progress: bool = True,
    rank: int = 0,
    world_size: int = 1,
) -> NormalizedCache | None:
    """Normalize what is missing, shard by shard; started again after an interruption, it goes on where it stopped.

    A face that cannot be read or normalized is kept without an image and listed in ``failed.csv``.

    Args:
        table: The face table.
        normalizer: The normalizer.
        folder: Folder of caches; this one gets a folder of its own in it.
        alignment: Of the faces.
        batch_size: Faces normalized at once.
        splits: Whose faces; None = train, val and test.
        shard_size: Faces in a file.
        encoding: How images are stored; a finished cache keeps its own.
        progress: Show a progress bar (on stderr).
        rank, world_size: This process among those that build the same cache.

    Returns:
        The finished cache, or None where other processes have not finished their shards.

    Raises:
        AlignmentError: Normalizer and faces are aligned differently.
        OutputError: The folder cannot be written to.
    """
    if normalizer.alignment != alignment:
        raise AlignmentError(
            expected=f"faces aligned like the normalizer's: {normalizer.alignment}",
            found=str(alignment),
            where="the data's image_size, margin and drop",
            action="Use those that the normalizer was trained with.",
        )
    rows = rows_to_cache(table, splits)
    identity = CacheIdentity(normalizer=normalizer.fingerprint, table=table_fingerprint(rows), alignment=alignment)
    face_ids = rows.frame["face_id"].tolist()
    build = CacheBuild(
        identity.folder(folder),
        identity=identity,
        subjects=normalizer.subjects,
        face_ids=face_ids,
        shard_size=shard_size,
        encoding=encoding,
    )
    if not build.complete:
        _write_missing(build, rows, normalizer, batch_size, rank, world_size, progress)
        if build.missing():
            return None
        manifest = build.finish()
        if manifest.failed:
            _log.warning("%d faces have no normalized face; see %s", manifest.failed, build.folder / "failed.csv")
    return NormalizedCache.open(build.folder, identity)


def _write_missing(
    build: CacheBuild,
    rows: FaceTable,
    normalizer: FaceNormalizer,
    batch_size: int,
    rank: int,
    world_size: int,
    progress: bool,
) -> None:
    reader = FaceReader(rows, normalizer.alignment)
    shards = build.shards(rank, world_size)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True)) if progress and shards else None
    with bar or nullcontext():
        task = bar.add_task("normalizing faces", total=sum(shard.rows for shard in shards)) if bar else None

        def advance(count: int) -> None:
            if bar is not None and task is not None:
                bar.advance(task, count)

        for shard in shards:
            numbers = np.arange(shard.first_row, shard.last_row + 1, dtype=np.int64)
            build.write(shard, _normalize(rows, reader, normalizer, numbers, batch_size, advance))


def _normalize(
    rows: FaceTable,
    reader: FaceReader,
    normalizer: FaceNormalizer,
    numbers: NDArray[np.int64],
    batch_size: int,
    advance: Callable[[int], None],
) -> list[CachedFace]:
    face_ids = rows.frame["face_id"].tolist()
    faces: list[CachedFace] = []
    for start in range(0, len(numbers), batch_size):
        batch = [int(row) for row in numbers[start : start + batch_size]]
        images = {row: _read(reader, row) for row in batch}
        good = {row: pixels for row, pixels in images.items() if not isinstance(pixels, str)}
        done = _normalized(normalizer, good, face_ids)
        bad = {row: error for row, error in images.items() if isinstance(error, str)}
        failed = {row: CachedFace(face_id=face_ids[row], image=None, error=error) for row, error in bad.items()}
        faces += [(done | failed)[row] for row in batch]
        advance(len(batch))
    return faces


def _read(reader: FaceReader, row: int) -> Pixels | str:
    try:
        return reader.original(row)
    except (ImageError, AlignmentError) as error:
        return str(error)


def _normalized(normalizer: FaceNormalizer, images: dict[int, Pixels], face_ids: list[str]) -> dict[int, CachedFace]:
    if not images:
        return {}
    with torch.inference_mode():
        output = normalizer.normalize(to_tensor(np.stack(list(images.values()))))
    pixels = to_pixels(output.image)
    finite = torch.isfinite(output.image).flatten(1).all(1).tolist()
    identity, expression = output.identity_to_target.tolist(), output.expression_distance.tolist()
    return {
        row: CachedFace(
            face_id=face_ids[row],
            image=pixels[k] if finite[k] else None,
            identity_to_target=identity[k] if finite[k] else math.nan,
            expression_distance=expression[k] if finite[k] else math.nan,
            error="" if finite[k] else "the normalizer returned values that are not finite",
        )
        for k, row in enumerate(images)
    }


def find_cache(
    table: FaceTable,
    fingerprint: str | None,
    folder: Path,
    *,
    alignment: Alignment,
    splits: Iterable[str] | None = None,
) -> NormalizedCache:
    """Open the finished cache of these faces.

    Args:
        table: The face table.
        fingerprint: Of the normalizer; None: `folder` is one finished cache, whatever made it.
        folder: Folder of caches, or one finished cache.
        alignment: Of the faces.
        splits: As given to `build_cache`.

    Raises:
        CacheError: There is none, or it belongs to another normalizer, table or alignment.
    """
    rows = rows_to_cache(table, splits)
    itself = (folder / "manifest.json").is_file()
    if fingerprint is None and not itself:
        raise CacheError(
            expected="a finished cache, because no normalizer is named",
            found="no manifest.json",
            where=str(folder),
            action="Set data.init_args.normalizer, or cache_dir to a folder that `norface cache build` finished.",
        )
    parent = fingerprint if fingerprint is not None else Manifest.load(folder).identity.normalizer
    identity = CacheIdentity(normalizer=parent, table=table_fingerprint(rows), alignment=alignment)
    return NormalizedCache.open(folder if itself else identity.folder(folder), identity)
