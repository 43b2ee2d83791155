"""Normalizing the faces of a table into a cache, and finding that cache again."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from norface.cache import (
    DEFAULT_ENCODING,
    CacheBuild,
    CacheIdentity,
    CrossFitted,
    Encoding,
    FaceNormalizer,
    Manifest,
    NormalizedCache,
)
from norface.cache.manifest import Shard
from norface.data.images import FaceReader, Read
from norface.data.normalizing import NOT_FINITE, Normalizing, read_or_reason
from norface.data.subjects import FOLD, people
from norface.data.table import FaceTable
from norface.errors import AlignmentError, CacheError, SplitError
from norface.imaging.alignment import Alignment

T = TypeVar("T")
CPU = torch.device("cpu")

_log = logging.getLogger(__name__)

CLASSIFIER_SPLITS = ("train", "val", "test")
VISIBLE_WITHIN_S = 60.0
"""A network file system may show what another node wrote this much later."""


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


class Processes(Protocol):
    """The processes that build one cache together, as this one sees them; a launched `lightning.Fabric` is such."""

    @property
    def global_rank(self) -> int:
        """Number of this process, from 0."""
        ...

    @property
    def world_size(self) -> int:
        """How many there are."""
        ...

    @property
    def device(self) -> torch.device:
        """Where this one computes."""
        ...

    def broadcast(self, obj: T, src: int = 0) -> T:
        """What process `src` passes as `obj`."""
        ...

    def barrier(self) -> None:
        """Wait for all."""
        ...


@dataclass(frozen=True)
class Alone:
    """One process."""

    device: torch.device = CPU
    global_rank: int = 0
    world_size: int = 1

    def broadcast(self, obj: T, src: int = 0) -> T:
        """The same object."""
        return obj

    def barrier(self) -> None:
        """Nobody to wait for."""


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
    thorough: bool = False,
    processes: Processes | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> NormalizedCache:
    """Normalize what is missing, shard by shard; started again after an interruption, it goes on where it stopped.

    A face that cannot be read or normalized is kept without an image and listed in ``failed.csv``. What is missing is
    dealt over the processes that are there; the first one writes the manifest when all are done.

    Args:
        table: The face table.
        normalizer: The normalizer, or several that are cross-fitted; moved to the device of the process where it is a
            module.
        folder: Folder of caches; this one gets a folder of its own in it.
        alignment: Of the faces.
        batch_size: Faces normalized at once.
        splits: Whose faces; None = train, val and test.
        shard_size: Faces in a file.
        encoding: How images are stored; a finished cache keeps its own.
        thorough: Look at every byte of the shards that are there, and try faces again that failed before.
        processes: Those that build it together, all with the same arguments; None: this one alone.
        workers: Threads that read, encode and write; None: as many as there are cores.
        progress: Show a progress bar (on stderr).

    Returns:
        The finished cache.

    Raises:
        AlignmentError: Normalizer and faces are aligned differently.
        LeakageError: Of several normalizers, each was trained on somebody who is to be normalized.
        OutputError: The folder cannot be written to.
        CacheError: What another process wrote does not show up in the folder.
    """
    if normalizer.alignment != alignment:
        raise AlignmentError(
            expected=f"faces aligned like the normalizer's: {normalizer.alignment}",
            found=str(alignment),
            where="the data's image_size, margin and drop",
            action="Use those that the normalizer was trained with.",
        )
    rows = rows_to_cache(table, splits)
    several = normalizer.normalizers if isinstance(normalizer, CrossFitted) else ()
    chosen = normalizer.deal(people(rows).tolist()) if isinstance(normalizer, CrossFitted) else None
    identity = CacheIdentity(normalizer=normalizer.fingerprint, table=table_fingerprint(rows), alignment=alignment)
    build = CacheBuild(
        identity.folder(folder),
        identity=identity,
        subjects=normalizer.subjects,
        normalizers=[(one.fingerprint, one.subjects) for one in several],
        face_ids=rows.frame["face_id"].tolist(),
        shard_size=shard_size,
        encoding=encoding,
    )
    together = processes or Alone()
    read = FaceReader(rows, alignment).original
    missing: list[Shard] | None = None
    if together.global_rank == 0 and (thorough or not build.complete):
        missing = build.missing(thorough=thorough)
        if thorough:
            missing = sorted({*missing, *_to_retry(build, read, missing)}, key=build.plan.index)
    missing = together.broadcast(missing)  # one list for all: another process would find less missing a moment later
    if missing is not None:
        normalizers = several or (normalizer,)
        for one in normalizers:
            if isinstance(one, nn.Module):
                one.to(together.device)
        chosen = np.zeros(len(rows), np.int64) if chosen is None else chosen
        mine = missing[together.global_rank :: together.world_size]
        work = Normalizing(build, read, normalizers, chosen, batch_size, together.device, workers or cores())
        with _bar(sum(shard.rows for shard in mine), shown=progress and together.global_rank == 0) as advance:
            work.write(mine, advance)
        together.barrier()
        if together.global_rank == 0:
            _finish(build)
        together.barrier()
    return NormalizedCache.open(build.folder, identity)


def _to_retry(build: CacheBuild, read: Read, missing: Collection[Shard]) -> list[Shard]:
    """Shards with a face that failed and would not fail in the same way again, for instance since its file is back."""
    place = {name: row for row, name in enumerate(build.face_ids)}

    def changed(name: str, error: str) -> bool:
        found = read_or_reason(read, place[name])
        return found != error if isinstance(found, str) else error != NOT_FINITE

    present = [shard for shard in build.plan if shard not in missing]
    return [shard for shard in present if any(changed(*failure) for failure in build.failures(shard))]


def _finish(build: CacheBuild) -> None:
    end = time.monotonic() + VISIBLE_WITHIN_S
    while build.missing() and time.monotonic() < end:
        time.sleep(1.0)
    manifest = build.finish()
    if manifest.failed:
        _log.warning("%d faces have no normalized face; see %s", manifest.failed, build.folder / "failed.csv")


def cores(processes: int = 1) -> int:
    """Cores for one of the processes of this machine: those that SLURM or a container gives it, or an equal share."""
    all_cores = os.cpu_count() or 1
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else all_cores
    return min(own, max(1, all_cores // processes))


@contextmanager
def _bar(total: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    if not (shown and total):
        yield lambda count: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("normalizing faces", total=total)
        yield lambda count: bar.advance(task, count)


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
