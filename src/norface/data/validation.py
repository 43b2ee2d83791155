"""What a face table's rows must look like.

Columns (all paths are references as in `norface.imaging.sources`, relative to the table's root):

* ``image``, ``subject``: required.
* ``face_id``: unique; made from the image's path where absent.
* ``split``: normalizer, train, val or test, or names of your own, empty = none; assigned by seed where
  the column is absent.
* ``emotion``: one of `norface.labels.EMOTIONS`, empty = unknown.
* ``AU01_c`` ...: occurrence 0 or 1; ``AU01_r`` ...: intensity 0 to 5; empty = unknown.
* ``right_eye_x`` ... ``mouth_left_y``: five landmarks in pixels; required where the images are not aligned.
* ``normalized``: true normalized face; ``normalized_right_eye_x`` ...: landmarks in it.
* ``yaw``, ``pitch``, ``roll``: degrees; ``success``: 0 or 1, 0 = not to be used.

Other columns are kept and ignored, unless they look like a misspelt one of these.
"""

from __future__ import annotations

import difflib
import re
from pathlib import PurePosixPath

import pandas as pd
import pyarrow.compute as pc

from norface.errors import ImageError, LinkError, TableError
from norface.imaging.sources import OUTSIDE, ImageRoot, string_column
from norface.labels import AU_NAMES, EMOTIONS, LANDMARK_COLUMNS, MAX_INTENSITY, POSE_COLUMNS, au_column, aus_in_columns

CONTROL = r"[\x00-\x1F\x7F-\x9F]"
"""Characters that would move a terminal's cursor or change its title where a name is printed."""
TEXT_COLUMNS = ("face_id", "image", "normalized", "subject", "split", "emotion")
REQUIRED_COLUMNS = ("image", "subject")
NORMALIZED_LANDMARK_COLUMNS = tuple(f"normalized_{name}" for name in LANDMARK_COLUMNS)
NUMERIC_COLUMNS = (*LANDMARK_COLUMNS, *NORMALIZED_LANDMARK_COLUMNS, *POSE_COLUMNS, "success")
AU_COLUMNS = tuple(au_column(au, kind) for kind in "cr" for au in AU_NAMES)
_SUFFIX = r"(?s)^((?:.*/)?[^/]+)\.[^./]+?(#[0-9]+)?$"
_LOOKS_LIKE_AU = re.compile(r"^au[ _-]?(\d+)[ _-]?([a-z]?)", re.IGNORECASE)


def known_columns() -> tuple[str, ...]:
    """All documented columns, in canonical order."""
    return (*TEXT_COLUMNS, *NUMERIC_COLUMNS, *AU_COLUMNS)


def check_columns(frame: pd.DataFrame, where: str) -> None:
    """Required columns are there, none looks like a misspelt one, and there are rows.

    Raises:
        TableError: Otherwise.
    """
    present = [str(name) for name in frame.columns]
    for name in present:
        if name not in known_columns():
            _check_unknown(name, present, where)
    missing = [name for name in REQUIRED_COLUMNS if name not in present]
    if missing:
        raise TableError(
            expected=f"the columns {' and '.join(REQUIRED_COLUMNS)}",
            found=f"no column {', '.join(missing)} among: {', '.join(present[:12])}",
            where=where,
            action="Add the column.",
        )
    if frame.empty:
        raise TableError(expected="at least one face", found="no rows", where=where, action="Write the table again.")


def _check_unknown(name: str, present: list[str], where: str) -> None:
    is_au = _LOOKS_LIKE_AU.match(name)
    candidates = AU_COLUMNS if is_au else tuple(c for c in known_columns() if c not in present and c not in AU_COLUMNS)
    folded = {candidate.lower(): candidate for candidate in candidates}
    spelt = au_column(int(is_au[1]), is_au[2].lower()) if is_au else name
    close = difflib.get_close_matches(spelt.lower(), folded, n=1, cutoff=0.5 if is_au else 0.8)
    if not (is_au or close):
        return
    hint = f"Did you mean {folded[close[0]]!r}? " if close else ""
    expected = "AU columns of known action units, like AU01_c (occurrence) or AU01_r (intensity)"
    raise TableError(
        expected=expected if is_au else "documented columns, spelt as documented",
        found=f"the unknown column {name!r}",
        where=where,
        action=f"{hint}Rename or remove the column.",
    )


