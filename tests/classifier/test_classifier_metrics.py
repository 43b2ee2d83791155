from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from norface.classifier.metrics import ActionUnitScores, EmotionScores, IntensityScores, Scores
from norface.classifier.usage import ExpertUse, TestedFaces

NAN = math.nan
Array = NDArray[np.float64]


def test_emotion_scores_equal_counting() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(60, 4)), rng.integers(-1, 3, 60)  # the fourth class never occurs
    metric = EmotionScores(4)
    for part in np.split(np.arange(60), 4):
        metric.update(torch.tensor(logits[part]), torch.tensor(labels[part]))
    scores: Scores = metric.compute()
    known = labels >= 0
    guess, truth = logits.argmax(1)[known], labels[known]
    recalls = [float((guess[truth == c] == c).mean()) for c in range(3)]
    f1s = [2 * ((guess == c) & (truth == c)).sum() / ((guess == c).sum() + (truth == c).sum()) for c in range(3)]
    assert float(scores["accuracy"]) == pytest.approx((guess == truth).mean())
    assert float(scores["mean_class_accuracy"]) == pytest.approx(np.mean(recalls))
    assert float(scores["macro_f1"]) == pytest.approx(np.mean(f1s))
    assert scores["per_class_recall"][:3].tolist() == pytest.approx(recalls)
    assert scores["per_class_recall"][3].isnan()
    for row in range(4):
        for column in range(4):
            assert int(scores["confusion"][row, column]) == int(((truth == row) & (guess == column)).sum())


def naive_auroc(score: Array, label: Array) -> float:
    positive, negative = score[label == 1], score[label == 0]
    return float(np.mean([(p > n) + 0.5 * (p == n) for p in positive for n in negative]))


def test_action_unit_scores_equal_counting() -> None:
    rng = np.random.default_rng(1)
    probability = rng.random((80, 4)).round(2)
    labels = (rng.random((80, 4)) < 0.4).astype(float)
    labels[rng.random((80, 4)) < 0.2] = NAN
    labels[:, 2] = NAN  # never labelled
    labels[:, 3] = 0.0  # never active
    metric = ActionUnitScores(4)
    for part in np.split(np.arange(80), 4):
        metric.update(torch.tensor(probability[part]), torch.tensor(labels[part]))
    scores: Scores = metric.compute()
    for au in range(2):
        known = ~np.isnan(labels[:, au])
        p, y = probability[known, au], labels[known, au]
        guess = p >= 0.5
        assert float(scores["f1"][au]) == pytest.approx(2 * (guess & (y == 1)).sum() / (guess.sum() + y.sum()))
        assert float(scores["au_accuracy"][au]) == pytest.approx((guess == (y == 1)).mean())
        assert float(scores["auroc"][au]) == pytest.approx(naive_auroc(p, y))
        assert float(scores["constant_f1"][au]) == pytest.approx(2 * y.sum() / (len(y) + y.sum()))
        assert int(scores["known"][au]) == len(y)
    for name in ("f1", "au_accuracy", "auroc", "rate", "constant_f1"):
        assert scores[name][2].isnan(), name
    assert scores["f1"][3].isnan() and scores["auroc"][3].isnan()
    assert float(scores["au_accuracy"][3]) == pytest.approx((probability[:, 3] < 0.5).mean())


def naive_icc(prediction: Array, label: Array) -> float:
    """ICC(3,1) from the mean squares of a two-way analysis of variance."""
    table = np.stack([label, prediction], 1)
    faces, raters = table.shape
    grand = table.mean()
    between = raters * ((table.mean(1) - grand) ** 2).sum()
    columns = faces * ((table.mean(0) - grand) ** 2).sum()
    residual = ((table - grand) ** 2).sum() - between - columns
    bms, ems = between / (faces - 1), residual / ((faces - 1) * (raters - 1))
    return float((bms - ems) / (bms + (raters - 1) * ems))


def test_intensity_scores_equal_their_formulas() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 6, (90, 4)).astype(float)
    prediction = np.clip(labels + rng.normal(size=(90, 4)), 0, 5)
    labels[rng.random((90, 4)) < 0.2] = NAN
    labels[:, 2] = NAN  # never labelled
    labels[:, 3] = 2.0  # constant
    metric = IntensityScores(4)
    for part in np.split(np.arange(90), 3):
        metric.update(torch.tensor(prediction[part]), torch.tensor(labels[part]))
    scores: Scores = metric.compute()
    for au in range(2):
        known = ~np.isnan(labels[:, au])
        x, y = prediction[known, au], labels[known, au]
        assert float(scores["icc"][au]) == pytest.approx(naive_icc(x, y))
        assert float(scores["pcc"][au]) == pytest.approx(np.corrcoef(x, y)[0, 1])
        assert float(scores["mae"][au]) == pytest.approx(np.abs(x - y).mean())
        assert float(scores["mse"][au]) == pytest.approx(((x - y) ** 2).mean())
        assert float(scores["constant_mae"][au]) == pytest.approx(y.mean())
        assert float(scores["constant_mse"][au]) == pytest.approx((y**2).mean())
        assert float(scores["label_variance"][au]) == pytest.approx(y.var())
    for name in ("icc", "pcc", "mae", "mse", "constant_mae", "label_variance"):
        assert scores[name][2].isnan(), name
    assert scores["icc"][3].isnan() and scores["pcc"][3].isnan()
    assert float(scores["mae"][3]) == pytest.approx(np.abs(prediction[:, 3] - 2.0).mean())


def test_a_constant_prediction_has_no_agreement() -> None:
    metric = IntensityScores(1)
    metric.update(torch.ones(4, 1), torch.tensor([[0.0], [1.0], [2.0], [5.0]]))
    scores: Scores = metric.compute()
    assert float(scores["icc"]) == 0.0 and scores["pcc"].isnan()


def test_large_offsets_do_not_drown_the_variance() -> None:
    labels = torch.tensor([[4.999], [5.0]] * 5000)
    metric = IntensityScores(1)
    metric.update(labels, labels)
    assert float(metric.compute()["icc"]) == pytest.approx(1.0, abs=1e-3)


def test_expert_use_is_the_mean_gate() -> None:
    use = ExpertUse(labels=3, streams=2, input_experts=2, output_experts=2)
    input_gates = torch.tensor([[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.0, 1.0]]])  # 2 faces, 2 streams
    output_gates = torch.tensor([[[1.0, 0.0]] * 3, [[0.0, 1.0]] * 3])
    presence = torch.tensor([[1, 0, 0], [1, 1, 0]])  # nobody shows the third label
    use.update(input_gates, output_gates, presence)
    shares = use.compute()
    torch.testing.assert_close(shares["input"][:2], torch.tensor([[0.375, 0.625], [0.0, 1.0]]).double())
    assert shares["input"][2].isnan().all()
    torch.testing.assert_close(shares["input_by_stream"], torch.tensor([[0.5, 0.5], [0.25, 0.75]]).double())
    torch.testing.assert_close(shares["output"], torch.full((3, 2), 0.5).double())


def test_people_are_counted_once() -> None:
    tested = TestedFaces()
    tested.update(torch.tensor([3, 3, 5]))
    tested.update(torch.tensor([5, 7]))
    assert {name: int(value) for name, value in tested.compute().items()} == {"n_faces": 5, "n_subjects": 3}
