"""Losses of the three tasks. Unknown labels contribute nothing, to the value or to the gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from norface.labels import MAX_INTENSITY


def inverse_frequency(counts: Sequence[float]) -> Tensor:
    """Weights proportional to 1 / count with mean 1 over the classes that occur; 0 for the others.

    Returns:
        float32 ``(C,)``.
    """
    inverse = torch.tensor([1.0 / n if n > 0 else 0.0 for n in counts])
    present = inverse > 0
    return inverse * present.sum() / inverse.sum().clamp(min=1e-12)


RAREST = 0.02
"""Occurrence rate below which an action unit is weighted no higher. The published data sets have none below it: what is
rarer is a handful of faces, and would otherwise take the weight of all others. With one action unit in a few of 480
faces, a classifier from random weights stayed at chance (AUROC 0.55) on all sixteen."""


def occurrence_weights(rates: Sequence[float]) -> Tensor:
    """``w_i = N (1 / r_i) / sum_j (1 / r_j)`` with r_i the share of training faces that show action unit i.

    After ME-GraphAU (https://github.com/CVI-SZU/ME-GraphAU), but r_i is at least `RAREST`. An action unit that never
    occurs or is unknown (rate 0 or NaN) has no finite weight: it gets 1 and stays out of the others' sum.

    Returns:
        float32 ``(K,)``, mean 1.
    """
    known = [math.isfinite(rate) and rate > 0 for rate in rates]
    inverse = [1.0 / max(rate, RAREST) if usable else 0.0 for rate, usable in zip(rates, known, strict=True)]
    pairs = zip(inverse, known, strict=True)
    return torch.tensor([sum(known) * value / sum(inverse) if usable else 1.0 for value, usable in pairs])


class EmotionLoss(nn.Module):
    """Cross-entropy with label smoothing (Szegedy et al. 2016) and class weights, as `torch.nn.CrossEntropyLoss`.

    Args:
        class_weights: ``(C,)``.
        label_smoothing: In [0, 1).
    """

    class_weights: Tensor

    def __init__(self, class_weights: Tensor, *, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, logits: Tensor, emotion: Tensor) -> Tensor:
        """Logits ``(B, C)`` and class indices ``(B,)``, -1 = unknown, to a scalar; 0 if none is known."""
        known = emotion >= 0
        logits, emotion = logits[known].float(), emotion[known]
        if len(emotion) == 0:
            return logits.sum()
        smoothing = self.label_smoothing
        return functional.cross_entropy(logits, emotion, weight=self.class_weights, label_smoothing=smoothing)


class ActionUnitLoss(nn.Module):
    """Weighted asymmetric loss of ME-GraphAU (Luo et al. 2022, `WeightedAsymmetricLoss` in its utils.py).

    ``-(1/N) sum_i w_i [y_i log p_i + (1 - y_i) p_i log(1 - p_i)]``, where the factor p_i carries no gradient: it quiets
    the many easy absences. N counts the known labels of the batch.

    Args:
        weights: ``(K,)``, see `occurrence_weights`.
    """

    weights: Tensor

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, logits: Tensor, occurrence: Tensor) -> Tensor:
        """Logits ``(B, K)`` and occurrences ``(B, K)``, 0 or 1, NaN = unknown, to a scalar; 0 if none is known."""
        logits = logits.float()
        known = ~occurrence.isnan()
        present = occurrence.nan_to_num(0.0)
        positive = present * functional.logsigmoid(logits)
        negative = (1.0 - present) * logits.detach().sigmoid() * functional.logsigmoid(-logits)
        return -(self.weights * (positive + negative) * known).sum() / known.sum().clamp(min=1)


class IntensityLoss(nn.Module):
    """Squared error of action unit intensities on their scale 0..5, over the known labels.

    The network's output times 5 is the intensity, as in LibreFace (https://github.com/ihp-lab/LibreFace), so that
    weights of usual size reach the scale. Not clamped here: beyond the ends the gradient must still pull back.
    """

    def forward(self, logits: Tensor, intensity: Tensor) -> Tensor:
        """Outputs ``(B, K)`` and intensities ``(B, K)``, NaN = unknown, to a scalar; 0 if none is known."""
        known = ~intensity.isnan()
        error = (MAX_INTENSITY * logits.float() - intensity.nan_to_num(0.0)) * known
        return error.square().sum() / known.sum().clamp(min=1)
