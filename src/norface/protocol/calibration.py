"""Can probabilities be believed? Temperature, calibration error, and accuracy against coverage."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from norface.labels import PROBABILITY_THRESHOLD

Array = NDArray[np.float64]

COOLEST, HOTTEST = 0.05, 20.0
"""Temperatures that are looked for: a validation part without a single mistake would have none above 0."""

BINS = 15
"""Of the calibration error, as Guo et al. 2017."""

_SURE = 1e-7
"""Answers are kept as float32: a probability nearer to 0 or 1 says no more than this."""


def logits(task: str, answers: Array) -> Array:
    """Probabilities ``(N, C)`` of emotions or action units to logits that give them again at temperature 1."""
    sure = np.clip(answers, _SURE, 1.0 - _SURE)
    return np.log(sure) if task == "fer" else np.log(sure) - np.log1p(-sure)


def probabilities(task: str, scores: Array, temperature: float) -> Array:
    """Logits ``(N, C)`` divided by a temperature, as probabilities."""
    scaled = scores / temperature
    if task != "fer":
        return 1.0 / (1.0 + np.exp(-scaled))
    raised = np.exp(scaled - scaled.max(1, keepdims=True))
    shares: Array = raised / raised.sum(1, keepdims=True)
    return shares


def negative_log_likelihood(task: str, labels: Array, answers: Array) -> float:
    """Mean over known labels; NaN without any.

    Args:
        task: ``fer`` or ``au``.
        labels: ``(N, 1)`` class codes, -1 = unknown, or ``(N, K)`` occurrences, NaN = unknown.
        answers: ``(N, C)`` or ``(N, K)`` probabilities.
    """
    sure = np.clip(answers, _SURE, 1.0 - _SURE)
    if task == "fer":
        known = labels[:, 0] >= 0
        said = np.log(sure[known, labels[known, 0].astype(np.int64)])
    else:
        known = ~np.isnan(labels)
        said = np.log(np.where(labels == 1, sure, 1.0 - sure)[known])
    return float(-said.mean()) if said.size else float("nan")


def fit_temperature(task: str, labels: Array, answers: Array) -> float:
    """The temperature with the smallest negative log-likelihood (Guo et al. 2017, "On calibration of modern networks").

    One number for all classes or action units, so that no decision changes. The likelihood is convex in the inverse
    of the temperature: its slope is brought to 0 by bisection.

    Args:
        task, labels, answers: See `negative_log_likelihood`; of validation subjects.

    Returns:
        From `COOLEST` to `HOTTEST`; NaN where no label is known.
    """
    scores = logits(task, answers)
    if task == "fer":
        known = labels[:, 0] >= 0
        scores, true = scores[known], np.eye(scores.shape[1])[labels[known, 0].astype(np.int64)]
    else:
        known = ~np.isnan(labels)
        scores, true = np.where(known, scores, 0.0), np.where(known, labels, 0.0)  # a score of 0 has no slope
    if not known.any():
        return float("nan")
    low, high = np.log(COOLEST), np.log(HOTTEST)
    for _ in range(40):
        middle = (low + high) / 2
        too_sure = ((probabilities(task, scores, float(np.exp(middle))) - true) * scores).sum() > 0
        low, high = (middle, high) if too_sure else (low, middle)
    return float(np.exp((low + high) / 2))


def calibration_error(believed: Array, true: Array) -> float:
    """Expected calibration error: ``sum_b n_b / N |mean(believed) - mean(true)|`` over `BINS` bins of equal width.

    Args:
        believed: ``(N,)`` probabilities.
        true: ``(N,)`` whether it was so, 0 or 1.
    """
    if not len(believed):
        return float("nan")
    bins = np.minimum((believed * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(bins, believed - true, BINS)  # n_b times the difference of the means
    return float(np.abs(gaps).sum() / len(believed))


def expected_calibration_error(task: str, labels: Array, answers: Array) -> float:
    """Of the emotion that is named; or of each action unit's probability, and then the mean over action units."""
    if task == "fer":
        return calibration_error(*decisions(task, labels, answers))
    known = ~np.isnan(labels)
    each = [calibration_error(answers[k, au], labels[k, au]) for au, k in enumerate(known.T) if k.any()]
    return float(np.mean(each)) if each else float("nan")


def decisions(task: str, labels: Array, answers: Array) -> tuple[Array, Array]:
    """Confidence in each decision, and whether it is right (0 or 1).

    A decision is the emotion of a face, or whether it shows one action unit; those without a known label are left out.
    """
    if task == "fer":
        known = labels[:, 0] >= 0
        best = answers[known].argmax(1)
        return answers[known].max(1), (best == labels[known, 0]).astype(np.float64)
    known = ~np.isnan(labels)
    right = (answers >= PROBABILITY_THRESHOLD) == (labels == 1)
    return np.maximum(answers, 1.0 - answers)[known], right[known].astype(np.float64)


def accuracy_by_coverage(confidence: Array, right: Array) -> Array:
    """Accuracy among the 1, 2, ... N decisions of highest confidence (El-Yaniv and Wiener 2010, risk and coverage).

    Decisions of equal confidence count with their mean: in no order, one of them comes before another.

    Returns:
        ``(N,)``; the last is the accuracy of all.
    """
    _, place, count = np.unique(-confidence, return_inverse=True, return_counts=True)
    level = np.bincount(place, right, len(count)) / count
    ordered = np.repeat(level, count)
    return np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
