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

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from norface.errors import ResultsError
from norface.runs import record as records
from norface.runs.record import Record

SCHEMA = 1
FILE = "study.json"
KIND = "study"

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
    """Write ``study.json``; errors as by `norface.runs.record.write_checked`."""
    records.write_checked(folder / FILE, record, validate)


def read_record(folder: Path) -> Record:
    """Read and check ``study.json``; errors as by `norface.runs.record.read_checked`."""
    return records.read_checked(folder / FILE, validate, kind=KIND)


def validate(record: Any, *, where: str) -> None:
    """Check schema, types and ranges; unknown keys are left alone.

    Raises:
        ResultsError: Something is not as the module's docstring says; the message names the key.
    """
    if not isinstance(record, Mapping) or record.get("schema") != SCHEMA:
        found = record.get("schema") if isinstance(record, Mapping) else type(record).__name__
        raise _invalid(f"a study's results of schema {SCHEMA}", repr(found), where)
    lists = {"variants": str, "figures": str, "seeds": int, "remarks": str}
    records.check_lists(record, lists, kind=KIND, where=where)
    records.check_blocks(record, _PARTS, kind=KIND, where=where)
    for part in _PARTS:
        for index, block in enumerate(record[part]):
            _check_figures(block.get("figures", {}), part, f"{where}: {part}[{index}]")


def _check_figures(figures: Any, part: str, where: str) -> None:
    if not isinstance(figures, Mapping):
        raise _invalid("an object", repr(figures)[:60], f"{where}.figures")
    for name, value in figures.items():
        low, high = FIGURES.get(name, (-math.inf, math.inf)) if part != "differences" else (-math.inf, math.inf)
        number = value.get("difference", value.get("mean")) if isinstance(value, Mapping) else value
        good = number is None or (isinstance(number, int | float) and not isinstance(number, bool))
        if not good or (number is not None and not low - _TOLERANCE <= number <= high + _TOLERANCE):
            raise _invalid(f"a number from {low:g} to {high:g}", repr(number), f"{where}.figures.{name}")


def _invalid(expected: str, found: str, where: str) -> ResultsError:
    return records.invalid(expected, found, where, kind=KIND)
