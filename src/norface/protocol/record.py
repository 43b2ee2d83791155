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

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from norface.errors import ResultsError
from norface.labels import TASKS
from norface.runs.plain import plain

SCHEMA = 2
FILE = "protocol.json"
CONSTANT = "nothing (constant)"
STATES = ("finished", "failed", "elsewhere")
Record = dict[str, Any]

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
    """Write ``protocol.json``; NaN becomes null.

    Raises:
        ResultsError: It breaks the layout.
        OutputError: It cannot be written.
    """
    from norface.imaging.files import write_atomically  # late: OpenCV, which reading does not need

    content = plain(record)
    validate(content, where=str(folder / FILE))
    write_atomically(folder / FILE, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def read_record(folder: Path) -> Record:
    """Read and check ``protocol.json``.

    Raises:
        ResultsError: It is missing, damaged or of another schema.
    """
    path = folder / FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ResultsError(
            expected=f"the folder of a protocol, with {FILE}",
            found="no such file" if isinstance(error, FileNotFoundError) else f"an unreadable file ({error})",
            where=str(path),
            action="Name the folder of a protocol, or run `norface protocol run` to make the file.",
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
        raise _invalid(f"a protocol's results of schema {SCHEMA}", repr(found), where)
    if record.get("task") not in TASKS:
        raise _invalid(f"one of {', '.join(TASKS)}", repr(record.get("task")), f"{where}: task")
    for key, kind in _LISTS.items():
        value = record.get(key)
        if not isinstance(value, list) or not all(isinstance(item, kind) for item in value):
            raise _invalid(f"a list of {kind.__name__}", repr(value)[:60], f"{where}: {key}")
    if record.get("merit") not in record["figures"]:
        raise _invalid(f"one of {', '.join(record['figures'])}", repr(record.get("merit")), f"{where}: merit")
    for part, keys in _PARTS.items():
        for index, block in _blocks(record.get(part), f"{where}: {part}"):
            _check_block(block, part, keys, f"{where}: {part}[{index}]")


def _check_block(block: Mapping[str, Any], part: str, keys: tuple[str, ...], where: str) -> None:
    missing = [key for key in keys if key not in block]
    if missing:
        raise _invalid(f"keys {', '.join(keys)}", f"none of {', '.join(missing)}", where)
    _check_figures(block.get("figures", {}), where)
    _check_figures(block.get("constant", {}), where)
    if part == "trust":
        _check_curve(block["coverage"], block["accuracy"], where)
    if part == "runs" and block["state"] not in STATES:
        raise _invalid(f"one of {', '.join(STATES)}", repr(block["state"]), f"{where}.state")


def _blocks(value: Any, where: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise _invalid("a list of objects", repr(value)[:60], where)
    return enumerate(value)


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
    return ResultsError(
        expected=expected,
        found=found,
        where=where,
        action="Run `norface protocol run` again, which writes the file anew, or correct it.",
    )
