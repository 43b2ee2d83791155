"""Mean and spread over seeds and folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = Mapping[str, float]


def spread(of_seeds: Sequence[float], of_folds: Sequence[float]) -> dict[str, Any]:
    """Mean over seeds, and standard deviations over seeds and over folds.

    Args:
        of_seeds: The figure of each seed, all folds together.
        of_folds: The figure of each fold, the mean over seeds.
    """
    seeds, folds = np.asarray(of_seeds, np.float64), np.asarray(of_folds, np.float64)
    return {
        "mean": float(seeds.mean()),
        "std_seeds": _std(seeds),
        "std_folds": _std(folds),
        "seeds": int((~np.isnan(seeds)).sum()),
        "folds": int((~np.isnan(folds)).sum()),
    }


def summed(runs: Sequence[Sequence[Numbers]]) -> dict[str, Any]:
    """`spread` of every figure; a seed's figure is the mean of its folds.

    Args:
        runs: Figures of every fold of every seed.
    """
    found = {}
    for name in runs[0][0]:
        grid = np.array([[figures[name] for figures in folds] for folds in runs])  # (seeds, folds)
        found[name] = spread(grid.mean(1).tolist(), grid.mean(0).tolist())
    return found


def _std(values: NDArray[np.float64]) -> float:
    """Standard deviation of a sample; NaN for less than two."""
    known = values[~np.isnan(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")
