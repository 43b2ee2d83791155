from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from norface.protocol.calibration import (
    BINS,
    COOLEST,
    HOTTEST,
    accuracy_by_coverage,
    calibration_error,
    decisions,
    expected_calibration_error,
    fit_temperature,
    logits,
    negative_log_likelihood,
    probabilities,
)

Array = NDArray[np.float64]
TASKS = ["fer", "au"]


def drawn(task: str, temperature: float, *, faces: int = 4000, seed: int = 0) -> tuple[Array, Array]:
    """Labels and answers whose logits are `temperature` times too large; a tenth of the labels is unknown."""
    random = np.random.default_rng(seed)
    scores = 2 * random.standard_normal((faces, 3))
    right = probabilities(task, scores, 1.0)
    unknown = random.random((faces, 1 if task == "fer" else 3)) < 0.1
    if task == "fer":
        labels = (random.random((faces, 1)) > right.cumsum(1)).sum(1, keepdims=True).astype(np.float64)
        labels[unknown] = -1
    else:
        labels = np.where(unknown, np.nan, random.random((faces, 3)) < right)
    return labels, probabilities(task, scores, 1 / temperature)


def naive_nll(task: str, labels: Array, answers: Array) -> float:
    said = []
    for label, answer in zip(labels, answers, strict=True):
        if task == "fer":
            said += [-math.log(answer[int(label[0])])] if label[0] >= 0 else []
        else:
            said += [-math.log(p if y else 1 - p) for y, p in zip(label, answer, strict=True) if not math.isnan(y)]
    return float(np.mean(said))


@pytest.mark.parametrize("task", TASKS)
def test_likelihood_and_logits_are_those_of_torch(task: str) -> None:
    labels, answers = drawn(task, 1.5, faces=50)
    assert negative_log_likelihood(task, labels, answers) == pytest.approx(naive_nll(task, labels, answers))
    scores = torch.tensor(logits(task, answers))
    again = scores.softmax(1) if task == "fer" else scores.sigmoid()
    assert again.numpy() == pytest.approx(answers)
    halved = probabilities(task, scores.numpy(), 2.0)
    wanted = functional.softmax(scores / 2, 1) if task == "fer" else functional.sigmoid(scores / 2)
    assert halved == pytest.approx(wanted.numpy())


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_is_found_again_and_no_other_is_likelier(task: str, temperature: float) -> None:
    labels, answers = drawn(task, temperature)
    found = fit_temperature(task, labels, answers)
    assert found == pytest.approx(temperature, rel=0.1)
    scores = logits(task, answers)
    losses = [
        negative_log_likelihood(task, labels, probabilities(task, scores, factor * found)) for factor in (0.98, 1, 1.02)
    ]
    assert losses[1] == min(losses)
    before = expected_calibration_error(task, labels, answers)
    after = expected_calibration_error(task, labels, probabilities(task, scores, found))
    assert after < 0.03 and (temperature == 1.0 or after < before / 2)


@pytest.mark.parametrize("task", TASKS)
def test_temperatures_that_have_no_end_and_labels_that_are_not_known(task: str) -> None:
    labels, answers = drawn(task, 1.0, faces=60)
    truth = np.eye(3)[np.maximum(labels[:, 0], 0).astype(int)] if task == "fer" else np.nan_to_num(labels)
    assert fit_temperature(task, labels, 0.4 + 0.2 * truth) == pytest.approx(COOLEST, rel=1e-3)  # always right
    assert fit_temperature(task, labels, 0.6 - 0.2 * truth) == pytest.approx(HOTTEST, rel=1e-3)  # always wrong
    unknown = np.full_like(labels, -1.0 if task == "fer" else np.nan)
    assert math.isnan(fit_temperature(task, unknown, answers))
    assert math.isnan(negative_log_likelihood(task, unknown, answers))
    assert math.isnan(expected_calibration_error(task, unknown, answers))


def test_calibration_error_is_the_weighted_gap_of_the_bins() -> None:
    random = np.random.default_rng(1)
    believed = np.append(random.random(200), [0.0, 1.0])
    true = (random.random(202) < believed**2).astype(np.float64)
    total = 0.0
    for b in range(BINS):
        low, high = b / BINS, (b + 1) / BINS
        inside = [k for k in range(202) if low <= believed[k] < high or (b == BINS - 1 and believed[k] == 1.0)]
        if inside:
            total += len(inside) / 202 * abs(believed[inside].mean() - true[inside].mean())
    assert calibration_error(believed, true) == pytest.approx(total) and total > 0.05


def test_decisions_of_emotions_are_faces_and_of_action_units_single_units() -> None:
    labels, answers = np.array([[2.0], [0.0], [-1.0]]), np.array([[0.1, 0.2, 0.7], [0.3, 0.5, 0.2], [1.0, 0.0, 0.0]])
    confidence, right = decisions("fer", labels, answers)
    assert confidence.tolist() == [0.7, 0.5] and right.tolist() == [1.0, 0.0]
    confidence, right = decisions("au", np.array([[1.0, np.nan], [1.0, 0.0]]), np.array([[0.5, 0.9], [0.25, 0.25]]))
    assert confidence.tolist() == [0.5, 0.75, 0.75] and right.tolist() == [1.0, 0.0, 1.0]


def test_accuracy_by_coverage_with_and_without_equal_confidences() -> None:
    confidence, right = np.array([0.2, 0.9, 0.5, 0.7]), np.array([0.0, 1.0, 1.0, 0.0])
    assert accuracy_by_coverage(confidence, right).tolist() == pytest.approx([1.0, 1 / 2, 2 / 3, 2 / 4])
    random = np.random.default_rng(2)
    tied, right = random.integers(0, 3, 12).astype(np.float64), random.integers(0, 2, 12).astype(np.float64)
    orders = [np.lexsort((random.random(12), -tied)) for _ in range(4000)]
    expected = np.mean([right[order].cumsum() / np.arange(1, 13) for order in orders], 0)
    assert accuracy_by_coverage(tied, right) == pytest.approx(expected, abs=0.03)
    assert accuracy_by_coverage(tied, right)[-1] == pytest.approx(right.mean())
