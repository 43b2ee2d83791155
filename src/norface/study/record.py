"""``study.json``: every number of a study. Tables and the page are made from it, and from the runs' pictures.

Layout::

    schema          int, SCHEMA
    name, variants, seeds, people (or null), baseline (or null), figures (names in their order)
    facts           what a reader must know of the study, by name
    runs            [{variant, people, seed, state ("finished", "failed", "elsewhere"), error, seconds, folder,
                    fingerprint, steps, trained_on (people, those of its teachers included), figures: {name: number},
                    curves: {name: [[epochs done, value]]}}]; the last four of finished runs alone
    summary         [{variant, people, seeds, figures: {name: {mean, std, seeds}}}]
    differences     [{variant, baseline, people, seeds, figures: {name: {difference, std, by_seed}}}],
                    variant - baseline
    versions, fingerprints, remarks (list of sentences)

Figures of the gate by their names there, on test people; ``seen_`` before a name: on people of the training;
``seen_gap``: by how much R² is larger on these. A figure that cannot be known is null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from norface.errors import ResultsError
from norface.imaging.files import write_atomically
from norface.runs.plain import plain

SCHEMA = 1
FILE = "study.json"
STATES = ("finished", "failed", "elsewhere")
Record = dict[str, Any]

FIGURES: Mapping[str, tuple[float, float]] = {
    "expression_r2": (-math.inf, 1.0),
    "seen_expression_r2": (-math.inf, 1.0),
    "seen_gap": (-math.inf, math.inf),
    "identity_to_target": (-1.0, 1.0),
    "identity_to_original": (-1.0, 1.0),
    "subject_accuracy": (0.0, 1.0),
    "subject_accuracy_trained": (0.0, 1.0),
    "background_error": (0.0, math.inf),
    "gap_closed": (-math.inf, math.inf),
}
"""Figures in the order of tables, and what they can be."""

_PARTS: Mapping[str, tuple[str, ...]] = {
    "runs": ("variant", "people", "seed", "state", "folder"),
    "summary": ("variant", "people", "seeds", "figures"),
    "differences": ("variant", "baseline", "people", "seeds", "figures"),
}
_TOLERANCE = 1e-4  # a cosine of float32 unit vectors may exceed one by rounding


def write_record(folder: Path, record: Record) -> None:
    """Write ``study.json``; NaN becomes null.

    Raises:
        ResultsError: It breaks the layout.
        OutputError: It cannot be written.
    """
    content = plain(record)
    validate(content, where=str(folder / FILE))
    write_atomically(folder / FILE, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def read_record(folder: Path) -> Record:
    """Read and check ``study.json``.

    Raises:
        ResultsError: It is missing, damaged or of another schema.
    """
    path = folder / FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ResultsError(
            expected=f"the folder of a study, with {FILE}",
            found="no such file" if isinstance(error, FileNotFoundError) else f"an unreadable file ({error})",
            where=str(path),
            action="Name the folder of a study, or run `norface study run` to make the file.",
        ) from error
    validate(record, where=str(path))
    return dict(record)


def validate(record: Any, *, where: str) -> None:
    """Check schema, types and ranges; unknown keys are left alone.

    Raises:
        ResultsError: Something is not as the module's docstring says; the message names the key.
    """
    if not isinstance(record, Mapping) or record.get("schema") != SCHEMA:
        found = record.get("schema") if isinstance(record, Mapping) else type(record).__name__
        raise _invalid(f"a study's results of schema {SCHEMA}", repr(found), where)
    for key, kind in (("variants", str), ("figures", str), ("seeds", int), ("remarks", str)):
        value = record.get(key)
        if not isinstance(value, list) or not all(isinstance(item, kind) for item in value):
            raise _invalid(f"a list of {kind.__name__}", repr(value)[:60], f"{where}: {key}")
    for part, keys in _PARTS.items():
        blocks = record.get(part)
        if not isinstance(blocks, list) or not all(isinstance(block, Mapping) for block in blocks):
            raise _invalid("a list of objects", repr(blocks)[:60], f"{where}: {part}")
        for index, block in enumerate(blocks):
            _check_block(block, part, keys, f"{where}: {part}[{index}]")


def _check_block(block: Mapping[str, Any], part: str, keys: tuple[str, ...], where: str) -> None:
    missing = [key for key in keys if key not in block]
    if missing:
        raise _invalid(f"keys {', '.join(keys)}", f"none of {', '.join(missing)}", where)
    if part == "runs" and block["state"] not in STATES:
        raise _invalid(f"one of {', '.join(STATES)}", repr(block["state"]), f"{where}.state")
    figures = block.get("figures", {})
    if not isinstance(figures, Mapping):
        raise _invalid("an object", repr(figures)[:60], f"{where}.figures")
    for name, value in figures.items():
        low, high = FIGURES.get(name, (-math.inf, math.inf)) if part != "differences" else (-math.inf, math.inf)
        number = value.get("difference", value.get("mean")) if isinstance(value, Mapping) else value
        good = number is None or (isinstance(number, int | float) and not isinstance(number, bool))
        if not good or (number is not None and not low - _TOLERANCE <= number <= high + _TOLERANCE):
            raise _invalid(f"a number from {low:g} to {high:g}", repr(number), f"{where}.figures.{name}")


def _invalid(expected: str, found: str, where: str) -> ResultsError:
    return ResultsError(
        expected=expected,
        found=found,
        where=where,
        action="Run `norface study run` again, which writes the file anew, or correct it.",
    )
