"""A probe: the same small network trained on one kind of face alone, to see how much expression that kind carries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from norface.backbones import ConvEncoder, Standardize

Batches = Iterable[tuple[Tensor, Tensor]]
"""Images ``(B, 3, S, S)`` in [-1, 1] and emotion indices ``(B,)``, -1 = unknown."""

POOL = 4


class ProbeScore(NamedTuple):
    """How a probe did on people that it was not trained on."""

    accuracy: float
    mean_class_accuracy: float
    confusion: list[list[int]]
    """Counts; rows are true classes."""


class EmotionProbe(nn.Module):
    """Encoder, pooled grid, linear read-out.

    Args:
        classes: Number of emotions.
    """

    def __init__(self, *, classes: int) -> None:
        super().__init__()
        self.encoder = ConvEncoder()
        inputs = self.encoder.dim * POOL * POOL
        # As in the classifier: the common face is the same in every normalized image and would drown the differences.
        self.standardize = Standardize(inputs)
        self.dropout = nn.Dropout(0.3)
        self.read_out = nn.Linear(inputs, classes)

    def forward(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, S, S)`` in [-1, 1] to logits ``(B, classes)``."""
        pooled = F.adaptive_avg_pool2d(self.encoder(image), POOL).flatten(1)
        logits: Tensor = self.read_out(self.dropout(self.standardize(pooled)))
        return logits


def train_probe(
    training: Callable[[int], Batches], *, classes: int, epochs: int, seed: int, lr: float = 2e-3
) -> EmotionProbe:
    """Train a probe from scratch; every probe of a comparison gets the same steps and the same start.

    Args:
        training: Epoch number to that epoch's batches.
        classes: Number of emotions.
        epochs: Passes over the data.
        seed: Of the start and the dropout.
        lr: Peak learning rate.
    """
    # The seed is the caller's wish for this probe, not for whatever comes after.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        probe = EmotionProbe(classes=classes).to(memory_format=torch.channels_last)
        steps = epochs * sum(1 for _ in training(0))
        optimizer = torch.optim.AdamW(probe.parameters(), lr=lr, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps + 1, pct_start=0.15)
        for epoch in range(epochs):
            for image, emotion in training(epoch):
                if not bool((emotion >= 0).any()):
                    continue  # the mean over no label is NaN, and would stay in the weights
                loss = F.cross_entropy(probe(image), emotion, ignore_index=-1, label_smoothing=0.1)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    return probe.eval()


@torch.inference_mode()
def score_probe(probe: EmotionProbe, test: Batches, *, classes: int) -> ProbeScore:
    """Accuracy of a probe, NaN without a known label; mean-class accuracy leaves absent classes out."""
    confusion = torch.zeros(classes, classes, dtype=torch.long)
    for image, emotion in test:
        known = emotion >= 0
        cell = emotion[known] * classes + probe(image[known]).argmax(1)
        confusion += torch.bincount(cell, minlength=classes * classes).reshape(classes, classes)
    support = confusion.sum(1)
    recall = confusion.diagonal()[support > 0] / support[support > 0]
    accuracy = confusion.diagonal().sum() / confusion.sum()
    return ProbeScore(float(accuracy), float(recall.mean()), confusion.tolist())