def clean_rows(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """Rows with settled types, identifiers and values inside their ranges.

    Returns:
        A new frame, index 0..n-1: text columns are strings, numeric ones float64, `face_id` and `success` exist.

    Raises:
        TableError: A value breaks the contract.
    """
    frame = frame.reset_index(drop=True)
    frame = frame.assign(**{c: _text(frame[c]) for c in TEXT_COLUMNS if c in frame.columns})
    numeric = [c for c in (*NUMERIC_COLUMNS, *AU_COLUMNS) if c in frame.columns]
    frame = frame.assign(**{c: _numbers(frame[c], where) for c in numeric})
    if "success" not in frame.columns:
        frame = frame.assign(success=1.0)
    if "split" in frame.columns:
        frame = frame.assign(split=frame["split"].fillna(""))
    for column in (*REQUIRED_COLUMNS, *(c for c in ("face_id",) if c in frame.columns)):
        _check(frame[column].notna(), frame[column], column, "a value in every row", where)
    for column in (c for c in TEXT_COLUMNS if c in frame.columns):
        plain = ~frame[column].str.contains(CONTROL, na=False)
        _check(plain, frame[column], column, "names without control characters", where)
    for column in ("image", "normalized"):
        if column in frame.columns:
            inside = ~frame[column].str.contains(OUTSIDE, na=False)
            _check(inside, frame[column], column, "paths inside the table's folder", where)
    if "face_id" not in frame.columns:
        frame.insert(0, "face_id", _names_of(frame["image"]))
    _check_labels(frame, where)
    _check_unique(frame, where)
    return frame


def _text(values: pd.Series) -> pd.Series:
    # A whole-number subject with gaps comes from Parquet as 3.0; it must stay the same person as "3".
    if pd.api.types.is_float_dtype(values.dtype):
        values = values.map(lambda x: str(int(x)) if x == int(x) else str(x), na_action="ignore")
    text = values.astype("str").where(values.notna())
    return text.where(text != "")


def _numbers(values: pd.Series, where: str) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    _check(numbers.notna() | values.isna(), values, str(values.name), "numbers", where)
    return numbers.astype("float64")


def _names_of(images: pd.Series) -> pd.Series:
    """Paths without their suffix; frames of a video keep their number."""
    untidy = images.str.contains(r"//|(?:^|/)\./|/\.?$")
    tidy = images.where(~untidy, images[untidy].map(lambda path: str(PurePosixPath(path))))
    names = pc.replace_substring_regex(string_column(tidy), _SUFFIX, r"\1\2")
    return pd.Series(names, index=images.index, dtype="str")


def _check_labels(frame: pd.DataFrame, where: str) -> None:
    if "emotion" in frame.columns:
        valid = frame["emotion"].isna() | frame["emotion"].isin(EMOTIONS)
        _check(valid, frame["emotion"], "emotion", f"one of {', '.join(EMOTIONS)}", where)
    binary = ["success", *(au_column(au, "c") for au in aus_in_columns(frame.columns, "c"))]
    for column in binary:
        valid = frame[column].isna() | frame[column].isin((0.0, 1.0))
        _check(valid, frame[column], column, "0 or 1", where)
    for au in aus_in_columns(frame.columns, "r"):
        values = frame[au_column(au, "r")]
        valid = values.isna() | values.between(0.0, MAX_INTENSITY)
        _check(valid, values, str(values.name), f"intensities from 0 to {MAX_INTENSITY:g}", where)


def _check_unique(frame: pd.DataFrame, where: str) -> None:
    double = frame.index[frame["face_id"].duplicated(keep=False)]
    if len(double):
        first = frame.loc[double[0], "face_id"]
        rows = [int(row) for row in double if frame.loc[row, "face_id"] == first]
        raise TableError(
            expected="one row per face_id",
            found=f"{frame['face_id'].duplicated().sum()} doubles, the first {first!r} in rows {rows[0]} and {rows[1]}",
            where=where,
            action="Give each face its own face_id, or remove the doubles.",
        )


def _check(valid: pd.Series, values: pd.Series, column: str, expected: str, where: str) -> None:
    bad = valid.index[~valid.astype(bool)]
    if len(bad) == 0:
        return
    value = values.loc[bad].tolist()[0]  # a list has plain Python numbers, which print without their type
    hint = ""
    if column == "emotion":
        close = difflib.get_close_matches(str(value).lower(), EMOTIONS, n=1, cutoff=0.5)
        hint = f"Did you mean {close[0]!r}? " if close else ""
    raise TableError(
        expected=expected,
        found=f"{'nothing' if pd.isna(value) else repr(value)} in row {bad[0]} ({len(bad)} such rows)",
        where=f"{where}, column {column}",
        action=f"{hint}Correct these rows; leave a label empty where it is unknown.",
    )


def check_aligned_or_landmarks(frame: pd.DataFrame, aligned: bool, where: str) -> None:
    """Landmarks are complete: all ten columns or none, and all where the images are not aligned.

    Raises:
        TableError: Otherwise.
    """
    for columns, needed in ((LANDMARK_COLUMNS, not aligned), (NORMALIZED_LANDMARK_COLUMNS, False)):
        missing = [name for name in columns if name not in frame.columns]
        if missing and (needed or len(missing) < len(columns)):
            raise TableError(
                expected="all ten landmark columns, because the images are not aligned" if needed else "all or none",
                found=f"no column {', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''}",
                where=where,
                action="Add the landmarks, or describe the alignment of the images in the .json file beside the table.",
            )


def check_files(frame: pd.DataFrame, images: ImageRoot, where: str) -> None:
    """Every image that a usable row names exists; folders are listed once, so that large tables stay fast.

    Raises:
        TableError: Files are missing; tells how many and the first few.
        ImageError: An archive is damaged, or a link leads out of the root.
    """
    usable = frame["success"] != 0
    named = [frame.loc[usable & frame[c].notna(), c] for c in ("image", "normalized") if c in frame.columns]
    missing = [column[~images.exist(column)] for column in named]
    count = sum(len(column) for column in missing)
    if count:
        first = pd.concat(missing).iloc[:3]
        _check_links(images, first)
        raise TableError(
            expected=f"{sum(len(column) for column in named)} image files below {images.root}",
            found=f"{count} missing, the first: {', '.join(first)}",
            where=where,
            action="Copy them there, correct the paths, or set `success` to 0 in their rows.",
        )


def _check_links(images: ImageRoot, references: pd.Series) -> None:
    for reference in references:
        try:
            images.look(reference)
        except LinkError:  # says how to allow it
            raise
        except ImageError:
            continue
