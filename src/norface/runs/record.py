"""What many runs come to: one JSON file, checked when it is written and when it is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from norface.errors import ResultsError
from norface.runs.plain import plain

STATES = ("finished", "failed", "elsewhere")
"""What can have become of a run."""

Record = dict[str, Any]

Check = Callable[..., None]
"""``check(record, where=...)`` raises a `ResultsError` that names what breaks the layout."""


def write_checked(path: Path, record: Mapping[str, Any], check: Check) -> None:
    """Write a record; NaN becomes null.

    Raises:
        ResultsError: It breaks the layout.
        OutputError: It cannot be written.
    """
    from norface.imaging.files import write_atomically  # late: OpenCV, which reading does not need

    content = plain(record)
    check(content, where=str(path))
    write_atomically(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def read_checked(path: Path, check: Check, *, kind: str) -> Record:
    """Read a record.

    Args:
        path: Of the file.
        check: Of its layout.
        kind: ``protocol`` or ``study``, also the name of the command that writes it.

    Raises:
        ResultsError: It is missing, damaged or breaks the layout.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ResultsError(
            expected=f"the folder of a {kind}, with {path.name}",
            found="no such file" if isinstance(error, FileNotFoundError) else f"an unreadable file ({error})",
            where=str(path),
            action=f"Name the folder of a {kind}, or run `norface {kind} run` to make the file.",
        ) from error
    check(record, where=str(path))
    return dict(record)


def check_lists(record: Mapping[str, Any], kinds: Mapping[str, type], *, kind: str, where: str) -> None:
    """Refuse a record whose `kinds`, types by key, are no lists of these."""
    for key, wanted in kinds.items():
        value = record.get(key)
        if not isinstance(value, list) or not all(isinstance(item, wanted) for item in value):
            raise invalid(f"a list of {wanted.__name__}", repr(value)[:60], f"{where}: {key}", kind=kind)


def check_blocks(record: Mapping[str, Any], parts: Mapping[str, tuple[str, ...]], *, kind: str, where: str) -> None:
    """Refuse a record whose `parts` are no lists of objects with these keys, or whose runs have an unknown state."""
    for part, keys in parts.items():
        blocks = record.get(part)
        if not isinstance(blocks, list) or not all(isinstance(block, Mapping) for block in blocks):
            raise invalid("a list of objects", repr(blocks)[:60], f"{where}: {part}", kind=kind)
        for index, block in enumerate(blocks):
            missing = [key for key in keys if key not in block]
            if missing:
                found = f"none of {', '.join(missing)}"
                raise invalid(f"keys {', '.join(keys)}", found, f"{where}: {part}[{index}]", kind=kind)
            if part == "runs" and block["state"] not in STATES:
                found = repr(block["state"])
                raise invalid(f"one of {', '.join(STATES)}", found, f"{where}: {part}[{index}].state", kind=kind)


def invalid(expected: str, found: str, where: str, *, kind: str) -> ResultsError:
    """The error of a layout that is broken at `where`."""
    return ResultsError(
        expected=expected,
        found=found,
        where=where,
        action=f"Run `norface {kind} run` again, which writes the file anew, or correct it.",
    )
