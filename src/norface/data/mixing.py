"""Several face tables as one: by name, with unknown labels left unknown."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from norface.data.splits import check_subject_exclusive
from norface.data.subjects import MIXED, people
from norface.data.table import FaceTable, TableMeta
from norface.data.vocabulary import restrict
from norface.errors import AlignmentError, TableError
from norface.people import dataset_of


def named(tables: Sequence[tuple[Path, FaceTable]]) -> dict[str, FaceTable]:
    """Tables by the name of their data set, or of their folder where they name none.

    Raises:
        TableError: Two have the same name.
    """
    found: dict[str, FaceTable] = {}
    for path, table in tables:
        name = dataset_of(table.meta.provenance) or path.resolve().stem
        if name in found:
            raise TableError(
                expected="tables of different data sets, or in folders of different names",
                found=f"two called {name!r}",
                where=str(path),
                action="Rename one folder, or write `dataset` into the provenance of its faces.json.",
            )
        found[name] = table
    return found


def mix(
    tables: Mapping[str, FaceTable], *, emotions: Sequence[str] | None = None, aus: Sequence[int] | None = None
) -> FaceTable:
    """All faces of several tables as one table; no file is copied.

    Subjects become ``space:subject`` (see `norface.people`), so that people of the same name stay apart and people of
    two data sets that are the same stay one; face ids become ``name:face_id``. A label that a table does not have is
    unknown for its faces. Splits are kept; a person in two of them is an error.

    Args:
        tables: Table by name.
        emotions: Classes of the result, which every table with emotions must have; None: the tables must agree on them.
        aus: Action units of the result, which every table with action units must have; None: those of any table.

    Raises:
        TableError: The tables have other emotions, lack one that is asked for, or have no folder in common.
        AlignmentError: They are aligned differently.
        SplitError: A person stands in two splits.
    """
    _check_alignment(tables)
    chosen = {
        name: restrict(table, emotions=emotions if table.meta.emotions else None, aus=aus if table.meta.aus else None)
        for name, table in tables.items()
    }
    root = _common_folder(tables)
    splits = any("split" in table.frame.columns for table in chosen.values())
    frame = pd.concat([_rows(name, table, root, splits) for name, table in chosen.items()], ignore_index=True)
    first = next(iter(chosen.values())).meta
    meta = TableMeta(
        emotions=_emotions(chosen),
        aus=tuple(sorted({au for table in chosen.values() for au in table.meta.aus})),
        alignment=first.alignment,
        provenance={MIXED: {name: table.meta.provenance for name, table in chosen.items()}},
        normalized_landmarks=first.normalized_landmarks,
    )
    mixed = FaceTable(frame, root, meta)
    if splits:
        check_subject_exclusive(mixed)
    return mixed


def _rows(name: str, table: FaceTable, root: Path, splits: bool) -> pd.DataFrame:
    frame = table.frame.assign(subject=people(table, name))
    if MIXED not in table.meta.provenance:
        frame = frame.assign(face_id=(f"{name}:" + frame["face_id"]).astype("str"))
    if splits and "split" not in frame.columns:
        frame = frame.assign(split=pd.Series([""] * len(frame), dtype="str"))
    below = table.root.resolve().relative_to(root).as_posix()
    if below != ".":
        paths = [column for column in ("image", "normalized") if column in frame.columns]
        frame = frame.assign(**{column: f"{below}/" + frame[column] for column in paths})
    return frame


def _common_folder(tables: Mapping[str, FaceTable]) -> Path:
    remote = [name for name, table in tables.items() if table.url is not None]
    if remote:
        raise TableError(
            expected="tables whose images are files of this machine",
            found=f"images in an object store ({', '.join(remote)})",
            where="mixing tables",
            action="Copy the images below one common folder.",
        )
    roots = [str(table.root.resolve()) for table in tables.values()]
    try:
        return Path(os.path.commonpath(roots))
    except ValueError as error:  # two drives
        raise TableError(
            expected="tables below one common folder",
            found=", ".join(roots),
            where="mixing tables",
            action="Move them to one drive.",
        ) from error


def _emotions(tables: Mapping[str, FaceTable]) -> tuple[str, ...]:
    having = {name: table.meta.emotions for name, table in tables.items() if table.meta.emotions}
    sets = {frozenset(names) for names in having.values()}
    if len(sets) > 1:
        common = [name for name in next(iter(having.values())) if all(name in names for names in having.values())]
        raise TableError(
            expected="tables with the same emotions: a face of a class that one table lacks has another label there",
            found="; ".join(f"{name}: {', '.join(names)}" for name, names in having.items()),
            where="mixing tables",
            action=f"Name the classes to keep, which all of them have: {', '.join(common) or 'there are none'}.",
        )
    return next(iter(having.values()), ())


def _check_alignment(tables: Mapping[str, FaceTable]) -> None:
    (first, table), *others = tables.items()
    for name, other in others:
        if other.meta.alignment != table.meta.alignment:
            raise AlignmentError(
                expected=f"faces aligned like those of {first}: {table.meta.alignment or 'not aligned'}",
                found=f"{name}: {other.meta.alignment or 'not aligned'}",
                where="mixing tables",
                action="Prepare both with the same detector, size, margin and drop.",
            )
        if other.meta.normalized_landmarks != table.meta.normalized_landmarks:
            raise AlignmentError(
                expected=f"true normalized faces that lie like those of {first}",
                found=f"others in {name}",
                where="mixing tables, normalized_landmarks",
                action="Leave the column `normalized` and its landmarks out of one of them.",
            )
