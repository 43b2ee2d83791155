"""What makes a task: its labels, its loss and its scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from norface.classifier.contract import LabelledFaces
from norface.classifier.inference import ACTIVATIONS
from norface.classifier.metrics import Scores
from norface.samples import FaceSample


class TaskDefinition(ABC):
    """What tasks differ in.

    Attributes:
        task: ``fer``, ``au`` or ``au-intensity``; ``multi`` for several of them.
        names: Of the outputs, once they are known.
    """

    task: ClassVar[str]
    names: tuple[str, ...]

    @abstractmethod
    def label_names(self, header: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the outputs, from a header's ``emotions`` and ``aus``."""

    def outputs(self, header: Mapping[str, Any]) -> int | list[int]:
        """Number of outputs; by task where there are several."""
        return len(self.label_names(header))

    def activate(self, logits: Tensor) -> Tensor:
        """Logits ``(B, L)`` to probabilities or intensities."""
        return ACTIVATIONS[self.task](logits)

    @abstractmethod
    def make_loss(self, faces: LabelledFaces) -> nn.Module:
        """Loss of ``(logits, labels)``."""

    @abstractmethod
    def make_scores(self) -> Metric:
        """Metric of ``(what `activate` makes of the logits, labels)`` that computes `Scores`."""

    @abstractmethod
    def labels(self, batch: FaceSample) -> Tensor:
        """The task's labels of a batch."""

    @abstractmethod
    def known(self, labels: Tensor) -> Tensor:
        """Which labels are known, bool."""

    @abstractmethod
    def presence(self, labels: Tensor) -> Tensor:
        """How much each face shows each label, ``(B, L)`` >= 0; 0 where unknown."""

    def taught(self, faces: LabelledFaces) -> Tensor:
        """Which labels the training faces teach, bool ``(L,)``; the others are no part of any loss."""
        return torch.ones(len(self.names), dtype=torch.bool)

    def loss_weights(self) -> dict[str, float]:
        """Weight of each label in the loss, empty where there are none."""
        return {}

    @abstractmethod
    def summary(self, scores: Scores) -> dict[str, float]:
        """Scalars to log, among them ``score``: the task's figure of merit, higher is better."""

    @abstractmethod
    def results(self, scores: Scores) -> dict[str, Any]:
        """Everything to report of a test, the constant predictor's scores included; tensors are made plain later."""
