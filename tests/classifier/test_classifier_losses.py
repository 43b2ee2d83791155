from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from norface.classifier.losses import (
    RAREST,
    ActionUnitLoss,
    EmotionLoss,
    IntensityLoss,
    inverse_frequency,
    occurrence_weights,
)

NAN = math.nan


def test_inverse_frequency_has_mean_one_over_present_classes() -> None:
    weights = inverse_frequency([10, 20, 0])
    assert weights.tolist() == pytest.approx([4 / 3, 2 / 3, 0.0])


def test_occurrence_weights_follow_the_published_fold() -> None:
    rates = [0.1, 0.2, 0.4]
    total = sum(1 / r for r in rates)
    assert occurrence_weights(rates).tolist() == pytest.approx([3 / r / total for r in rates])


def test_a_handful_of_faces_does_not_take_the_weight_of_all_others() -> None:
    assert occurrence_weights([0.2, 0.001]).tolist() == occurrence_weights([0.2, RAREST]).tolist()
    assert occurrence_weights([0.2, 0.001]).tolist() == pytest.approx([2 / 11, 20 / 11])
    assert RAREST < 0.03  # DISFA's rarest, action unit 2 in a fold


def test_action_units_without_a_rate_stay_out_of_the_weights_of_others() -> None:
    assert occurrence_weights([0.1, NAN, 0.3, 0.0]).tolist() == pytest.approx([1.5, 1.0, 0.5, 1.0])
    assert occurrence_weights([NAN]).tolist() == [1.0]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_emotion_loss_equals_a_loop(smoothing: float) -> None:
    torch.manual_seed(0)
    logits, emotion, weights = torch.randn(6, 3), torch.tensor([0, 2, -1, 1, 1, -1]), torch.tensor([0.5, 1.0, 1.5])
    total, norm = 0.0, 0.0
    for row, label in zip(logits, emotion.tolist(), strict=True):
        if label < 0:
            continue
        logs = [float(row[c]) - math.log(sum(math.exp(float(v)) for v in row)) for c in range(3)]
        total -= (1 - smoothing) * float(weights[label]) * logs[label]
        total -= smoothing / 3 * sum(float(w) * log for w, log in zip(weights, logs, strict=True))
        norm += float(weights[label])
    loss = EmotionLoss(weights, label_smoothing=smoothing)(logits, emotion)
    assert float(loss) == pytest.approx(total / norm, rel=1e-5)


def test_action_unit_loss_equals_a_loop() -> None:
    torch.manual_seed(0)
    logits, weights = torch.randn(3, 2), torch.tensor([0.5, 1.5])
    labels = torch.tensor([[1.0, 0.0], [NAN, 1.0], [0.0, NAN]])
    total, known = 0.0, 0
    for row in range(3):
        for au in range(2):
            y = float(labels[row, au])
            if math.isnan(y):
                continue
            p = 1 / (1 + math.exp(-float(logits[row, au])))
            total -= float(weights[au]) * (y * math.log(p) + (1 - y) * p * math.log(1 - p))
            known += 1
    assert float(ActionUnitLoss(weights)(logits, labels)) == pytest.approx(total / known, rel=1e-5)


def test_the_asymmetric_factor_carries_no_gradient() -> None:
    logits = torch.tensor([[0.3]], requires_grad=True)
    (gradient,) = torch.autograd.grad(ActionUnitLoss(torch.ones(1))(logits, torch.zeros(1, 1)), logits)
    p = 1 / (1 + math.exp(-0.3))
    assert float(gradient) == pytest.approx(p * p)  # p * d/dz(-log(1 - p)); with a gradient of p it would be more


def test_intensity_loss_equals_its_formula() -> None:
    prediction, labels = torch.tensor([[0.2, 1.0], [0.4, 3.0]]), torch.tensor([[2.0, NAN], [0.0, NAN]])
    assert float(IntensityLoss()(prediction, labels)) == pytest.approx(((1.0 - 2.0) ** 2 + 2.0**2) / 2)


@pytest.mark.parametrize("kind", ["au", "au-intensity"])
def test_a_fully_missing_action_unit_changes_nothing(kind: str) -> None:
    """Same loss and same gradients as without its column; none of its own."""
    torch.manual_seed(0)
    logits, labels = torch.randn(5, 3), torch.randint(0, 2, (5, 3)).float()
    labels[:, 1] = NAN
    labels[0, 0] = NAN
    kept = [0, 2]
    rates = [0.2, NAN, 0.6]
    of_all: nn.Module = IntensityLoss()
    of_kept: nn.Module = IntensityLoss()
    if kind == "au":
        of_all = ActionUnitLoss(occurrence_weights(rates))
        of_kept = ActionUnitLoss(occurrence_weights([rates[k] for k in kept]))
    whole, part = logits.clone().requires_grad_(), logits[:, kept].clone().requires_grad_()
    loss, expected = of_all(whole, labels), of_kept(part, labels[:, kept])
    loss.backward()
    expected.backward()
    assert float(loss.detach()) == pytest.approx(float(expected.detach()))
    assert whole.grad is not None and part.grad is not None
    assert (whole.grad[:, 1] == 0).all()
    torch.testing.assert_close(whole.grad[:, kept], part.grad)


@pytest.mark.parametrize(
    ("loss", "labels", "others"),
    [
        (EmotionLoss(torch.ones(3)), torch.tensor([1, -1]), torch.tensor([-1, -1])),
        (ActionUnitLoss(torch.ones(3)), torch.tensor([[1.0, 0.0, 1.0], [NAN] * 3]), torch.full((2, 3), NAN)),
        (IntensityLoss(), torch.tensor([[1.0, 0.0, 5.0], [NAN] * 3]), torch.full((2, 3), NAN)),
    ],
)
def test_unknown_labels_contribute_nothing(loss: nn.Module, labels: Tensor, others: Tensor) -> None:
    logits = torch.randn(2, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(logits, labels), logits)
    assert (gradient[0] != 0).any() and (gradient[1] == 0).all()
    nothing = loss(logits, others)
    (gradient,) = torch.autograd.grad(nothing, logits)
    assert float(nothing.detach()) == 0.0 and (gradient == 0).all()
