"""How far a variant's probabilities can be believed, with a temperature that validation subjects have chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from norface.protocol.answers import Answers
from norface.protocol.calibration import (
    accuracy_by_coverage,
    decisions,
    expected_calibration_error,
    fit_temperature,
    logits,
    negative_log_likelihood,
    probabilities,
)
from norface.runs.spread import summed

COVERAGE: tuple[float, ...] = tuple(k / 20 for k in range(1, 21))
"""Shares of the decisions at which the curve is noted."""

Trust = dict[str, Any]
"""``figures`` by name and ``accuracy`` at each share of `COVERAGE`."""


def trust(validation: Answers, test: Answers) -> Trust | None:
    """Calibration of one run's test answers.

    Args:
        validation: Answers for validation subjects: they choose the temperature.
        test: Answers for the test faces: they choose nothing.

    Returns:
        Figures ``temperature``, ``nll``, ``nll_scaled``, ``ece``, ``ece_scaled`` and ``aurc`` (mean risk over all
        coverages), before and after scaling; None for a task without probabilities, or where no label is known.
    """
    task = test.task
    if task == "au-intensity":
        return None
    chosen = validation.answered
    temperature = fit_temperature(task, validation.labels[chosen], validation.answers[chosen])
    if math.isnan(temperature):
        return None
    labels, plain = test.labels[test.answered], test.answers[test.answered]
    scaled = probabilities(task, logits(task, plain), temperature)
    confidence, right = decisions(task, labels, scaled)
    if not len(right):
        return None
    curve = accuracy_by_coverage(confidence, right)
    return {
        "figures": {
            "temperature": temperature,
            "nll": negative_log_likelihood(task, labels, plain),
            "nll_scaled": negative_log_likelihood(task, labels, scaled),
            "ece": expected_calibration_error(task, labels, plain),
            "ece_scaled": expected_calibration_error(task, labels, scaled),
            "aurc": float(1.0 - curve.mean()),
        },
        "accuracy": [float(curve[math.ceil(share * len(curve)) - 1]) for share in COVERAGE],
    }


def summed_trust(by_seed: Mapping[int, Sequence[Trust]]) -> dict[str, Any]:
    """Means over folds, then over seeds, and their spread; the curve likewise.

    Args:
        by_seed: What `trust` found in every fold.
    """
    found = summed([[one["figures"] for one in folds] for folds in by_seed.values()])
    curves = [np.mean([one["accuracy"] for one in folds], 0) for folds in by_seed.values()]
    return {"figures": found, "coverage": list(COVERAGE), "accuracy": np.mean(curves, 0).tolist()}
