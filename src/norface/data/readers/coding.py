"""Label files that code action units frame by frame. Which unit a code is of, the file's header or its name says.

Never the position of a column or the order of files in a folder: labels taken by position end up under another unit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from norface.data.readers.contract import Skipped
from norface.data.readers.layout import IMAGE_SUFFIXES
from norface.data.readers.parsing import code, split, text_lines
from norface.data.readers.reasons import CONTRADICTION, DUPLICATE, UNREADABLE, unknown_code
from norface.errors import DatasetError
from norface.labels import AU_NAMES

MISSING_CODE = 9
"""Written in BP4D and BP4D+ where an action unit cannot be judged. In DISFA and DISFA+ it has no meaning."""

OCCURRENCE_CODES = (0, 1)
INTENSITY_CODES = (0, 1, 2, 3, 4, 5)

_MAX_FRAME = 10_000_000
_AU_NAME = re.compile(r"(?:AU[ _-]?)?0*(\d{1,3})", re.ASCII | re.IGNORECASE)
_SUFFIX = "|".join(map(re.escape, IMAGE_SUFFIXES))
_PICTURE = re.compile(rf"(?:[^.]*[^.\d])?(\d{{1,9}})(?:{_SUFFIX})?", re.ASCII | re.IGNORECASE)
_OCCLUSION = 0  # stands for the column of the flag; no action unit has this number


@dataclass(frozen=True)
class Coding:
    """The codes of one label file.

    Args:
        where: Path of the file relative to the root.
        frames: ``(N,)`` frame numbers as in the file, ascending, each once.
        aus: Action units, ascending.
        codes: ``(N, K)`` code of each of `aus`, NaN = missing.
        occluded: ``(N,)`` whether the face is hidden, by the file's own flag; None where it has none.
        unnamed: Columns that hold no action unit known to norface, as headed.
        skipped: Lines and codes that were left out.
    """

    where: str
    frames: NDArray[np.int64]
    aus: tuple[int, ...]
    codes: NDArray[np.float64]
    occluded: NDArray[np.bool_] | None = None
    unnamed: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True)
class _Format:
    """How the lines of a file are read.

    Args:
        where: Path of the file.
        width: Fields of a line.
        columns: Position of each action unit's code.
        allowed: Codes that are labels.
        missing: Code that says that there is no label, None where there is none.
        separator: As for `norface.data.readers.parsing.split`.
        frame: Frame number of the first field, None where it is none.
    """

    where: str
    width: int
    columns: Mapping[int, int]
    allowed: Collection[int]
    missing: int | None
    separator: str | None
    frame: Callable[[str], int | None]


_Lines = Sequence[tuple[int, str]]


def read_occurrence(root: Path, path: str, *, flag_last: bool = False) -> Coding:
    """Read ``AU_OCC/F001_T1.csv``: a header of action units, then frame number and a code for each, 0, 1 or 9.

    The first column is the frame, however it is headed: 0 in BP4D, 1 in BP4D+, where AU 1 has the same heading.

    Args:
        root: The data set's folder.
        path: File, relative to it.
        flag_last: The last column flags hidden faces (FERA 2015), unless it is headed with an action unit.

    Raises:
        DatasetError: The file is missing or empty, does not name its columns, or most of it does not fit.
    """
    lines = list(text_lines(root, path))
    header = split(lines[0][1], ",", 0) if lines else []
    columns = _columns(header, path)
    unnamed = [(k, name) for k, name in enumerate(header) if k and k not in columns.values()]
    flagged = flag_last and bool(unnamed) and unnamed[-1][0] == len(header) - 1
    if flagged:
        columns[_OCCLUSION] = unnamed.pop()[0]
    coding = _read(lines[1:], _Format(path, len(header), columns, OCCURRENCE_CODES, MISSING_CODE, ",", code))
    coding = replace(coding, unnamed=tuple(name for _, name in unnamed))
    if not flagged:
        return coding
    keep = [k for k, au in enumerate(coding.aus) if au != _OCCLUSION]
    hidden = coding.codes[:, coding.aus.index(_OCCLUSION)] == 1
    return replace(coding, aus=tuple(coding.aus[k] for k in keep), codes=coding.codes[:, keep], occluded=hidden)


def read_intensity(
    root: Path, path: str, au: int, *, missing: int | None = None, separator: str | None = ","
) -> Coding:
    """Read the file of one action unit: frame and intensity 0 to 5, without a header (one is passed over).

    Args:
        root: The data set's folder.
        path: File, relative to it.
        au: Its action unit, which the file's name says.
        missing: Code of an intensity that cannot be judged, None where every code is an intensity.
        separator: A comma (BP4D, DISFA: ``17,3``), or None for white space (DISFA+: ``017.jpg 3``, where lines that
            begin with ``#`` are comments and the frame is the name of its image).

    Raises:
        DatasetError: The file is missing or empty, or most of it does not fit.
    """
    lines = list(text_lines(root, path))
    if separator is None:
        lines = [(n, line) for n, line in lines if not line.startswith("#")]
    described = _Format(path, 2, {au: 1}, INTENSITY_CODES, missing, separator, code if separator else _in_name)
    fields = split(lines[0][1], separator, 2) if lines else []
    if len(fields) == 2 and described.frame(fields[0]) is None and code(fields[1]) is None:
        lines = lines[1:]  # a header: neither of its fields could be a label
    return _read(lines, described)


def _in_name(name: str) -> int | None:
    match = _PICTURE.fullmatch(name)
    return int(match[1]) if match else None


def au_in_name(heading: str) -> int | None:
    """The action unit that a column is headed with (``6``, ``AU06``, ``au 6``), None if norface knows no such one."""
    match = _AU_NAME.fullmatch(heading.strip())
    return int(match[1]) if match and int(match[1]) in AU_NAMES else None


def _columns(header: Sequence[str], path: str) -> dict[int, int]:
    """Position of each action unit's column. A line of labels is never taken for a header."""
    names = {k: au_in_name(heading) for k, heading in enumerate(header) if k}
    columns = {au: k for k, au in names.items() if au is not None}
    headings = [heading for heading in header[1:] if heading]
    once_each = len(set(headings)) == len(headings) and len(columns) == sum(au is not None for au in names.values())
    first = code(header[0]) if header else None
    if columns and once_each and "0" not in headings and (first is None or first in {0, 1}):
        return columns
    raise DatasetError(
        expected="a header that names the action unit of every column, once each",
        found=",".join(header)[:80] or "an empty file",
        where=path,
        action="Copy the file again from the data set's archive: without its header nobody knows what the codes mean.",
    )


def _read(lines: _Lines, described: _Format) -> Coding:
    if not lines:
        raise _refused(described.where, "an empty file")
    return _all_at_once(lines, described) or _one_by_one(lines, described)


def _all_at_once(lines: _Lines, described: _Format) -> Coding | None:
    """Several times as fast as line by line, but only for files without a flaw: None for any other."""
    texts = [line for _, line in lines]
    if described.separator is None or not all(map(str.isascii, texts)):
        return None
    try:
        matrix = np.loadtxt(texts, delimiter=described.separator, comments=None, ndmin=2)
    except ValueError:
        return None
    if matrix.shape[1] != described.width:
        return None
    aus = sorted(described.columns)
    frames, codes = matrix[:, 0], matrix[:, [described.columns[au] for au in aus]]
    missing = codes == (np.nan if described.missing is None else described.missing)
    fits = (missing | np.isin(codes, list(described.allowed))).all() and (np.diff(frames) > 0).all()
    if not (fits and (frames >= 0).all() and (frames < _MAX_FRAME).all() and (frames == np.floor(frames)).all()):
        return None
    return Coding(described.where, frames.astype(np.int64), tuple(aus), np.where(missing, np.nan, codes))


def _one_by_one(lines: _Lines, described: _Format) -> Coding:
    aus = sorted(described.columns)
    frames: list[int] = []
    codes: list[list[float]] = []
    skipped: list[Skipped] = []
    unknown = 0
    for n, line in lines:
        fields = split(line, described.separator, described.width)
        frame = described.frame(fields[0]) if len(fields) == described.width else None
        if frame is None or not 0 <= frame < _MAX_FRAME:
            skipped.append(Skipped(f"{described.where}:{n}", UNREADABLE))
            continue
        frames.append(frame)
        found = [(au, _value(fields[described.columns[au]], described)) for au in aus]
        codes.append([value for _, (value, _) in found])
        flaws = [Skipped(f"{described.where}:{n} AU{au}", why) for au, (_, why) in found if why and au != _OCCLUSION]
        skipped += flaws
        unknown += len(flaws)
    if 2 * (unknown + (len(lines) - len(frames)) * len(aus)) > len(lines) * len(aus):
        raise _refused(described.where, f"{lines[0][1][:60]!r} in line {lines[0][0]}, and most lines do not fit")
    return _settled(
        Coding(
            where=described.where,
            frames=np.array(frames, np.int64),
            aus=tuple(aus),
            codes=np.array(codes, np.float64).reshape(len(frames), len(aus)),
            skipped=tuple(skipped),
        )
    )


def _value(text: str, described: _Format) -> tuple[float, str]:
    """The label, NaN = missing; and what is wrong with it, empty where nothing is."""
    value = code(text)
    if value is None:
        return np.nan, UNREADABLE
    if value in described.allowed:
        return float(value), ""
    return np.nan, "" if value == described.missing else unknown_code(value)


def _settled(coding: Coding) -> Coding:
    """Frames ascending, each once: of equal lines the first counts, of contradictory ones none."""
    rows: dict[int, list[int]] = {}
    for row, frame in enumerate(coding.frames.tolist()):
        rows.setdefault(frame, []).append(row)
    keep: list[int] = []
    skipped = list(coding.skipped)
    for frame, same in sorted(rows.items()):
        equal = all(np.array_equal(coding.codes[same[0]], coding.codes[row], equal_nan=True) for row in same[1:])
        keep += same[:1] if equal else []
        left_out = same[1:] if equal else same
        skipped += [Skipped(f"{coding.where} frame {frame}", DUPLICATE if equal else CONTRADICTION) for _ in left_out]
    return replace(coding, frames=coding.frames[keep], codes=coding.codes[keep], skipped=tuple(skipped))


def _refused(path: str, found: str) -> DatasetError:
    return DatasetError(
        expected="a frame number and the documented codes in every line",
        found=found,
        where=path,
        action="Copy the file again from the data set's archive.",
    )
