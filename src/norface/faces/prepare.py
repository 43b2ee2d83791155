"""Preparing a data set: an owner's folder in, one face table with aligned crops out.

An interrupted preparation goes on with the same call: parts of a few hundred rows are noted when they are finished, and
the table is put together from them at the end.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from norface.data.readers.contract import DatasetReader, Reading
from norface.data.table import META_FILE, ROWS_FILE
from norface.errors import ConfigError, DatasetError
from norface.faces.choose import Rule
from norface.faces.contract import Detector
from norface.faces.cutting import SUFFIXES, ImageFormat, Recipe
from norface.faces.merging import RECORD_FILE, Prepared, merge, recorded
from norface.faces.parts import Workspace, require_same
from norface.faces.placing import alignment_for, rule_for
from norface.faces.plan import Job, Plan
from norface.faces.running import run

PREPARE_VERSION = 1
"""Raised whenever the same images and options would give other crops or another table."""

_SHOW_AGAIN_S = 0.1
_COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


def prepare(
    reader: DatasetReader,
    root: Path,
    out: Path,
    *,
    detector: Callable[[], Detector],
    options: Mapping[str, object] | None = None,
    rule: Rule | None = None,
    size: int = 112,
    margin: float | None = None,
    drop: float | None = None,
    frame: str | None = None,
    image_format: ImageFormat = "png",
    processes: int | None = None,
    progress: bool = True,
) -> Prepared:
    """Find, align and write every face of a data set, then its table.

    Images that cannot be read or show no face stay in the table with ``success`` 0 and are listed in ``skipped.csv``,
    together with everything that the reader left out.

    Args:
        reader: Of the data set.
        root: The owner's folder; nothing is written there.
        out: Output folder.
        detector: Makes the detector; a picklable function, called once in each process.
        options: The reader's options, for the provenance.
        rule: Which of several faces is meant; None: the one at the labelled box where the data set knows boxes, else
            the largest.
        size: Side of the crops in pixels.
        margin, drop: See `Alignment`; None: its defaults for faces aligned here, 0 for crops that the owner made.
        frame: Without a detector: a name for the kind of crops that the images are, where the data set does not know.
        image_format: ``png`` (lossless) or ``jpeg`` (quality 95, about a third of the size).
        processes: Worker processes; as many as there are cores by default.
        progress: Show a progress bar (on stderr).

    Raises:
        DatasetError: `root` is not this data set.
        DetectionError: The detector cannot run.
        AlignmentError: The images must be aligned, and the detector cannot; or the other way round.
        ConfigError: An option is out of range, or `out` holds something else.
        OutputError: `out` cannot be written to.
    """
    _check_options(size, processes, margin, drop)
    _check_out(root, out)
    found = detector()  # in this process too: what is missing is missed before anything is read or written
    reading = _read(reader, root)
    rows = _checked_rows(reading, reader.info.name)
    reading = replace(reading, rows=rows)
    alignment = alignment_for(found, reading, reader.info, size=size, margin=margin, drop=drop, frame=frame)
    chosen = rule_for(rule, rows)
    settings: dict[str, object] = {
        "dataset": reader.info.name,
        "reader": dict(options or {}),
        "facts": dict(reading.facts),
        "rows": {"count": len(rows), "sha256": _digest(rows)},
        "detector": found.describe(),
        "choose": chosen,
        "alignment": alignment.describe(),
        "format": image_format,
        "prepare_version": PREPARE_VERSION,
    }
    plan = Plan(rows, SUFFIXES[image_format])
    done = _already(out, settings)
    if done is not None:
        return done
    workspace = Workspace(out)
    workspace.claim(settings)
    recipe = Recipe(reader, root, out, detector, chosen, alignment, image_format)
    _work(plan, workspace, recipe, processes=processes or os.cpu_count() or 1, progress=progress)
    prepared = merge(reader.info, reading, plan, workspace, settings, alignment)
    workspace.clear()
    return prepared


def _read(reader: DatasetReader, root: Path) -> Reading:
    try:
        return reader.read(root)
    except DatasetError as error:
        see = f"`norface data check --dataset {reader.info.name} --root {root}` shows everything that is expected."
        raise DatasetError(
            expected=error.expected, found=error.found, where=error.where, action=f"{error.action} {see}"
        ) from error


def _check_options(size: int, processes: int | None, margin: float | None, drop: float | None) -> None:
    for name, value, low, high in (
        ("size", size, 16, 4096),
        ("processes", processes, 1, math.inf),
        ("margin", margin, 0, 4),
        ("drop", drop, -1, 1),
    ):
        if value is not None and not low <= value <= high:
            raise ConfigError(
                expected=f"at least {low}" if high == math.inf else f"a number from {low} to {high}",
                found=str(value),
                where=f"--{name}",
                action="Correct it.",
            )


def _check_out(root: Path, out: Path) -> None:
    if out.resolve().is_relative_to(root.resolve()):
        raise ConfigError(
            expected="an output folder outside the owner's folder, where nothing is ever written",
            found=f"{out} inside {root}",
            where="--out",
            action="Choose another folder.",
        )
    foreign = [name for name in (ROWS_FILE, META_FILE, "images") if (out / name).exists()]
    if foreign and not (Workspace(out).begun or (out / RECORD_FILE).is_file()):
        raise ConfigError(
            expected="an empty folder, or one that `norface data prepare` wrote",
            found=f"{', '.join(foreign)} of something else",
            where=str(out),
            action="Choose another --out, or delete this folder.",
        )


def _checked_rows(reading: Reading, dataset: str) -> pd.DataFrame:
    rows = reading.rows.reset_index(drop=True)
    if rows.empty:
        raise DatasetError(
            expected="at least one face",
            found=f"none ({len(reading.skipped)} left out)",
            where=dataset,
            action="`norface data check --dataset` says what is missing.",
        )
    for column in ("face_id", "image", "subject"):
        bad = rows[column].isna() | (rows[column] == "")
        if column == "face_id":
            bad |= rows[column].duplicated()
        if bad.any():
            first = f"{rows[column][bad].tolist()[0]!r} in row {bad.idxmax()}"
            raise DatasetError(
                expected=f"a {'unique ' if column == 'face_id' else ''}{column} in every row",
                found=f"{int(bad.sum())} rows without, the first: {first}",
                where=dataset,
                action="Correct the names in the data set's table.",
            )
    return rows


def _digest(rows: pd.DataFrame) -> str:
    digest = hashlib.sha256("\0".join(map(str, rows.columns)).encode())
    digest.update(pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _already(out: Path, settings: Mapping[str, object]) -> Prepared | None:
    """What was prepared here before with the same settings; None where something is left to do."""
    record = recorded(out)
    if record is None:
        return None
    require_same(record.settings, settings, where=str(out))
    whole = all((out / name).is_file() for name in (ROWS_FILE, META_FILE))
    return replace(record, new=False) if whole and not Workspace(out).begun else None


def _work(plan: Plan, workspace: Workspace, recipe: Recipe, *, processes: int, progress: bool) -> None:
    parts = [part for job in plan.jobs for part in job.parts]
    finished = workspace.finished(parts, plan.crops)
    left = [
        Job(job.video, tuple(part for part in job.parts if part.number not in finished))
        for job in plan.jobs
        if any(part.number not in finished for part in job.parts)
    ]
    before = sum(len(part.rows) for part in parts if part.number in finished)
    with Progress(*_COLUMNS, console=Console(stderr=True), disable=not progress) as bar:
        task = bar.add_task("preparing faces", total=len(plan.rows), completed=before)
        done, shown = before, time.monotonic()
        for count in run(recipe, left, plan.items, processes=processes):
            done += count
            if time.monotonic() - shown > _SHOW_AGAIN_S:
                shown = time.monotonic()
                bar.update(task, completed=done)
        bar.update(task, completed=done)
