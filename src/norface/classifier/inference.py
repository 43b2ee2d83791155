"""A trained classifier for inference: the network and what its outputs mean, without training code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from norface.checkpoints import fitting, open_checkpoint
from norface.classifier.checkpoint import MULTI, Header, classifier_header, labels_of, load_network
from norface.classifier.network import ExpressionClassifier
from norface.errors import CheckpointError
from norface.labels import MAX_INTENSITY
from norface.specs import build


def emotion_probabilities(logits: Tensor) -> Tensor:
    """Softmax over the emotions."""
    return logits.float().softmax(-1)


def occurrence_probabilities(logits: Tensor) -> Tensor:
    """Independent probability of each action unit."""
    return logits.float().sigmoid()


def intensities(logits: Tensor) -> Tensor:
    """Intensity of each action unit on 0..5."""
    return (MAX_INTENSITY * logits.float()).clamp(0.0, MAX_INTENSITY)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "fer": emotion_probabilities,
    "au": occurrence_probabilities,
    "au-intensity": intensities,
}
"""What each task makes of the network's outputs."""


@dataclass(frozen=True)
class TrainedClassifier:
    """A classifier read from its checkpoint.

    Attributes:
        network: In evaluation mode, on the CPU.
        task: ``fer``, ``au`` or ``au-intensity``.
        labels: Name of each output.
        alignment: Description of the crops it was trained on.
        subjects: People it was trained on.
    """

    network: ExpressionClassifier
    task: str
    labels: tuple[str, ...]
    alignment: dict[str, object]
    subjects: tuple[str, ...]

    @torch.inference_mode()
    def predict(self, original: Tensor, normalized: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1] to probabilities or intensities ``(B, L)``, on the images' device."""
        network = self.network.to(original.device)
        return ACTIVATIONS[self.task](network(original, normalized).logits)


def load_classifier(path: str | Path, *, task: str | None = None) -> TrainedClassifier:
    """Read a classifier from the checkpoint that training wrote.

    Args:
        path: Checkpoint file.
        task: Task that it must be of, if that matters.

    Raises:
        CheckpointError: Missing, damaged, of another kind or task, of several tasks, or its weights do not fit its
            description.
    """
    checkpoint = open_checkpoint(Path(path))
    content = classifier_header(checkpoint, where=str(path), task=task)
    if content["task"] == MULTI:
        raise CheckpointError(
            expected="a classifier of one task",
            found="one of several tasks",
            where=str(path),
            action="`norface predict` writes what it answers for all of its tasks.",
        )
    with fitting(Path(path)):
        network = build_classifier(content, where=str(path))
        load_network(network, checkpoint["state_dict"], where=str(path))
        return TrainedClassifier(
            network=network.eval(),
            task=_known_task(content["task"]),
            labels=labels_of(content),
            alignment=dict(content["alignment"]),
            subjects=tuple(str(name) for name in content["subjects"]),
        )


def _known_task(task: object) -> str:
    if task not in ACTIVATIONS:
        raise ValueError(f"the unknown task {task!r}")
    return str(task)


def build_classifier(content: Header, *, where: str) -> ExpressionClassifier:
    """The network that a checkpoint's header describes, with fresh weights.

    Raises:
        CheckpointError: The description is of something else.
    """
    network = build(content["network"], where=where)
    if not isinstance(network, ExpressionClassifier):
        raise CheckpointError(
            expected="an ExpressionClassifier",
            found=type(network).__name__,
            where=where,
            action="Use a checkpoint of this version of norface.",
        )
    return network
