"""Label files of one line per label: with or without a header, quoted or not, and never guessed.

A line that does not fit is left out and reported with its number; a file of which most lines do not fit is refused. A
label never spans lines, so one broken line spoils no other.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from norface.data.readers.contract import Skipped
from norface.errors import DatasetError

UNREADABLE = "unreadable label"
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_LARGEST_CODE = 2**53


def number(text: str) -> float | None:
    """A finite decimal number, or None. Stricter than ``float``: no ``nan``, ``1_0`` or digits of other scripts."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def code(text: str) -> int | None:
    """A whole number, also written as 3.0 or 3.0000000e+00; None otherwise."""
    value = number(text)
    return int(value) if value is not None and value.is_integer() and abs(value) < _LARGEST_CODE else None


@dataclass(frozen=True)
class Labels:
    """A label file, by column.

    Args:
        where: Path of the file relative to the root.
        lines: Line number (from 1) of each label.
        columns: Texts of each wanted column, without spaces around them, or what was made of them.
        skipped: Lines that do not fit.
        header: Whether the file names its columns.
    """

    where: str
    lines: list[int]
    columns: dict[str, list[Any]]
    skipped: tuple[Skipped, ...]
    header: bool

    def __len__(self) -> int:
        return len(self.lines)

    def place(self, row: int) -> str:
        """File and line of one label, as ``labels.txt:17``."""
        return f"{self.where}:{self.lines[row]}"


def read_labels(
    root: Path,
    path: str,
    columns: Sequence[str],
    *,
    separator: str | None,
    numeric: Collection[str] = (),
    wanted: Collection[str] | None = None,
    convert: Mapping[str, Callable[[str], object]] | None = None,
    header: bool | None = None,
    comment: str | None = None,
) -> Labels:
    """Read a label file.

    Args:
        root: The data set's folder.
        path: File, relative to it.
        columns: Documented columns, in the order of a file without a header. Where there is a header, these are found
            by name (case, spaces, dots and underscores aside), in any order, among others.
        separator: One character, as for CSV; None: white space, where the first column may hold some.
        numeric: Columns that must hold numbers; a line where one does not is unreadable.
        wanted: Columns to return; None: all.
        convert: What to make of the texts of some columns, line by line, so that long texts need not be kept.
        header: Whether the first line is a header; None: it is, if it holds the name of a documented column.
        comment: Lines that begin with this are ignored.

    Raises:
        DatasetError: The file is missing or empty, its header lacks a column, or most of its lines do not fit.
    """
    wanted = columns if wanted is None else wanted
    lines = text_lines(root, path)
    first = next(((n, line) for n, line in lines if not (comment and line.startswith(comment))), None)
    if first is None:
        raise _refused(path, "labels, one a line", "an empty file")
    names = split(first[1], separator, len(columns))
    known = {_plain(name) for name in columns}
    has_header = header if header is not None else any(_plain(name) in known for name in names)
    positions = _positions(names, columns, path) if has_header else {name: k for k, name in enumerate(columns)}
    count = len(names) if has_header else len(columns)
    numbers: list[int] = []
    found = [(positions[name], (convert or {}).get(name, str), list[Any]()) for name in columns if name in wanted]
    bad: list[Skipped] = []
    first_bad = ""
    for n, line in _chain(() if has_header else (first,), lines):
        if comment and line.startswith(comment):
            continue
        fields = split(line, separator, count)
        if len(fields) != count or any(number(fields[positions[name]]) is None for name in numeric):
            first_bad = first_bad or f"{line[:60]!r} in line {n}"
            bad.append(Skipped(f"{path}:{n}", UNREADABLE))
            continue
        numbers.append(n)
        for position, made, column in found:
            column.append(made(fields[position]))
    if len(bad) > len(numbers):
        raise _refused(path, f"lines with {' '.join(columns)}", f"{first_bad}, and {len(bad) - 1} more such lines")
    kept = dict(zip((name for name in columns if name in wanted), (column for _, _, column in found), strict=True))
    return Labels(path, numbers, kept, tuple(bad), has_header)


_DAMAGE = dict.fromkeys(range(0x1C, 0x20), "\ufffd")


def text_lines(root: Path, path: str) -> Iterator[tuple[int, str]]:
    """Lines that are not empty, with their numbers from 1, without spaces around them. A byte-order mark is removed.

    Bytes that are not UTF-8 and the separators of ASCII, which Python takes for spaces, stand as U+FFFD: they match no
    name and are no number.

    Raises:
        DatasetError: The file cannot be read.
    """
    try:
        with (root / path).open(encoding="utf-8-sig", errors="replace") as file:
            for n, line in enumerate(file, 1):
                text = line.translate(_DAMAGE).strip()
                if text:
                    yield n, text
    except OSError as error:
        raise DatasetError(
            expected="a readable label file",
            found=error.strerror or str(error),
            where=str(root / path),
            action="Copy it again from the data set's archive.",
        ) from error


def split(line: str, separator: str | None, count: int) -> list[str]:
    """Fields of one line, without spaces around them.

    Args:
        line: The line.
        separator: As for `read_labels`.
        count: Expected number of fields; with white space as separator, the first takes what is left over.
    """
    if separator is None:
        return line.rsplit(None, count - 1)
    if '"' in line:
        try:
            return [text.strip() for text in next(csv.reader([line], delimiter=separator, skipinitialspace=True))]
        except (csv.Error, StopIteration):
            return []
    return [text.strip() for text in line.split(separator)]


def _positions(names: Sequence[str], columns: Sequence[str], path: str) -> dict[str, int]:
    found = {_plain(name): k for k, name in reversed(list(enumerate(names)))}
    absent = [name for name in columns if _plain(name) not in found]
    if absent:
        raise _refused(
            path, f"a header with {', '.join(columns)}", f"no column {absent[0]} in {', '.join(names)[:200]}"
        )
    return {name: found[_plain(name)] for name in columns}


def _plain(name: str) -> str:
    return re.sub(r"[\s._-]", "", name).lower()


def _chain(first: Iterable[tuple[int, str]], rest: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield from first
    yield from rest


def _refused(path: str, expected: str, found: str) -> DatasetError:
    return DatasetError(
        expected=expected, found=found, where=path, action="Copy the file again from the data set's archive."
    )
