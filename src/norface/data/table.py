"""The face table: one row per face. Every reader produces it, everything downstream reads only it."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from norface.data.validation import (
    TEXT_COLUMNS,
    check_aligned_or_landmarks,
    check_columns,
    check_files,
    clean_rows,
    known_columns,
)
from norface.errors import AlignmentError, TableError
from norface.imaging.alignment import Alignment, Points
from norface.imaging.files import write_atomically
from norface.imaging.sources import ImageRoot
from norface.imaging.storage import check_allowed
from norface.labels import (
    AU_NAMES,
    EMOTIONS,
    LANDMARK_COLUMNS,
    OCCURRENCE_THRESHOLD,
    POSE_COLUMNS,
    au_column,
    aus_in_columns,
)

ROWS_FILE = "faces.parquet"
META_FILE = "faces.json"
TARGET_FILE = "target.png"
SCHEMA = 1
_PART = 100_000
"""Rows whose text is hashed at once."""


@dataclass(frozen=True)
class TableMeta:
    """What holds for all rows of a table.

    Args:
        emotions: Emotion vocabulary; an emotion's index in a batch is its position here.
        aus: Action units, ascending; the columns of the label matrices.
        alignment: How the images were cropped, None where they were not: then landmarks are used on reading.
        provenance: Where the faces come from, as plain data; part of the fingerprint, so no dates or durations.
        normalized_landmarks: The five points (x, y) in the true normalized images of an unaligned table, where known.
    """

    emotions: tuple[str, ...]
    aus: tuple[int, ...]
    alignment: Alignment | None = None
    provenance: dict[str, object] = field(default_factory=dict)
    normalized_landmarks: tuple[tuple[float, float], ...] | None = None

    def describe(self) -> dict[str, object]:
        """Plain data, as it stands in ``faces.json``."""
        return {
            "schema": SCHEMA,
            "emotions": list(self.emotions),
            "aus": list(self.aus),
            "alignment": self.alignment.describe() if self.alignment else None,
            "provenance": self.provenance,
            "normalized_landmarks": [list(p) for p in self.normalized_landmarks] if self.normalized_landmarks else None,
        }


@dataclass(frozen=True)
class FaceTable:
    """Rows, the folder their paths are relative to, and what holds for all of them.

    Args:
        frame: Rows with index 0..n-1; columns as documented in `norface.data.validation`.
        root: Folder that image paths are relative to.
        meta: Vocabularies, alignment, provenance.
        url: Folder of an object store that image paths are relative to in place of `root`; None = they are files.
    """

    frame: pd.DataFrame
    root: Path
    meta: TableMeta
    url: str | None = None

    @classmethod
    def load(cls, path: Path) -> FaceTable:
        """Read a table folder (``faces.parquet`` with ``faces.json``) or any CSV or Parquet file with its columns.

        Raises:
            TableError: A column, label, identifier or path breaks the contract, or image files are missing.
            ImageError: An archive of images is damaged.
            ConfigError: The images lie in an object store that is not allowed, or what reads it is not installed.
        """
        rows, meta_file = _locate(path)
        described = _read_json(meta_file) if meta_file.is_file() else {}
        base = str(described.get("root", "."))
        url = base if "://" in base else None
        if url is not None:
            check_allowed(url, where=str(meta_file))
        root = rows.parent if url else rows.parent / base
        frame = read_rows(rows)
        where = str(rows)
        check_columns(frame, where)
        alignment = _alignment(described.get("alignment"), str(meta_file))
        frame = clean_rows(frame, where)
        check_aligned_or_landmarks(frame, alignment is not None, where)
        check_files(frame, ImageRoot(url or root), where)
        frame, derived = _derive_occurrence(frame)
        meta = _meta(frame, described, alignment, str(meta_file))
        if derived:
            note = f"AU occurrence derived from intensity >= {OCCURRENCE_THRESHOLD:g} for AUs {derived}"
            meta = replace(meta, provenance={**meta.provenance, "occurrence": note})
        return cls(frame, root, meta, url)

    def save(self, folder: Path) -> None:
        """Write ``faces.parquet`` and ``faces.json``; in another folder than `root`, the latter points back to it.

        Raises:
            OutputError: The folder cannot be written to.
        """
        described = self.meta.describe()
        if self.url is not None:
            described["root"] = self.url
        elif folder.resolve() != self.root.resolve():
            described["root"] = os.path.relpath(self.root.resolve(), folder.resolve())
        rows = io.BytesIO()
        self.frame.to_parquet(rows, index=False)
        write_atomically(folder / ROWS_FILE, rows.getvalue())
        write_atomically(folder / META_FILE, json.dumps(described, indent=1).encode())

    def fingerprint(self) -> str:
        """sha256 (hex) of the documented columns of all rows, in order, and of the meta data; not of image bytes."""
        columns = [c for c in known_columns() if c in self.frame.columns]
        digest = hashlib.sha256(json.dumps(self.meta.describe(), sort_keys=True).encode())
        for name in columns:
            values = self.frame[name]
            digest.update(name.encode())
            if pd.api.types.is_numeric_dtype(values.dtype):
                digest.update(np.ascontiguousarray(values.to_numpy(np.float64)).tobytes())
            else:
                for part in _joined(values):
                    digest.update(part)
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def images(self) -> ImageRoot:
        """What the references in `image` and `normalized` are relative to."""
        return ImageRoot(self.url or self.root)

    @property
    def knows_normalized(self) -> NDArray[np.bool_]:
        """Whether each row's true normalized face is known: bool ``(N,)``."""
        if "normalized" not in self.frame.columns:
            return np.zeros(len(self), np.bool_)
        return self.frame["normalized"].notna().to_numpy(np.bool_)

    def with_frame(self, frame: pd.DataFrame) -> FaceTable:
        """The same table with other rows or columns; the index is renewed."""
        return replace(self, frame=frame.reset_index(drop=True))

    def in_split(self, split: str) -> NDArray[np.int64]:
        """Row numbers of one split, ascending."""
        return np.flatnonzero((self.frame["split"] == split).to_numpy(bool)).astype(np.int64)

    def emotion_codes(self) -> NDArray[np.int64]:
        """``(N,)`` index into `meta.emotions`, -1 = unknown."""
        if "emotion" not in self.frame.columns:
            return np.full(len(self), -1, np.int64)
        codes = pd.Index(self.meta.emotions, dtype="str").get_indexer(pd.Index(self.frame["emotion"]))
        return np.where(self.frame["emotion"].isna(), -1, codes).astype(np.int64)

    def occurrence(self) -> NDArray[np.float32]:
        """``(N, K)`` occurrence 0 or 1 of each of `meta.aus`, NaN = unknown."""
        return self._au_matrix("c")

    def intensity(self) -> NDArray[np.float32]:
        """``(N, K)`` intensity 0..5 of each of `meta.aus`, NaN = unknown."""
        return self._au_matrix("r")

    def _au_matrix(self, kind: str) -> NDArray[np.float32]:
        return self._matrix([au_column(au, kind) for au in self.meta.aus])

    def head_pose(self) -> NDArray[np.float32]:
        """``(N, 3)`` yaw, pitch and roll in degrees, NaN = unknown."""
        return self._matrix(POSE_COLUMNS)

    def _matrix(self, names: Sequence[str]) -> NDArray[np.float32]:
        unknown = np.full(len(self), np.nan, np.float32)
        known = [self.frame[n].to_numpy(np.float32) if n in self.frame.columns else unknown for n in names]
        return np.column_stack(known).astype(np.float32) if known else np.zeros((len(self), 0), np.float32)

    def landmarks(self) -> Points:
        """``(N, 5, 2)`` points (x, y) of each row in pixels of its image."""
        return self.frame[list(LANDMARK_COLUMNS)].to_numpy(np.float64).reshape(-1, 5, 2)


