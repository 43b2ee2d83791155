from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from answered import LABELS, answers_to, labels_of
from norface.classifier.metrics import ActionUnitScores, EmotionScores, IntensityScores
from norface.protocol.sums import FIGURES, constant, figures, sums

Matrix = NDArray[np.float64]
TASKS = ["fer", "au", "au-intensity"]
SUBJECTS = np.repeat(np.arange(5), 12)


def drawn(task: str, seed: int = 0) -> tuple[Matrix, Matrix]:
    labels = labels_of(task, 60, seed=seed)
    return labels, answers_to(task, labels, 0.4, seed=seed + 1)


@pytest.mark.parametrize("task", TASKS)
def test_figures_are_those_of_the_classifiers_own_metrics(task: str) -> None:
    labels, answers = drawn(task)
    found = figures(task, [sums(task, labels, answers, SUBJECTS).sum(0)], pooled=False, labels=LABELS[task])
    x, y = torch.tensor(answers), torch.tensor(labels)
    if task == "fer":
        scores = EmotionScores(3)
        scores.update(x, y[:, 0].long())
        wanted = scores.compute()
        assert [float(found[f"recall.{name}"]) for name in LABELS[task]] == pytest.approx(
            wanted["per_class_recall"].tolist()
        )
        for name in FIGURES[task]:
            assert float(found[name]) == pytest.approx(float(wanted[name]))
        return
    metric = ActionUnitScores(2) if task == "au" else IntensityScores(2)
    metric.update(x, y)
    for name, key in (("f1", "f1"), ("accuracy", "au_accuracy"), *((n, n) for n in ("icc", "mae", "mse", "pcc"))):
        if key in metric.compute():
            values = metric.compute()[key].tolist()
            assert [float(found[f"{name}.{au}"]) for au in LABELS[task]] == pytest.approx(values)
            assert float(found[name]) == pytest.approx(np.mean(values))


@pytest.mark.parametrize("task", TASKS)
def test_many_weightings_at_once_equal_one_at_a_time(task: str) -> None:
    labels, answers = drawn(task)
    counted = sums(task, labels, answers, SUBJECTS)
    weights = np.random.default_rng(0).integers(0, 3, (4, 5)).astype(float)
    together = figures(task, [np.tensordot(weights, counted, 1)], pooled=False, labels=LABELS[task])
    for row, weight in enumerate(weights):
        alone = figures(task, [np.tensordot(weight, counted, 1)], pooled=False, labels=LABELS[task])
        for name, value in alone.items():
            np.testing.assert_allclose(together[name][row], value)


def test_mean_of_folds_and_all_faces_of_all_folds() -> None:
    hits = np.array([[[9.0], [0.0], [1.0], [0.0]], [[1.0], [0.0], [1.0], [98.0]]])  # F1 18/19 and 2/3
    mean = figures("au", list(hits), pooled=False, labels=["AU01"])
    pooled = figures("au", list(hits), pooled=True, labels=["AU01"])
    assert float(mean["f1"]) == pytest.approx((18 / 19 + 2 / 3) / 2)
    assert float(pooled["f1"]) == pytest.approx(20 / 22)


def test_an_action_unit_that_a_fold_does_not_show_counts_in_the_others_only() -> None:
    shown = np.array([[5.0, 5.0], [0.0, 0.0], [0.0, 5.0], [5.0, 0.0]])  # F1 1 and 2/3
    absent = np.array([[5.0, 0.0], [0.0, 1.0], [5.0, 0.0], [0.0, 9.0]])  # F1 2/3, and unknown
    found = figures("au", [shown, absent], pooled=False, labels=["AU01", "AU12"])
    assert float(found["f1.AU12"]) == pytest.approx(2 / 3)
    assert float(found["f1"]) == pytest.approx(((1 + 2 / 3) / 2 + 2 / 3) / 2)
    assert np.isnan(figures("au", [absent], pooled=False, labels=["AU01", "AU12"])["f1.AU12"])


@pytest.mark.parametrize("task", TASKS)
def test_constant_predictor(task: str) -> None:
    labels, answers = drawn(task)
    blind = np.zeros_like(answers) if task == "au-intensity" else np.ones_like(answers)
    if task == "fer":
        blind = np.eye(3)[np.full(len(labels), 1)]
    counted = sums(task, labels, answers, SUBJECTS)
    np.testing.assert_allclose(constant(task, counted, majority=1), sums(task, labels, blind, SUBJECTS))
