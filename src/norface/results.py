"""The results file: every number of a run with its protocol, seed and versions, as one JSON file.

Each stage adds its part with `update_results`; reports are made from this file alone. Layout (all parts optional)::

    schema                 int, RESULTS_SCHEMA
    seed                   int
    gate                   expression_r2, identity_to_target, identity_to_original, subject_accuracy, subject_chance,
                           passed, checks: [{name, value, limit, direction ("min" or "max"), passed}],
                           seen: the same figures on people whom it was trained on
    probe                  gap_closed, classes, and one block for each of raw, normalized, oracle
    classifier             gap_closed, classes, and one block for each of raw, raw_pretrained, normalized, both, oracle
    classifier_au,         the same for the tasks "au" and "au-intensity", see `classifier_section`
    classifier_au_intensity
    classifier_multi_fer,  the same for each task of a classifier of several tasks
    classifier_multi_au, classifier_multi_au_intensity
    timing                 <stage>_s: seconds
    protocol, versions, fingerprints    anything that is worth showing, by name

A block holds task, accuracy, mean_class_accuracy, macro_f1, classes and confusion (counts; rows = true class), n_faces,
n_subjects; for action units labels, the means f1, auroc, icc, pcc, mae, mse and each of them as ``<figure>_per_au``:
{"AU01": ...}; constant: the same figures of a predictor that ignores the face; expert_use: input and output (one row of
gate shares per class or action unit, one column per expert) and input_by_stream (one such row by name of the stream).
A figure that could not be computed is null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from norface.errors import ResultsError
from norface.labels import TASKS

Results = dict[str, object]

RESULTS_SCHEMA = 1
"""Version of the layout above; a file of another version is refused."""

TEST_TABLE = "test_predictions.parquet"
"""What a classifier's test leaves in its run folder: the answer for each face."""

VAL_TABLE = "val_predictions.parquet"
"""The same for the faces of the validation subjects, by which probabilities are calibrated."""

TEST_CURVE = "test_curve.json"
"""Test figures of each validation of a training, where it was asked to note them; nothing is chosen by them."""

INPUTS: tuple[str, ...] = ("raw", "raw_pretrained", "normalized", "both", "oracle")
"""What a probe or classifier reads."""

MULTI_SECTION = "classifier_multi"
"""Start of the names of the sections of a classifier of several tasks: one for each of its tasks."""

SECTIONS: tuple[str, ...] = (
    "probe",
    "classifier",
    "classifier_au",
    "classifier_au_intensity",
    *(f"{MULTI_SECTION}_{task.replace('-', '_')}" for task in TASKS),
)
"""Parts that hold one block of scores for each input."""

DIRECTIONS: tuple[str, ...] = ("min", "max")
"""A limit of the gate is the smallest or the largest value that passes."""

_PARTS: tuple[str, ...] = ("gate", *SECTIONS, "timing", "protocol", "versions", "fingerprints")
_INFINITE = math.inf
_RANGES: dict[str, tuple[float, float]] = {
    "accuracy": (0.0, 1.0),
    "mean_class_accuracy": (0.0, 1.0),
    "macro_f1": (0.0, 1.0),
    "f1": (0.0, 1.0),
    "icc": (-_INFINITE, 1.0),
    "pcc": (-1.0, 1.0),
    "auroc": (0.0, 1.0),
    "mae": (0.0, _INFINITE),
    "mse": (0.0, _INFINITE),
    "expression_r2": (-_INFINITE, 1.0),
    "identity_to_target": (-1.0, 1.0),
    "identity_to_original": (-1.0, 1.0),
    "subject_accuracy": (0.0, 1.0),
    "subject_accuracy_original": (0.0, 1.0),
    "subject_accuracy_trained": (0.0, 1.0),
    "subject_accuracy_trained_original": (0.0, 1.0),
    "background_error": (0.0, _INFINITE),
    "subject_chance": (0.0, 1.0),
    "gap_closed": (-_INFINITE, _INFINITE),
}
_TOLERANCE = 1e-4  # a cosine of float32 unit vectors may exceed one by rounding