def _joined(values: pd.Series) -> Iterator[bytes]:
    """Text of all rows with zero bytes between, part by part: whole, it would be as large as the column."""
    for start in range(0, len(values), _PART):
        part = pa.array(values.iloc[start : start + _PART].astype("str"), pa.string(), from_pandas=True)
        part = pc.fill_null(part.combine_chunks() if isinstance(part, pa.ChunkedArray) else part, "")
        whole = pa.ListArray.from_arrays([0, len(part)], part)
        yield (b"\0" if start else b"") + pc.binary_join(whole, "\0")[0].as_buffer().to_pybytes()


def _locate(path: Path) -> tuple[Path, Path]:
    rows = path / ROWS_FILE if path.is_dir() else path
    if not rows.is_file():
        raise TableError(
            expected=f"a folder with {ROWS_FILE}, or a .csv or .parquet file",
            found="nothing there",
            where=str(rows),
            action="Draw faces with `norface faces draw`, or correct the path of the table.",
        )
    return rows, rows.parent / META_FILE if rows.name == ROWS_FILE else rows.with_suffix(".json")


def read_rows(path: Path, text: Sequence[str] = TEXT_COLUMNS) -> pd.DataFrame:
    """Rows of a CSV or Parquet file as they are; names stay text, so that a subject 007 keeps its zeros.

    Args:
        path: The file.
        text: Columns of names.

    Raises:
        TableError: It is missing, damaged or another kind of file.
    """
    kind = path.suffix.lower()
    try:
        if kind == ".parquet":
            return pd.read_parquet(path)
        if kind == ".csv":
            # Copied into few blocks: a column added to a wide frame as read would make pandas warn of fragments.
            return pd.read_csv(path, dtype=dict.fromkeys(text, str)).copy()
    except Exception as error:  # pandas and pyarrow raise a dozen classes for damaged files
        raise TableError(
            expected="a readable table",
            found=str(error).splitlines()[0] if str(error) else type(error).__name__,
            where=str(path),
            action="Write the file again.",
        ) from error
    raise TableError(
        expected="a .csv or .parquet file",
        found=f"a {path.suffix or 'nameless'} file",
        where=str(path),
        action="Convert the table.",
    )


