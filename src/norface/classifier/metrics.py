"""Scores of the three tasks, accumulated over all faces of a split; never averages of batches.

What cannot be computed (a class without a face, an action unit without a label) is NaN, never 0, and is left out
of means.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import binary_auroc

Scores = dict[str, Tensor]


class EmotionScores(Metric):
    """Accuracies, recalls and macro F1 from one confusion matrix.

    Mean-class accuracy (mean recall) and macro F1 run over the classes that occur among the labels.

    Args:
        classes: C.
    """

    confusion: Tensor
    full_state_update = False

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.add_state("confusion", torch.zeros(classes, classes, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, logits: Tensor, emotion: Tensor) -> None:
        """Logits or probabilities ``(B, C)`` and class indices ``(B,)``, -1 = unknown."""
        known = emotion >= 0
        cells = emotion[known] * self.classes + logits[known].argmax(-1)
        self.confusion += torch.bincount(cells, minlength=self.classes**2).view(self.classes, self.classes)

    def compute(self) -> Scores:
        """``accuracy``, ``mean_class_accuracy``, ``macro_f1``, ``per_class_recall`` (C,), ``confusion`` (C, C).

        Rows of the confusion matrix are labels, columns predictions.
        """
        confusion = self.confusion.double()
        hits, labels, predictions = confusion.diag(), confusion.sum(1), confusion.sum(0)
        f1 = torch.where(labels > 0, 2 * hits / (labels + predictions), torch.nan)
        recall = hits / labels
        return {
            "accuracy": hits.sum() / labels.sum(),
            "mean_class_accuracy": recall.nanmean(),
            "macro_f1": f1.nanmean(),
            "per_class_recall": recall,
            "confusion": self.confusion,
        }


class ActionUnitScores(Metric):
    """F1 and accuracy at a threshold of 0.5, and the area under the ROC curve, of each action unit.

    F1 is taken over all faces with a known label of that action unit. Without any positive label it is NaN: a predictor
    that is always silent would be right and still score 0. The always-positive predictor's F1, ``2 r / (1 + r)`` for an
    occurrence rate r, is given beside it.

    Args:
        aus: K.
    """

    counts: Tensor
    probabilities: list[Tensor]
    labels: list[Tensor]
    full_state_update = False

    def __init__(self, aus: int) -> None:
        super().__init__()
        self.add_state("counts", torch.zeros(4, aus, dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("probabilities", [], dist_reduce_fx="cat")
        self.add_state("labels", [], dist_reduce_fx="cat")

    def update(self, probabilities: Tensor, occurrence: Tensor) -> None:
        """Probabilities ``(B, K)`` and occurrences ``(B, K)``, 0 or 1, NaN = unknown."""
        guess = probabilities >= 0.5
        yes, no = occurrence == 1, occurrence == 0  # NaN is neither
        self.counts += torch.stack([guess & yes, guess & no, ~guess & yes, ~guess & no]).sum(1)
        self.probabilities.append(probabilities.detach().float())
        self.labels.append(occurrence)

    def compute(self) -> Scores:
        """``f1``, ``au_accuracy``, ``auroc``, ``rate``, ``constant_f1``, ``known``: each ``(K,)``."""
        true_positive, false_positive, missed, silent = self.counts.double()
        positives, known = true_positive + missed, self.counts.sum(0)
        f1 = 2 * true_positive / (2 * true_positive + false_positive + missed)
        rate = positives / known
        return {
            "f1": torch.where(positives > 0, f1, torch.nan),
            "au_accuracy": (true_positive + silent) / known,
            "auroc": self._auroc(),
            "rate": rate,
            "constant_f1": torch.where(positives > 0, 2 * rate / (1 + rate), torch.nan),
            "known": known,
        }

    def _auroc(self) -> Tensor:
        # A list before the processes' states are joined, one tensor afterwards.
        probabilities = torch.cat(list(self.probabilities)).view(-1, self.counts.shape[1])
        labels = torch.cat(list(self.labels)).view(-1, self.counts.shape[1])
        scores = []
        for score, label in zip(probabilities.T, labels.T, strict=True):
            known = ~label.isnan()
            if not ((label == 1).any() and (label == 0).any()):
                scores.append(torch.full((), math.nan, device=score.device))
            else:
                scores.append(binary_auroc(score[known], label[known].long()))
        return torch.stack(scores).double()


class IntensityScores(Metric):
    """ICC(3,1), Pearson correlation, mean absolute and mean squared error of each action unit's intensity.

    ICC(3,1) = (BMS - EMS) / (BMS + (k - 1) EMS) of Shrout and Fleiss 1979 with k = 2 raters, the label and the
    prediction; for two raters this equals ``2 cov / (var_label + var_prediction)``. It and the correlation are NaN if
    the labels do not vary. A constant prediction has an ICC of 0 and no correlation. Beside the errors stand those of
    the predictor that always says 0, and the squared error of the best constant, the labels' variance.

    Args:
        aus: K.
    """

    sums: Tensor
    full_state_update = False

    def __init__(self, aus: int) -> None:
        super().__init__()
        # float64: variances are differences of large sums.
        self.add_state("sums", torch.zeros(7, aus, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, intensity: Tensor) -> None:
        """Predictions and intensities ``(B, K)`` on 0..5, NaN = unknown."""
        known = (~intensity.isnan()).double()
        y = intensity.nan_to_num(0.0).double()
        x = prediction.detach().double() * known
        self.sums += torch.stack([known, x, y, x * x, y * y, x * y, (x - y).abs()]).sum(1)

    def compute(self) -> Scores:
        """``icc``, ``pcc``, ``mae``, ``mse``, ``constant_mae``, ``constant_mse``, ``label_variance``, ``known``."""
        n, x, y, xx, yy, xy, absolute = self.sums
        var_x, var_y = (xx - x * x / n).clamp(min=0) / n, (yy - y * y / n).clamp(min=0) / n
        covariance = (xy - x * y / n) / n
        varies = (var_y > 1e-12) & (n > 1)
        spread = var_x.sqrt() * var_y.sqrt()
        return {
            "icc": torch.where(varies, 2 * covariance / (var_x + var_y), torch.nan),
            "pcc": torch.where(varies & (var_x > 1e-12), covariance / spread, torch.nan),
            "mae": absolute / n,
            "mse": (xx - 2 * xy + yy) / n,
            "constant_mae": y / n,
            "constant_mse": yy / n,
            "label_variance": torch.where(n > 0, var_y, torch.nan),
            "known": n.long(),
        }
