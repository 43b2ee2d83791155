"""Train an expression teacher from emotion and action-unit labels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from norface.backbones import ConvEncoder
from norface.errors import TrainingError
from norface.labels import MAX_INTENSITY
from norface.samples import FaceSample
from norface.teachers.networks import EmbeddingNetwork, ExpressionNetwork
from norface.teachers.task import TeacherTask


def masked_intensity_loss(outputs: Tensor, intensity: Tensor) -> Tensor:
    """Mean squared error of outputs ``(B, K)`` in 0..1 against intensities in 0..5, where these are known (not NaN)."""
    known = ~torch.isnan(intensity)
    error = (outputs.float() - torch.nan_to_num(intensity) / MAX_INTENSITY).square() * known
    return error.sum() / known.sum().clamp_min(1)


class ExpressionTask(TeacherTask):
    """Embedding network from which emotions and intensities are read; validated on unseen people.

    Args:
        encoder: Patch encoder.
        dim: Size of the embedding.
        dropout: Share of the pooled features dropped in training.
        emotion_weight: Weight of the emotion cross-entropy against the intensity error.
        lr: Peak learning rate.
        weight_decay: Decoupled weight decay.
        seed: Of dropout.
    """

    def __init__(
        self,
        encoder: ConvEncoder,
        *,
        dim: int = 64,
        dropout: float = 0.1,
        emotion_weight: float = 0.05,
        lr: float = 3e-3,
        weight_decay: float = 0.02,
        seed: int = 0,
    ) -> None:
        super().__init__(lr=lr, weight_decay=weight_decay, seed=seed)
        self.embed = [EmbeddingNetwork(encoder, dim=dim, dropout=dropout)]  # in a list: registered by `configure_model`
        self.emotion_weight = emotion_weight
        self.found: list[tuple[Tensor, ...]] = []

    def configure_model(self) -> None:
        """Make one read-out per label, once the data's vocabulary is known."""
        if "network" not in self._modules:
            emotions, aus = self.faces.emotions, self.faces.aus
            if not aus and not emotions:
                raise TrainingError(
                    expected="emotion or AU intensity labels",
                    found="neither",
                    where="face table",
                    action="Train the expression teacher on a table with labels.",
                )
            network = ExpressionNetwork(self.embed[0], emotions=emotions, aus=aus)
            self.network = network.to(memory_format=torch.channels_last)

    def loss(self, batch: FaceSample) -> dict[str, Tensor]:
        """Intensity error and weighted emotion cross-entropy of a batch."""
        reading, logits = self.network(batch["original"])
        parts = {"intensity": masked_intensity_loss(reading.outputs, batch["au_intensity"])}
        if (batch["emotion"] >= 0).any():
            parts["emotion"] = self.emotion_weight * F.cross_entropy(logits, batch["emotion"], ignore_index=-1)
        return parts

    def validation_step(self, batch: FaceSample, batch_idx: int) -> None:
        """Collect readings of people that were not trained on."""
        reading, logits = self.network(batch["original"])
        right = (logits.argmax(1) == batch["emotion"]).float()
        self.found.append((reading.outputs, batch["au_intensity"] / MAX_INTENSITY, right))

    def on_validation_epoch_end(self) -> None:
        """Log the explained share of AU variance and the emotion accuracy."""
        outputs, wanted, right = (torch.cat(parts) for parts in zip(*self.found, strict=True))
        self.found.clear()
        known = ~torch.isnan(wanted)
        wanted = torch.nan_to_num(wanted)
        mean = (wanted * known).sum(0) / known.sum(0).clamp_min(1)
        total = ((wanted - mean).square() * known).sum().clamp_min(1e-9)
        explained = 1 - ((outputs - wanted).square() * known).sum() / total
        self.log_dict({"val/au_r2": explained, "val/emotion_accuracy": right.mean()}, prog_bar=True)
