"""Sums over faces from which every figure of a task follows exactly, and the figures.

Figures are no means over subjects: F1 and ICC of many faces follow from counts and sums over all of them. These are
kept per subject, so that a bootstrap over subjects weighs and adds them instead of going through the faces again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from norface.labels import PROBABILITY_THRESHOLD

Sums = NDArray[np.float64]
"""``(..., C, C)`` confusion for ``fer``; ``(..., 4, K)`` hits, false alarms, misses, rightly silent for ``au``;
``(..., 7, K)`` n, x, y, xx, yy, xy, |x - y| for ``au-intensity``, x the answer and y the label."""

Figures = dict[str, NDArray[np.float64]]

MERIT: dict[str, str] = {"fer": "accuracy", "au": "f1", "au-intensity": "icc"}
"""The figure that a task is judged by."""

FIGURES: dict[str, tuple[str, ...]] = {
    "fer": ("accuracy", "mean_class_accuracy", "macro_f1"),
    "au": ("f1", "accuracy"),
    "au-intensity": ("icc", "mae", "mse", "pcc"),
}
"""Figures of a task, in the order of tables. Of action units each is a mean, and known for each of them too."""


def sums(task: str, labels: NDArray[np.float64], answers: NDArray[np.float64], subjects: NDArray[np.int64]) -> Sums:
    """Sums of each subject.

    Args:
        task: ``fer``, ``au`` or ``au-intensity``.
        labels: ``(N, 1)`` class codes, -1 = unknown, or ``(N, K)`` occurrences or intensities, NaN = unknown.
        answers: ``(N, C)`` probabilities of emotions, ``(N, K)`` of action units, or intensities.
        subjects: ``(N,)`` codes from 0 up, all of them used.

    Returns:
        ``(S, ...)``, see `Sums`.
    """
    count = int(subjects.max()) + 1 if len(subjects) else 0
    if task == "fer":
        classes = answers.shape[1]
        codes, known = labels[:, 0].astype(np.int64), labels[:, 0] >= 0
        cells = (subjects * classes + codes) * classes + answers.argmax(1)
        counted = np.bincount(cells[known], minlength=count * classes**2)
        return counted.reshape(count, classes, classes).astype(np.float64)
    known = ~np.isnan(labels)
    if task == "au":
        said, yes, no = answers >= PROBABILITY_THRESHOLD, labels == 1, labels == 0
        parts = [said & yes, said & no, ~said & yes, ~said & no]
    else:
        x, y = np.where(known, answers, 0.0), np.where(known, labels, 0.0)
        parts = [known, x, y, x * x, y * y, x * y, np.abs(x - y)]
    per_face = np.stack(parts, 1).astype(np.float64)  # (N, parts, K)
    total = np.zeros((count, *per_face.shape[1:]))
    np.add.at(total, subjects, per_face)
    return total


def constant(task: str, counted: Sums, majority: int = 0) -> Sums:
    """Sums of a predictor that ignores the face: the commonest training emotion, every action unit, or always 0.

    Args:
        task: The task.
        counted: Sums of any predictor of the same faces.
        majority: Code of the commonest training emotion.
    """
    blind = np.zeros_like(counted)
    if task == "fer":
        blind[..., majority] = counted.sum(-1)
    elif task == "au":
        hit, alarm, missed, silent = np.moveaxis(counted, -2, 0)
        blind[..., 0, :], blind[..., 1, :] = hit + missed, alarm + silent
    else:
        n, _, y, _, yy, _, _ = np.moveaxis(counted, -2, 0)
        blind[..., 0, :], blind[..., 2, :], blind[..., 4, :], blind[..., 6, :] = n, y, yy, y
    return blind


def figures(task: str, folds: Sequence[Sums], *, pooled: bool, labels: Sequence[str]) -> Figures:
    """Figures of one or more folds.

    Args:
        task: The task.
        folds: Sums over the test faces of each fold, all with the same leading dimensions.
        pooled: One figure of all faces of all folds; else the mean of the folds' figures, of each action unit first.
        labels: Names of the outputs.

    Returns:
        By name, each of the leading dimensions: the figures of `FIGURES`, and ``f1.AU01`` of each action unit or
        ``recall.happy`` of each emotion. NaN = cannot be known: no face has the emotion, or shows the action unit.
    """
    each = [_RAW[task](counted) for counted in ([np.sum(folds, 0)] if pooled else folds)]
    over = {name: _nanmean(np.stack([one[name] for one in each]), 0) for name in each[0]}
    if task == "fer":
        recall = over.pop("recall")
        return over | {f"recall.{label}": recall[..., k] for k, label in enumerate(labels)}
    means = {name: _nanmean(values, -1) for name, values in over.items()}
    return means | {
        f"{name}.{label}": values[..., k] for name, values in over.items() for k, label in enumerate(labels)
    }


def _emotions(confusion: Sums) -> Figures:
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    said, true = confusion.sum(-2), confusion.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = hits / true
        f1 = np.where(true > 0, 2 * hits / (true + said), np.nan)
        accuracy = hits.sum(-1) / true.sum(-1)
    return {
        "accuracy": accuracy,
        "mean_class_accuracy": _nanmean(recall, -1),
        "macro_f1": _nanmean(f1, -1),
        "recall": recall,
    }


def _occurrences(counted: Sums) -> Figures:
    hit, alarm, missed, silent = np.moveaxis(counted, -2, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = np.where(hit + missed > 0, 2 * hit / (2 * hit + alarm + missed), np.nan)
        return {"f1": f1, "accuracy": (hit + silent) / counted.sum(-2)}


def _intensities(counted: Sums) -> Figures:
    n, x, y, xx, yy, xy, absolute = np.moveaxis(counted, -2, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        var_x, var_y = np.maximum(xx - x * x / n, 0) / n, np.maximum(yy - y * y / n, 0) / n
        covariance = (xy - x * y / n) / n
        varies = (var_y > 1e-12) & (n > 1)
        return {
            "icc": np.where(varies, 2 * covariance / (var_x + var_y), np.nan),
            "mae": absolute / n,
            "mse": (xx - 2 * xy + yy) / n,
            "pcc": np.where(varies & (var_x > 1e-12), covariance / np.sqrt(var_x * var_y), np.nan),
        }


_RAW = {"fer": _emotions, "au": _occurrences, "au-intensity": _intensities}


def _nanmean(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Mean of what is known; NaN, without a warning, where nothing is."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: NDArray[np.float64] = np.where(known, values, 0.0).sum(axis) / known.sum(axis)
    return mean