def classifier_section(task: str) -> str:
    """Key under which the classifier of a task keeps its figures, so that tasks of one run do not mix."""
    return "classifier" if task == "fer" else f"classifier_{task.replace('-', '_')}"


def multi_section(task: str) -> str:
    """Key under which a classifier of several tasks keeps its figures of one of them."""
    return f"{MULTI_SECTION}_{task.replace('-', '_')}"


def read_results(path: Path) -> Results:
    """Read and validate a results file.

    Raises:
        ResultsError: The file is missing, truncated, not JSON, of another schema version or holds impossible figures.
    """
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ResultsError(
            expected="a results file",
            found="no such file",
            where=str(path),
            action="Run `make demo`, or `make gate` on a run with a trained normalizer, to make it.",
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ResultsError(
            expected="a results file (JSON)",
            found=f"an unreadable or truncated file ({error})",
            where=str(path),
            action="Delete it and run the stages that wrote it again; they reuse their checkpoints.",
        ) from error
    if not isinstance(loaded, dict):
        raise _invalid("an object", type(loaded).__name__, str(path))
    validate(loaded, where=str(path))
    return loaded


def update_results(path: Path, part: Mapping[str, object]) -> Results:
    """Merge one stage's figures into the results file and write it whole, or not at all.

    Objects merge key by key; lists and values replace what was there. NaN and infinity become null; arrays become
    lists. Stages that end at the same moment wait for each other, so that none loses its figures.

    Args:
        path: The results file; made when missing.
        part: Nested dict, such as ``{"gate": {"expression_r2": 0.8}}``.

    Returns:
        All results after the merge.

    Raises:
        ResultsError: The existing file or the merged figures are invalid; the file stays as it was.
        OutputError: The file cannot be written.
    """
    from norface.imaging.files import locked, write_atomically  # late: OpenCV and torch, which reading does not need

    with locked(path):
        present: Results = read_results(path) if path.exists() else {}
        merged = _merge(present, _plain_mapping(part, str(path)))
        merged["schema"] = RESULTS_SCHEMA
        validate(merged, where=str(path))
        write_atomically(path, (json.dumps(merged, indent=2, allow_nan=False) + "\n").encode())
    return merged


def validate(results: Mapping[str, object], *, where: str = "results") -> None:
    """Check schema version, types and ranges of all known keys; unknown keys are left alone.

    Raises:
        ResultsError: Something is not as the module's docstring says; the message names the key.
    """
    if results.get("schema") != RESULTS_SCHEMA:
        raise ResultsError(
            expected=f"results of schema {RESULTS_SCHEMA}",
            found=f"schema {results.get('schema')!r}",
            where=where,
            action="Make the results again with this version of norface.",
        )
    if "seed" in results and (not isinstance(results["seed"], int) or isinstance(results["seed"], bool)):
        raise _invalid("an integer", repr(results["seed"]), f"{where}: seed")
    for name in _PARTS:
        if name in results:
            part = _mapping(results[name], f"{where}: {name}")
            if name == "gate":
                _validate_gate(part, f"{where}: gate")
            elif name == "timing":
                for stage, seconds in part.items():
                    _figure(seconds, f"{where}: timing.{stage}", 0.0, _INFINITE)
            elif name in SECTIONS:
                _validate_section(part, f"{where}: {name}")


def _validate_gate(gate: Mapping[str, object], where: str) -> None:
    _validate_figures(gate, where)
    _validate_figures(_mapping(gate.get("seen", {}), f"{where}.seen"), f"{where}.seen")
    _validate_passed(gate, where)
    for index, item in enumerate(_list(gate.get("checks", []), f"{where}.checks")):
        spot = f"{where}.checks[{index}]"
        check = _mapping(item, spot)
        if not isinstance(check.get("name"), str):
            raise _invalid("a check with a name", repr(check.get("name")), spot)
        for key in ("value", "limit"):
            _figure(check.get(key), f"{spot}.{key}", -_INFINITE, _INFINITE)
        if check.get("direction") not in DIRECTIONS:
            raise _invalid(" or ".join(DIRECTIONS), repr(check.get("direction")), f"{spot}.direction")
        _validate_passed(check, spot)


def _validate_passed(block: Mapping[str, object], where: str) -> None:
    if not isinstance(block.get("passed", False), bool):
        raise _invalid("true or false", repr(block["passed"]), f"{where}.passed")


def _validate_section(section: Mapping[str, object], where: str) -> None:
    _validate_figures({"gap_closed": section.get("gap_closed")}, where)
    classes = _classes(section, where)
    for name in INPUTS:
        if name in section:
            spot = f"{where}.{name}"
            block = _mapping(section[name], spot)
            _validate_block(block, spot, _classes(block, spot) or classes)


def _validate_block(block: Mapping[str, object], where: str, classes: list[object]) -> None:
    _validate_figures(block, where)
    if block.get("task", TASKS[0]) not in TASKS:
        raise _invalid(f"one of {', '.join(TASKS)}", repr(block["task"]), f"{where}.task")
    if block.get("confusion") is not None:
        rows = _matrix(block["confusion"], f"{where}.confusion", largest=_INFINITE)
        if any(len(row) != len(rows) for row in rows):
            raise _invalid("a square matrix", f"{len(rows)} rows of {len(rows[0])}", f"{where}.confusion")
        if classes and len(classes) != len(rows):
            raise _invalid(f"{len(classes)} x {len(classes)} counts", f"{len(rows)} rows", f"{where}.confusion")
    for mixture, use in _mapping(block.get("expert_use") or {}, f"{where}.expert_use").items():
        rows_of_use = list(use.values()) if isinstance(use, Mapping) else use
        _matrix(rows_of_use, f"{where}.expert_use.{mixture}", largest=1.0)
    if block.get("constant") is not None:
        _validate_figures(_mapping(block["constant"], f"{where}.constant"), f"{where}.constant")


def _validate_figures(block: Mapping[str, object], where: str) -> None:
    for key, (low, high) in _RANGES.items():
        if key in block:
            _figure(block[key], f"{where}.{key}", low, high)
        for au, value in _mapping(block.get(f"{key}_per_au") or {}, f"{where}.{key}_per_au").items():
            _figure(value, f"{where}.{key}_per_au.{au}", low, high)


def _figure(value: object, where: str, low: float, high: float) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise _invalid("a number or null", repr(value), where)
    if not low - _TOLERANCE <= value <= high + _TOLERANCE:
        raise _invalid(f"a number from {low:g} to {high:g}", repr(value), where)


def _classes(block: Mapping[str, object], where: str) -> list[object]:
    names = _list(block.get("classes", []), f"{where}.classes")
    if not all(isinstance(name, str) for name in names):
        raise _invalid("a list of names", repr(names), f"{where}.classes")
    return names


def _matrix(value: object, where: str, *, largest: float) -> list[list[object]]:
    rows = [_list(row, where) for row in _list(value, where)]
    if not rows or not rows[0] or any(len(row) != len(rows[0]) for row in rows):
        raise _invalid("rows of equal length", repr([len(row) for row in rows]), where)
    for row in rows:
        for cell in row:
            _figure(cell, where, 0.0, largest)
    return rows


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise _invalid("an object", repr(value)[:60], where)
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise _invalid("a list", repr(value)[:60], where)
    return value


def _invalid(expected: str, found: str, where: str) -> ResultsError:
    return ResultsError(
        expected=expected,
        found=found,
        where=where,
        action="Run the stage that writes this part again, or correct the file.",
    )


def _merge(old: Mapping[str, object], new: Mapping[str, object]) -> Results:
    merged = dict(old)
    for key, value in new.items():
        present = merged.get(key)
        both = isinstance(present, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(present, value) if both else value  # type: ignore[arg-type]
    return merged


def _plain_mapping(part: Mapping[str, object], where: str) -> Results:
    return {str(key): _plain(value, f"{where}: {key}") for key, value in part.items()}


def _plain(value: object, where: str) -> object:
    if isinstance(value, Mapping):
        return _plain_mapping(value, where)
    if isinstance(value, list | tuple):
        return [_plain(item, where) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # NumPy arrays and scalars, tensors
        return _plain(value.tolist(), where)
    raise _invalid("plain data", type(value).__name__, where)
