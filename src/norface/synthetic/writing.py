"""Draw a whole data set to disk: PNG files, face table, description."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import pandas as pd
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import norface
from norface.errors import ConfigError
from norface.imaging.alignment import Alignment
from norface.imaging.files import write_atomically, write_png
from norface.imaging.workers import one_thread_each, start_worker
from norface.labels import EMOTIONS, SPLITS
from norface.synthetic.facekit.capture import Photography
from norface.synthetic.facekit.source import FaceKitFaces
from norface.synthetic.factors import FaceSource, Row
from norface.synthetic.rows import face_row
from norface.synthetic.source import ProceduralFaces
from norface.synthetic.target_person import TARGET_SPLIT, draw_target_person

SOURCES: tuple[str, ...] = ("procedural", "facekit")
"""Names of the built-in faces; `facekit` needs files."""

_COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


@dataclass(frozen=True)
class _Job:
    out: Path
    seed: int
    alignment: Alignment
    aligned: bool
    source: str
    assets: Path | None
    photo: Photography | None


_Task = tuple[_Job, int, str, int]
"""Job, subject, its split, how many faces."""


def draw_faces(
    out: Path,
    *,
    subjects: int | None = None,
    faces_per_subject: int = 24,
    size: int = 64,
    margin: float = Alignment.margin,
    drop: float = Alignment.drop,
    seed: int = 0,
    processes: int | None = None,
    splits: Mapping[str, int] | None = None,
    faces_per_split: Mapping[str, int] | None = None,
    target_faces: int = 0,
    aligned: bool = True,
    source: str = "procedural",
    assets: Path | None = None,
    photo: Photography | None = None,
    progress: bool = True,
) -> Path:
    """Draw faces (``images/``), their true normalized faces (``normalized/``) and ``target.png``; write the face table.

    Files that already are there are kept, so an interrupted call continues where it stopped. The table is written
    last: where it exists, everything it names exists.

    Args:
        out: Folder; made where missing.
        subjects: How many people; the sum of `splits` where that is given.
        faces_per_subject: Faces of each; a multiple of 8 balances the emotions exactly.
        size, margin, drop: Of the crops, see `Alignment`.
        seed: The same seed gives the same pixels.
        processes: Worker processes; as many as there are cores by default.
        splits: Split -> number of subjects, in the order of `norface.labels.SPLITS`; None leaves the column empty.
        faces_per_split: Split -> faces of each of its subjects, where these are not `faces_per_subject`.
        target_faces: Above 0: so many pictures of the target's person, in expressions of their own, join the split
            normalizer as the subject "target", and for its other faces the table names no true normalized face: the
            situation with photographs (see docs/unpaired.md).
        aligned: See `ProceduralFaces`.
        source: One of `SOURCES`.
        assets: Files of the face model, for `facekit`; see `FaceKitFaces`.
        photo: What the originals of `facekit` suffer from.
        progress: Show a progress bar.

    Returns:
        Path of the face table.

    Raises:
        ConfigError: A number is out of range, or a split or source is unknown.
        AssetError: The face model is missing, incomplete or damaged.
        OutputError: `out` cannot be written.
    """
    names = _splits(subjects, splits)
    job = _Job(out, seed, Alignment(size, margin, drop), aligned, source, assets, photo)
    faces = dict.fromkeys((*SPLITS, ""), faces_per_subject) | dict(faces_per_split or {})
    tasks = [(job, subject, split, faces[split]) for subject, split in enumerate(names)]
    _check(job, len(names), min(faces.values()), target_faces, processes)
    faces_of = _source(job)
    _write_description(job, faces_of, len(names), faces_per_subject, splits, faces_per_split, target_faces)
    write_png(out / "target.png", faces_of.target())
    rows: list[Row] = []
    with Progress(*_COLUMNS, disable=not progress) as bar:
        task = bar.add_task("drawing faces", total=sum(count for *_, count in tasks))
        for drawn in _drawn(tasks, processes or os.cpu_count() or 1):
            rows += drawn
            bar.advance(task, len(drawn))
    if target_faces > 0:
        rows = [row | {"normalized": ""} if row["split"] == TARGET_SPLIT else row for row in rows]
        rows += draw_target_person(faces_of, out, target_faces, progress=progress)
    return _write_table(out, rows)


def _splits(subjects: int | None, splits: Mapping[str, int] | None) -> list[str]:
    """Split of every subject, in subject order."""
    if splits is None:
        return [""] * (subjects or 0)
    wrong = [f"{name}={count}" for name, count in splits.items() if name not in SPLITS or count < 0]
    total = sum(splits.values())
    if wrong or (subjects is not None and subjects != total):
        raise ConfigError(
            expected=f"counts of {', '.join(SPLITS)} that sum to the number of subjects",
            found=", ".join(wrong) or f"{subjects} subjects, but splits of {total}",
            where="splits",
            action="Correct `splits`, or leave out `subjects`.",
        )
    return [name for name in SPLITS for _ in range(splits.get(name, 0))]


def _check(job: _Job, subjects: int, faces: int, target_faces: int, processes: int | None) -> None:
    if target_faces < 0:
        raise ConfigError(
            expected="at least 0", found=str(target_faces), where="target_faces", action="Give no negative number."
        )
    people = subjects if target_faces == 0 else 1  # the target's person may be alone
    for name, value in (("subjects", people), ("faces_per_subject", faces), ("processes", processes or 1)):
        if value < 1:
            raise ConfigError(expected="at least 1", found=str(value), where=name, action="Give a positive number.")
    if job.source not in SOURCES or (job.source == "facekit") != (job.assets is not None):
        raise ConfigError(
            expected="source facekit with assets, or source procedural without",
            found=f"source {job.source} and assets {job.assets}",
            where="source",
            action="Name the face model's files with --assets, or leave both options out.",
        )
    if job.photo is not None and job.source != "facekit":
        raise ConfigError(
            expected="photo options for source facekit alone",
            found=f"them for source {job.source}",
            where="photo",
            action="Leave these options out.",
        )
    if job.alignment.margin < 0.0:
        raise ConfigError(
            expected="a margin from 0 on",
            found=str(job.alignment.margin),
            where="margin",
            action="Give a positive number.",
        )


def _drawn(tasks: list[_Task], processes: int) -> Iterator[list[Row]]:
    if processes == 1 or not tasks:
        yield from map(_draw_subject, tasks)
        return
    # Spawn: torch and OpenCV keep threads, and a process forked from one with threads (a fork server's too) can hang.
    context = multiprocessing.get_context("spawn")
    with one_thread_each(), context.Pool(min(processes, len(tasks)), initializer=start_worker) as pool:
        yield from pool.imap(_draw_subject, tasks)  # leaving the block ends the workers


@lru_cache(maxsize=2)
def _source(job: _Job) -> FaceSource:
    if job.source == "procedural":
        return ProceduralFaces(seed=job.seed, alignment=job.alignment, aligned=job.aligned)
    assert job.assets is not None  # `_check` has seen to it
    return FaceKitFaces(
        job.assets, seed=job.seed, alignment=job.alignment, aligned=job.aligned, photo=job.photo or Photography()
    )


def _draw_subject(task: _Task) -> list[Row]:
    job, subject, split, faces = task
    source = _source(job)
    rows = []
    for index in range(faces):
        face_id = f"s{subject:05d}_{index:04d}"
        image, normalized = f"images/{face_id}.png", f"normalized/{face_id}.png"
        factors = source.factors(subject, index)
        if (job.out / image).is_file() and (job.out / normalized).is_file():
            landmarks = source.landmarks(factors)
        else:
            face = source.draw(factors)
            landmarks = face.landmarks
            write_png(job.out / image, face.image)
            write_png(job.out / normalized, face.normalized)
        flat = [round(float(value), 3) for value in landmarks.ravel()]
        rows.append(
            face_row(
                subject=f"s{subject:05d}",
                face_id=face_id,
                split=split,
                image=image,
                normalized=normalized,
                landmarks=flat,
                factors=factors,
                aus=source.aus,
                own=source.columns(factors),
            )
        )
    return rows


def _write_description(
    job: _Job,
    source: FaceSource,
    subjects: int,
    faces: int,
    splits: Mapping[str, int] | None,
    faces_per_split: Mapping[str, int] | None,
    target_faces: int,
) -> None:
    """``faces.json``; refuses a folder that holds faces of other settings."""
    provenance: dict[str, object] = {
        "source": source.name,
        "seed": job.seed,
        "subjects": subjects,
        "faces_per_subject": faces,
        "splits": dict(splits) if splits is not None else None,
        "faces_per_split": dict(faces_per_split or {}),
        "target_faces": target_faces,
        "aligned": job.aligned,
        "crop": {"size": job.alignment.size, "margin": job.alignment.margin, "drop": job.alignment.drop},
        "drawing_version": source.drawing_version,
        "norface": norface.__version__,
    } | source.settings()
    description = {
        "emotions": list(EMOTIONS),
        "aus": list(source.aus),
        "alignment": job.alignment.describe() if job.aligned else None,
        "provenance": provenance,
    }
    path = job.out / "faces.json"
    if path.is_file():
        _check_same(path, provenance)
    write_atomically(path, (json.dumps(description, indent=2) + "\n").encode())


def _check_same(path: Path, provenance: Mapping[str, object]) -> None:
    try:
        found = json.loads(path.read_text()).get("provenance", {})
    except (OSError, ValueError, AttributeError):
        found = {}
    # More subjects or faces than before extend a folder; anything else would mix two data sets.
    fixed = ("source", "seed", "aligned", "crop", "drawing_version", "model", "photo")
    different = [name for name in fixed if found.get(name) != provenance.get(name)]
    if different:
        raise ConfigError(
            expected="an empty folder, or faces drawn with the same settings",
            found="faces with another " + ", ".join(different),
            where=str(path),
            action="Choose another folder, or delete this one.",
        )


def _write_table(out: Path, rows: list[Row]) -> Path:
    frame = pd.DataFrame(rows)
    frame["normalized"] = frame["normalized"].replace("", None)
    frame["split"] = frame["split"].replace("", None).astype("str" if frame["split"].ne("").all() else "object")
    if frame["split"].isna().all():
        frame = frame.drop(columns="split")
    buffer = BytesIO()
    frame.to_parquet(buffer, index=False)
    path = out / "faces.parquet"
    write_atomically(path, buffer.getvalue())
    return path
