"""Your own table of labelled images: any CSV or Parquet file with the columns of a face table."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from norface.data.readers.checked import CheckedReader
from norface.data.readers.contract import DatasetInfo, Problem, Reading
from norface.data.readers.layout import Listing, missing
from norface.data.readers.naming import emotion_named
from norface.data.readers.reasons import LABEL_WITHOUT_IMAGE
from norface.data.readers.sieve import Sieve
from norface.data.table import read_rows
from norface.data.validation import check_aligned_or_landmarks, check_columns, clean_rows
from norface.errors import TableError
from norface.imaging.sources import ImageRoot
from norface.labels import BOX_COLUMNS

SUFFIXES = (".csv", ".parquet")


class TableFile(CheckedReader):
    """Reads a CSV or Parquet file; images are named relative to the root, in files, archives or videos.

    Columns are those of a face table, boxes and vote shares; only ``image`` is required. Emotions may be written as
    aliases, such as happiness or angry. What breaks the contract is an error that says where.

    Args:
        file: The table, relative to the root; empty: the only one that lies there.
    """

    info = DatasetInfo(
        name="table",
        title="Your own table of images and labels",
        tasks=("fer", "au", "au-intensity"),
        licence="yours",
        source="",
        tree="""\
<root>/
  <any name>.csv or .parquet     (columns: image, and any of face_id, subject, split, emotion, AU01_c, AU01_r, ...)
  <images as the table names them>""",
    )

    def __init__(self, *, file: str = "") -> None:
        self.file = file

    def marks(self) -> tuple[str, ...]:
        """See `CheckedReader`. Any folder may be right; `layout` finds out."""
        return ()

    def layout(self, listing: Listing) -> tuple[Problem, ...]:
        """See `CheckedReader`."""
        if self.file:
            return missing(listing, self.file, "the table", "Correct --reader.file.")
        tables = listing.files("", SUFFIXES)
        if len(tables) == 1:
            return ()
        found = ", ".join((tables or listing.folders() + listing.files())[:8]) or "an empty folder"
        below = next((name for name in listing.folders() if listing.files(name, SUFFIXES)), None)
        action = "Put the table there, or correct the path of --root."
        if tables:
            action = "Say which one, with --reader.file."
        if not tables and below is not None:
            action = f"Use --root {listing.root / below}, or --reader.file."
        return (Problem(str(listing.root), "one .csv or .parquet file", found, action),)

    def rows(self, listing: Listing) -> Reading:
        """See `CheckedReader`.

        Raises:
            TableError: A column, label, identifier or path breaks the contract of a face table.
        """
        name = (listing.find(self.file) if self.file else listing.files("", SUFFIXES)[0]) or self.file
        path = listing.root / name
        frame, where = read_rows(path), str(path)
        if "subject" not in frame.columns and "image" in frame.columns:
            own = frame["face_id"] if "face_id" in frame.columns else frame["image"].map(_stem, na_action="ignore")
            frame = frame.assign(subject=own)
        check_columns(frame, where)
        if "emotion" in frame.columns:
            written = {text: emotion_named(str(text)) or text for text in frame["emotion"].dropna().unique()}
            frame = frame.assign(emotion=frame["emotion"].replace(written))
        frame = clean_rows(frame, where)
        check_aligned_or_landmarks(frame, True, where)
        frame = frame.assign(**{c: _numbers(frame[c], where) for c in BOX_COLUMNS if c in frame.columns})
        sieve = Sieve(frame.assign(place=[f"{name}, row {row}" for row in range(len(frame))]))
        there = ImageRoot(listing.root).exist(sieve.rows["image"].tolist())
        sieve.leave_out(~np.asarray(there, bool), LABEL_WITHOUT_IMAGE)
        return sieve.reading({"table": name})


def _stem(path: object) -> str:
    return str(PurePosixPath(str(path)).with_suffix("")) if PurePosixPath(str(path)).name else str(path)


def _numbers(values: pd.Series, where: str) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    bad = numbers.isna() & values.notna()
    if bad.any():
        raise TableError(
            expected="numbers",
            found=f"{values[bad].tolist()[0]!r} in row {bad.tolist().index(True)}",
            where=f"{where}, column {values.name}",
            action="Correct these rows; leave a number empty where it is unknown.",
        )
    return numbers
