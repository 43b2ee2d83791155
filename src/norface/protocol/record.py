"""``protocol.json``: every number of a protocol. Tables and reports are made from it alone.

Layout::

    schema          int, SCHEMA
    name, task, labels, figures (in their order), merit (the figure of merit)
    variants, folds, seeds, people (or null), over_folds ("mean" or "pooled"), baseline (or null)
    facts           what a reader must know of the protocol, by name
    runs            [{variant, fold, people, seed, state ("finished", "failed", "elsewhere"), error, seconds, faces,
                    subjects, fingerprint, figures: {name: number}, constant: {name: number}}]
    summary         [{variant, people, seeds, figures: {name: {mean, std_seeds, std_folds, seeds, folds}}}]; the
                    variant CONSTANT is a predictor that ignores the face
    differences     [{variant, baseline, people, subjects, faces, unanswered, seeds, resamples,
                    figures: {name: {first, second, difference, low, high, by_seed}}}], variant - baseline
    extra           [{variant, people, rule (what was chosen on test faces), seeds, figures: {name: {mean, ...}}}]; no
                    results, see `norface.protocol.optimistic`
    trust           [{variant, people, seeds, figures: {temperature | nll | nll_scaled | ece | ece_scaled | aurc:
                    {mean, std_seeds, std_folds, seeds, folds}}, coverage, accuracy (at each coverage)}]; scaled: by a
                    temperature that validation subjects have chosen; aurc: mean error over all coverages
    slices          [{attribute, low, high (or null), variant, baseline, people, faces, subjects, figures: {merit:
                    {mean, ...}}, difference: null or {difference, low, high, seeds}}], with the most people
    versions, fingerprints, remarks (list of sentences)

A figure that cannot be known is null. Names of figures: `norface.protocol.sums.figures`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from norface.errors import ResultsError
from norface.labels import TASKS
from norface.runs import record as records
from norface.runs.record import Record

SCHEMA = 2
FILE = "protocol.json"
CONSTANT = "nothing (constant)"
KIND = "protocol"

_LISTS: Mapping[str, type] = {
    "labels": str,
    "figures": str,
    "variants": str,
    "folds": str,
    "seeds": int,
    "remarks": str,
}
_PARTS: Mapping[str, tuple[str, ...]] = {
    "runs": ("variant", "fold", "people", "seed", "state"),
    "summary": ("variant", "people", "figures"),
    "differences": ("variant", "baseline", "people", "subjects", "figures"),
    "extra": ("variant", "people", "rule", "figures"),
    "trust": ("variant", "people", "figures", "coverage", "accuracy"),
    "slices": ("attribute", "low", "high", "variant", "people", "faces", "subjects", "figures", "difference"),
}
_SHARES = ("accuracy", "mean_class_accuracy", "macro_f1", "f1", "recall", "ece", "ece_scaled", "aurc")
_CORRELATIONS = ("icc", "pcc")


def write_record(folder: Path, record: Record) -> None:
    """Write ``protocol.json``; errors as by `norface.runs.record.write_checked`."""
    records.write_checked(folder / FILE, record, validate)


def read_record(folder: Path) -> Record:
    """Read and check ``protocol.json``; errors as by `norface.runs.record.read_checked`."""
    return records.read_checked(folder / FILE, validate, kind=KIND)


def validate(record: Any, *, where: str) -> None:
    """Check schema, types and ranges; unknown keys are left alone.

    Raises:
        ResultsError: Something is not as the module's docstring says; the message names the key.
    """
    if not isinstance(record, Mapping) or record.get("schema") != SCHEMA:
        found = record.get("schema") if isinstance(record, Mapping) else type(record).__name__
        raise _invalid(f"a protocol's results of schema {SCHEMA}", repr(found), where)
    if record.get("task") not in TASKS:
        raise _invalid(f"one of {', '.join(TASKS)}", repr(record.get("task")), f"{where}: task")
    records.check_lists(record, _LISTS, kind=KIND, where=where)
    if record.get("merit") not in record["figures"]:
        raise _invalid(f"one of {', '.join(record['figures'])}", repr(record.get("merit")), f"{where}: merit")
    records.check_blocks(record, _PARTS, kind=KIND, where=where)
    for part in _PARTS:
        for index, block in enumerate(record[part]):
            _check_block(block, part, f"{where}: {part}[{index}]")


def _check_block(block: Mapping[str, Any], part: str, where: str) -> None:
    _check_figures(block.get("figures", {}), where)
    _check_figures(block.get("constant", {}), where)
    if part == "trust":
        _check_curve(block["coverage"], block["accuracy"], where)


def _check_figures(figures: Any, where: str) -> None:
    if not isinstance(figures, Mapping):
        raise _invalid("an object", repr(figures)[:60], f"{where}.figures")
    for name, value in figures.items():
        kind = name.partition(".")[0]
        low = 0.0 if kind not in _CORRELATIONS else -math.inf
        high = 1.0 if kind in (*_SHARES, *_CORRELATIONS) else math.inf
        shown = value if isinstance(value, Mapping) else {"mean": value}
        for key, number in shown.items():
            if number is None or isinstance(number, list) or key not in ("mean", "first", "second"):
                continue
            good = isinstance(number, int | float) and not isinstance(number, bool)
            if not good or not low - 1e-9 <= number <= high + 1e-9:
                raise _invalid(f"a number from {low:g} to {high:g}", repr(number), f"{where}.figures.{name}")


def _check_curve(coverage: Any, accuracy: Any, where: str) -> None:
    curves = (coverage, accuracy)
    numbers = all(isinstance(curve, list) and all(isinstance(x, int | float) for x in curve) for curve in curves)
    if not numbers or len(coverage) != len(accuracy) or not all(0 <= x <= 1 for curve in curves for x in curve):
        raise _invalid("as many accuracies as coverages, from 0 to 1", repr(accuracy)[:60], f"{where}.accuracy")


def _invalid(expected: str, found: str, where: str) -> ResultsError:
    return records.invalid(expected, found, where, kind=KIND)
