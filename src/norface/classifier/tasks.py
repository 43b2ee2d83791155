"""The three tasks: emotion recognition, action unit detection, action unit intensity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import Metric

from norface.backbones import Backbone
from norface.classifier.checkpoint import au_label
from norface.classifier.contract import LabelledFaces
from norface.classifier.losses import (
    ActionUnitLoss,
    EmotionLoss,
    IntensityLoss,
    inverse_frequency,
    occurrence_weights,
)
from norface.classifier.metrics import ActionUnitScores, EmotionScores, IntensityScores, Scores
from norface.classifier.module import ClassifierTask
from norface.classifier.streams import Streams
from norface.errors import ConfigError, TrainingError
from norface.labels import MAX_INTENSITY
from norface.samples import FaceSample


class EmotionTask(ClassifierTask):
    """Emotion recognition (``fer``): one label per face.

    Args:
        label_smoothing: Of the cross-entropy.
        class_weighting: Whether rare emotions weigh more in the loss, by the inverse of their count. Not together
            with balanced sampling, which does the same.
        backbone, streams, shared_backbone, features, hidden, grid, experts, top_k, input_experts, output_experts,
            dropout, balance_weight, lr, weight_decay, warmup, layer_decay, mixup, encoder_weights, seed, compile: See
            `ClassifierTask`.
    """

    task = "fer"

    def __init__(
        self,
        *,
        label_smoothing: float = 0.1,
        class_weighting: bool = True,
        backbone: Backbone | None = None,
        streams: Streams = "both",
        shared_backbone: bool = True,
        features: int = 128,
        hidden: int = 128,
        grid: int = 4,
        experts: int = 4,
        top_k: int = 2,
        input_experts: bool = True,
        output_experts: bool = True,
        dropout: float = 0.2,
        balance_weight: float = 0.001,
        lr: float = 2e-3,
        weight_decay: float = 0.05,
        warmup: float = 0.1,
        layer_decay: float = 1.0,
        mixup: float = 0.0,
        encoder_weights: str | None = None,
        seed: int = 0,
        compile: bool = False,
    ) -> None:
        super().__init__(
            backbone=backbone,
            streams=streams,
            shared_backbone=shared_backbone,
            features=features,
            hidden=hidden,
            grid=grid,
            experts=experts,
            top_k=top_k,
            input_experts=input_experts,
            output_experts=output_experts,
            dropout=dropout,
            balance_weight=balance_weight,
            lr=lr,
            weight_decay=weight_decay,
            warmup=warmup,
            layer_decay=layer_decay,
            mixup=mixup,
            encoder_weights=encoder_weights,
            seed=seed,
            compile=compile,
        )
        self.label_smoothing, self.class_weighting = label_smoothing, class_weighting
        self.majority = 0

    def label_names(self, header: Mapping[str, Any]) -> tuple[str, ...]:
        """The table's emotions."""
        names = tuple(str(name) for name in header["emotions"])
        if len(names) < 2:
            raise _no_labels("at least two emotions", f"{len(names)}", self.task)
        return names

    def make_loss(self, faces: LabelledFaces) -> nn.Module:
        """Cross-entropy; remembers the commonest emotion for the constant predictor.

        Raises:
            ConfigError: Rare emotions would count twice: drawn more often, and with larger weights.
        """
        if self.class_weighting and faces.sampling == "balanced":
            raise ConfigError(
                expected="one remedy for imbalanced emotions",
                found="two: balanced sampling and class weights",
                where="data.init_args.sampling and model.init_args.class_weighting",
                action="Set class_weighting to false, or sampling to uniform.",
            )
        counts = faces.class_counts()
        self.majority = max(range(len(counts)), key=counts.__getitem__)
        weights = inverse_frequency(counts) if self.class_weighting else torch.ones(len(counts))
        return EmotionLoss(weights, label_smoothing=self.label_smoothing)

    def loss_weights(self) -> dict[str, float]:
        """Weight of each emotion."""
        return _weights(self.names, self.loss.class_weights) if self.class_weighting else {}

    def make_scores(self) -> Metric:
        """Accuracies and confusion."""
        return EmotionScores(len(self.names))

    def labels(self, batch: FaceSample) -> Tensor:
        """Emotion indices ``(B,)``."""
        return batch["emotion"]

    def known(self, labels: Tensor) -> Tensor:
        """-1 is unknown."""
        return labels >= 0

    def presence(self, labels: Tensor) -> Tensor:
        """One-hot; zeros for an unknown emotion."""
        one_hot = functional.one_hot(labels.clamp(min=0), len(self.names))
        return one_hot * self.known(labels).unsqueeze(-1)

    def summary(self, scores: Scores) -> dict[str, float]:
        """Overall and mean-class accuracy, macro F1; the figure of merit is the overall accuracy."""
        names = ("accuracy", "mean_class_accuracy", "macro_f1")
        return {"score": float(scores["accuracy"])} | {name: float(scores[name]) for name in names}

    def results(self, scores: Scores) -> dict[str, Any]:
        """All scores, and those of always naming the commonest training emotion."""
        support = scores["confusion"].sum(1)
        rate = float(support[self.majority] / support.sum())
        present = int((support > 0).sum())
        constant = {
            "label": self.names[self.majority],
            "accuracy": rate,
            "mean_class_accuracy": float(rate > 0) / present if present else float("nan"),
            "macro_f1": 2 * rate / (1 + rate) / present if present else float("nan"),
        }
        known = int(support.sum())
        return {**scores, "classes": list(self.names), "support": support, "n_labels": known, "constant": constant}