def _read_json(path: Path) -> dict[str, object]:
    try:
        described = json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError) as error:
        raise TableError(
            expected="a JSON object", found=str(error)[:200], where=str(path), action="Write the file again."
        ) from error
    if not isinstance(described, dict) or described.get("schema", SCHEMA) != SCHEMA:
        raise TableError(
            expected=f"a JSON object of schema {SCHEMA}",
            found=f"schema {described.get('schema')}" if isinstance(described, dict) else type(described).__name__,
            where=str(path),
            action="Write the table again with this version of norface.",
        )
    return described


def _alignment(described: object, where: str) -> Alignment | None:
    if described is None:
        return None
    try:
        return Alignment.parse(described if isinstance(described, Mapping) else {}, where=where)
    except AlignmentError as error:
        raise TableError(
            expected=f"{error.expected} or null", found=str(described), where=where, action=error.action
        ) from error


def _derive_occurrence(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[int]]:
    known = set(aus_in_columns(frame.columns, "c"))
    derived = [au for au in aus_in_columns(frame.columns, "r") if au not in known]
    columns = {}
    for au in derived:
        intensity = frame[au_column(au, "r")]
        columns[au_column(au, "c")] = (intensity >= OCCURRENCE_THRESHOLD).astype(float).where(intensity.notna())
    return frame.assign(**columns), derived


def _meta(frame: pd.DataFrame, described: dict[str, object], alignment: Alignment | None, where: str) -> TableMeta:
    present = set(frame["emotion"].dropna().unique()) if "emotion" in frame.columns else set()
    in_columns = set(aus_in_columns(frame.columns, "c")) | set(aus_in_columns(frame.columns, "r"))
    emotions = _names(described.get("emotions")) or tuple(name for name in EMOTIONS if name in present)
    aus = _listed_aus(described.get("aus"), where) or tuple(sorted(in_columns))
    outside = sorted(present - set(emotions)) + sorted(set(emotions) - set(EMOTIONS)) + sorted(in_columns - set(aus))
    if outside or len(set(emotions)) < len(emotions):
        raise TableError(
            expected=f"vocabularies that cover the rows: emotions among {', '.join(EMOTIONS)}",
            found=f"{outside[0]!r} outside them" if outside else f"a name twice in {', '.join(emotions)}",
            where=where,
            action="Correct the lists `emotions` and `aus`.",
        )
    provenance = described.get("provenance")
    return TableMeta(
        emotions=emotions,
        aus=aus,
        alignment=alignment,
        provenance=dict(provenance) if isinstance(provenance, dict) else {},
        normalized_landmarks=_points(described.get("normalized_landmarks"), where),
    )


def _listed_aus(listed: object, where: str) -> tuple[int, ...]:
    if not listed:
        return ()
    numbers = listed if isinstance(listed, list) else [listed]
    if any(type(au) is not int or au not in AU_NAMES for au in numbers) or len(set(numbers)) < len(numbers):
        raise TableError(
            expected="numbers of known action units, each once",
            found=str(listed)[:80],
            where=where,
            action="Correct the list `aus`.",
        )
    return tuple(numbers)


def _points(listed: object, where: str) -> tuple[tuple[float, float], ...] | None:
    if listed is None:
        return None
    try:
        points = np.array(listed, np.float64)
    except (ValueError, TypeError, OverflowError):
        points = np.empty(0)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise TableError(
            expected="five points [x, y], or null",
            found=str(listed)[:80],
            where=where,
            action="Correct `normalized_landmarks`.",
        )
    return tuple((float(x), float(y)) for x, y in points)


def _names(value: object) -> tuple[str, ...]:
    return tuple(str(name) for name in value) if isinstance(value, list) else ()
