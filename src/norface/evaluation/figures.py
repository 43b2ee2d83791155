"""The gate's figures: numbers that say whether a normalizer keeps the expression and removes the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from norface.evaluation.identification import trained_accuracy
from norface.normalizer.metrics import ExpressionR2, background_region
from norface.teachers.identity import nearest_neighbour_accuracy

Embed = Callable[[Tensor], Tensor]
"""Images ``(B, 3, S, S)`` in [-1, 1] to unit-norm identity embeddings ``(B, D)``."""


@dataclass(frozen=True)
class Faces:
    """Test faces of people that nobody trained on, before and after.

    Args:
        original, normalized: ``(N, 3, S, S)`` in [-1, 1].
        truth: True normalized faces, likewise; None where unknown.
        target: The common face ``(1, 3, S, S)``.
        subject: ``(N,)``.
    """

    original: Tensor
    normalized: Tensor
    truth: Tensor | None
    target: Tensor
    subject: Tensor


def expression_r2(faces: Faces) -> float | None:
    """Share of the variance of the true normalized face that the output explains; None where the truth is unknown."""
    if faces.truth is None:
        return None
    metric = ExpressionR2(size=faces.truth.shape[-1])
    for output, truth in zip(faces.normalized.split(256), faces.truth.split(256), strict=True):
        metric.update(output, truth)
    return float(metric.compute())


@torch.inference_mode()
def identity_figures(faces: Faces, embed: Embed) -> dict[str, float]:
    """Similarity to the target's identity and to the original's, and whether the person can still be told.

    Args:
        faces: Before and after.
        embed: An identity network that was in no loss of this normalizer.
    """
    both = (faces.original, faces.normalized)
    original, normalized = (torch.cat([embed(part) for part in images.split(256)]) for images in both)
    target = embed(faces.target)
    return {
        "identity_to_target": float((normalized * target).sum(1).mean()),
        "identity_to_original": float((normalized * original).sum(1).mean()),
        "subject_accuracy": float(nearest_neighbour_accuracy(normalized, faces.subject)),
        "subject_accuracy_original": float(nearest_neighbour_accuracy(original, faces.subject)),
        "subject_accuracy_trained": trained_accuracy(faces.normalized, faces.subject),
        "subject_accuracy_trained_original": trained_accuracy(faces.original, faces.subject),
        "subject_chance": 1.0 / len(faces.subject.unique()),
    }


def background_error(faces: Faces) -> float:
    """Mean absolute difference to the target outside the face, on the 0..1 scale of pixel values."""
    outside = background_region(faces.target.shape[-1])
    return float((faces.normalized - faces.target)[..., outside].abs().mean() / 2)