class _ActionUnits(ClassifierTask):
    """What the two action unit tasks share."""

    def label_names(self, header: Mapping[str, Any]) -> tuple[str, ...]:
        """``AU01`` ... of the table's action units."""
        names = tuple(au_label(int(au)) for au in header["aus"])
        if not names:
            raise _no_labels("at least one action unit", "none", self.task)
        return names

    def known(self, labels: Tensor) -> Tensor:
        """NaN is unknown."""
        return ~labels.isnan()

    def per_au(self, values: Tensor) -> dict[str, float]:
        """Name of each action unit to its value."""
        return dict(zip(self.names, values.double().tolist(), strict=True))


class ActionUnitTask(_ActionUnits):
    """Action unit detection (``au``): several independent labels per face.

    Takes the arguments of `ClassifierTask`.
    """

    task = "au"

    def make_loss(self, faces: LabelledFaces) -> nn.Module:
        """Weighted asymmetric loss, weighted by the training split's occurrence rates."""
        return ActionUnitLoss(occurrence_weights(faces.occurrence_rates()))

    def loss_weights(self) -> dict[str, float]:
        """Weight of each action unit."""
        return _weights(self.names, self.loss.weights)

    def taught(self, faces: LabelledFaces) -> Tensor:
        """Action units whose occurrence is known for a training face."""
        return torch.tensor(faces.known_counts("c")) > 0

    def make_scores(self) -> Metric:
        """F1, accuracy and AUROC."""
        return ActionUnitScores(len(self.names))

    def labels(self, batch: FaceSample) -> Tensor:
        """Occurrences ``(B, K)``."""
        return batch["au"]

    def presence(self, labels: Tensor) -> Tensor:
        """The occurrences."""
        return labels.nan_to_num(0.0)

    def summary(self, scores: Scores) -> dict[str, float]:
        """Means over the action units that can be scored; the figure of merit is the mean F1."""
        f1 = float(scores["f1"].nanmean())
        accuracy, auroc = float(scores["au_accuracy"].nanmean()), float(scores["auroc"].nanmean())
        return {"score": f1, "f1": f1, "accuracy": accuracy, "auroc": auroc}

    def results(self, scores: Scores) -> dict[str, Any]:
        """Scores of every action unit, their means, and those of constant predictors."""
        common = torch.maximum(scores["rate"], 1.0 - scores["rate"])
        return {
            **{name: value for name, value in self.summary(scores).items() if name != "score"},
            "f1_per_au": self.per_au(scores["f1"]),
            "accuracy_per_au": self.per_au(scores["au_accuracy"]),
            "auroc_per_au": self.per_au(scores["auroc"]),
            "rate_per_au": self.per_au(scores["rate"]),
            "n_labels_per_au": self.per_au(scores["known"]),
            "scored_aus": int((~scores["f1"].isnan()).sum()),
            "constant": {  # always positive; the best constant in accuracy is what most faces show
                "f1": float(scores["constant_f1"].nanmean()),
                "f1_per_au": self.per_au(scores["constant_f1"]),
                "accuracy": float(scores["rate"].nanmean()),
                "auroc": float("nan") if bool(scores["auroc"].isnan().all()) else 0.5,
                "best_accuracy_per_au": self.per_au(common),
            },
        }


class IntensityTask(_ActionUnits):
    """Action unit intensity on 0..5 (``au-intensity``).

    Takes the arguments of `ClassifierTask`.
    """

    task = "au-intensity"

    def make_loss(self, faces: LabelledFaces) -> nn.Module:
        """Masked squared error."""
        return IntensityLoss()

    def taught(self, faces: LabelledFaces) -> Tensor:
        """Action units whose intensity is known for a training face."""
        return torch.tensor(faces.known_counts("r")) > 0

    def make_scores(self) -> Metric:
        """ICC(3,1), correlation and errors."""
        return IntensityScores(len(self.names))

    def labels(self, batch: FaceSample) -> Tensor:
        """Intensities ``(B, K)``."""
        return batch["au_intensity"]

    def presence(self, labels: Tensor) -> Tensor:
        """Intensity as a share of the maximum."""
        return labels.nan_to_num(0.0) / MAX_INTENSITY

    def summary(self, scores: Scores) -> dict[str, float]:
        """Means over the action units that can be scored; the figure of merit is the mean ICC."""
        means = {name: float(scores[name].nanmean()) for name in ("icc", "pcc", "mae", "mse")}
        return {"score": means["icc"]} | means

    def results(self, scores: Scores) -> dict[str, Any]:
        """Scores of every action unit, their means, and the scores of constant predictors."""
        return {
            **{name: value for name, value in self.summary(scores).items() if name != "score"},
            **{f"{name}_per_au": self.per_au(scores[name]) for name in ("icc", "pcc", "mae", "mse")},
            "n_labels_per_au": self.per_au(scores["known"]),
            "scored_aus": int((~scores["icc"].isnan()).sum()),
            "constant": {  # always 0; the best constant in squared error is each action unit's mean
                "icc": float("nan") if bool(scores["icc"].isnan().all()) else 0.0,
                "mae": float(scores["constant_mae"].nanmean()),
                "mse": float(scores["constant_mse"].nanmean()),
                "mae_per_au": self.per_au(scores["constant_mae"]),
                "mse_per_au": self.per_au(scores["constant_mse"]),
                "best_mse_per_au": self.per_au(scores["label_variance"]),
            },
        }


def _weights(names: tuple[str, ...], weights: Tensor | nn.Module) -> dict[str, float]:
    assert isinstance(weights, Tensor)
    return dict(zip(names, weights.double().tolist(), strict=True))


def _no_labels(expected: str, found: str, task: str) -> TrainingError:
    return TrainingError(
        expected=f"{expected} for task {task}",
        found=found,
        where="face table",
        action="Give a table with these labels, or choose another task.",
    )
