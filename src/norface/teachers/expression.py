"""Train an expression teacher from emotion and action-unit labels and, where known, true normalized faces."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from norface.backbones import Backbone
from norface.errors import TrainingError
from norface.labels import MAX_INTENSITY
from norface.samples import FaceSample
from norface.teachers.components import COMPONENTS, TruthComponents, first_truths
from norface.teachers.networks import EmbeddingNetwork, ExpressionNetwork
from norface.teachers.task import TeacherTask
from norface.training import decay_groups

EXPRESSION_POOL = 8
"""Grid of the patch embeddings that expression is read from. Measured on the built-in faces, after 900 steps: 8
explains 0.76 of the true normalized faces of unseen people, 4 explains 0.59."""

READ_OUT_RATE = 0.3
"""Rate of the components' read-out relative to the network's. It sums two thousand features, so a full step of each of
its weights moves its output by thousands of rates: at the full rate it shakes for half of the run."""


def masked_intensity_loss(outputs: Tensor, intensity: Tensor) -> Tensor:
    """Mean squared error of outputs ``(B, K)`` in 0..1 against intensities in 0..5, where these are known (not NaN)."""
    known = ~torch.isnan(intensity)
    error = (outputs.float() - torch.nan_to_num(intensity) / MAX_INTENSITY).square() * known
    return error.sum() / known.sum().clamp_min(1)


class ExpressionTask(TeacherTask):
    """Embedding network from which emotions and intensities are read; validated on unseen people.

    Where the data module yields true normalized faces (`source: truth`), their principal components are read from the
    same features: a normalizer that starts from this encoder then has little left to learn but drawing.

    Args:
        encoder: Patch encoder.
        encoder_weights: Checkpoint whose encoder it starts from, such as a masked autoencoder's; None: it starts as its
            own arguments say.
        dim: Size of the embedding.
        dropout: Share of the pooled features dropped in training.
        emotion_weight: Weight of the emotion cross-entropy against the intensity error.
        truth_weight: Weight of the error of the true normalized face's components; 0: they are not read.
        lr: Peak learning rate.
        weight_decay: Decoupled weight decay.
        seed: Of dropout.
    """

    network: ExpressionNetwork
    components: TruthComponents
    read_components: nn.Linear

    def __init__(
        self,
        encoder: Backbone,
        *,
        encoder_weights: str | None = None,
        dim: int = 64,
        dropout: float = 0.1,
        emotion_weight: float = 0.05,
        truth_weight: float = 1.0,
        lr: float = 3e-3,
        weight_decay: float = 0.02,
        seed: int = 0,
    ) -> None:
        super().__init__(lr=lr, weight_decay=weight_decay, seed=seed)
        self.start(encoder, encoder_weights)
        self.embed = [
            EmbeddingNetwork(encoder, dim=dim, dropout=dropout, pool=EXPRESSION_POOL)
        ]  # in a list: registered by `configure_model`
        self.emotion_weight, self.truth_weight = emotion_weight, truth_weight
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
            if self.truth_weight > 0 and self.faces.knows_truth:
                self.components = TruthComponents(size=self.faces.alignment.size)
                self.read_components = nn.Linear(self.embed[0].width, COMPONENTS)
                nn.init.zeros_(self.read_components.weight)
                nn.init.zeros_(self.read_components.bias)

    @property
    def reads_truth(self) -> bool:
        """Whether components of true normalized faces are read."""
        return "read_components" in self._modules

    def on_fit_start(self) -> None:
        """Find the components, on a fresh run; a resumed one has them in its checkpoint."""
        if self.reads_truth and self.trainer.global_step == 0:
            self.components.measure(first_truths(self.trainer.datamodule.train_dataloader()).to(self.device))  # type: ignore[attr-defined]

    def parameter_groups(self) -> list[dict[str, object]]:
        """The read-out of the components learns slower."""
        if not self.reads_truth:
            return super().parameter_groups()
        slow = decay_groups(self.read_components.parameters(), self.weight_decay)
        return [
            *decay_groups(self.network.parameters(), self.weight_decay),
            *({**group, "lr": READ_OUT_RATE * self.lr} for group in slow),
        ]

    def loss(self, batch: FaceSample) -> dict[str, Tensor]:
        """Intensity error, weighted emotion cross-entropy and weighted error of the components of a batch."""
        features = self.network.embed.features(batch["original"])
        reading, logits = self.network.read(features)
        parts = {"intensity": masked_intensity_loss(reading.outputs, batch["au_intensity"])}
        if (batch["emotion"] >= 0).any():
            parts["emotion"] = self.emotion_weight * F.cross_entropy(logits, batch["emotion"], ignore_index=-1)
        if self.reads_truth:
            wanted = self.components(batch["normalized"])
            parts["components"] = self.truth_weight * F.mse_loss(self.read_components(features).float(), wanted)
        return parts

    def validation_step(self, batch: FaceSample, batch_idx: int) -> None:
        """Collect readings of people that were not trained on."""
        reading, logits = self.network(batch["original"])
        unknown = batch["emotion"] < 0
        right = (logits.argmax(1) == batch["emotion"]).float().masked_fill(unknown, torch.nan)
        self.found.append((reading.outputs, batch["au_intensity"] / MAX_INTENSITY, right))

    def on_validation_epoch_end(self) -> None:
        """Log the explained share of AU variance and the emotion accuracy over known labels; NaN where none is."""
        outputs, wanted, right = (torch.cat(parts) for parts in zip(*self.found, strict=True))
        self.found.clear()
        known = ~torch.isnan(wanted)
        wanted = torch.nan_to_num(wanted)
        mean = (wanted * known).sum(0) / known.sum(0).clamp_min(1)
        total = ((wanted - mean).square() * known).sum().clamp_min(1e-9)
        explained = torch.where(known.any(), 1 - ((outputs - wanted).square() * known).sum() / total, torch.nan)
        self.log_dict({"val/au_r2": explained, "val/emotion_accuracy": right.nanmean()}, prog_bar=True)
