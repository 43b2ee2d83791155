"""What choosing on test faces would have brought: extra rows, never a result."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from norface.errors import ResultsError
from norface.protocol.answers import Answers
from norface.protocol.sums import FIGURES, Sums, sums
from norface.results import TEST_CURVE

EPOCH, THRESHOLD = "best epoch on test", "best threshold on test"


def best_epoch(folder: Path, task: str) -> dict[str, float] | None:
    """Figures of the epoch whose figure of merit was best on the test faces; None where a run has not noted any.

    Args:
        folder: Of the run.
        task: Of the run.

    Raises:
        ResultsError: The notes are damaged.
    """
    path = folder / TEST_CURVE
    if not path.is_file():
        return None
    try:
        points = [point for point in json.loads(path.read_bytes()) if point["score"] is not None]
        if not points:
            return None
        best = max(points, key=lambda point: float(point["score"]))
        return {name: float("nan") if best[name] is None else float(best[name]) for name in FIGURES[task]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(
            expected="test figures of each epoch",
            found=f"{type(error).__name__}: {error}",
            where=str(path),
            action="Delete the run's folder; `norface protocol run` makes it again.",
        ) from error


def best_thresholds(labels: NDArray[np.float64], answers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Threshold of each action unit with the highest F1 on these very faces.

    Args:
        labels: ``(N, K)`` occurrences, NaN = unknown.
        answers: ``(N, K)`` probabilities.

    Returns:
        ``(K,)``; NaN where no face shows the action unit.
    """
    found = np.full(labels.shape[1], np.nan)
    for au in range(labels.shape[1]):
        known = ~np.isnan(labels[:, au])
        order = np.argsort(-answers[known, au], kind="stable")
        said, shown = answers[known, au][order], labels[known, au][order]
        if shown.sum() > 0:
            f1 = 2 * shown.cumsum() / (np.arange(1, len(shown) + 1) + shown.sum())
            f1[:-1][said[:-1] == said[1:]] = -1.0  # equal answers are on the same side of every threshold
            found[au] = said[f1.argmax()]
    return found


def sums_at_best_thresholds(tested: Answers) -> Sums:
    """Sums over all test faces of a run, see `sums`, each action unit at its best threshold."""
    labels, answers = tested.labels[tested.answered], tested.answers[tested.answered]
    decided = (answers >= best_thresholds(labels, answers)).astype(np.float64)
    counted: Sums = sums(tested.task, labels, decided, np.zeros(len(labels), np.int64)).sum(0)
    return counted
