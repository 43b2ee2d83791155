"""Train an expression teacher from emotion and action-unit labels, true normalized faces and triplets, where known."""

from __future__ import annotations

from functools import cached_property
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from norface.backbones import Backbone
from norface.errors import TrainingError
from norface.labels import MAX_INTENSITY
from norface.samples import FaceSample, NamedFaces, Triplets
from norface.teachers.components import COMPONENTS, TruthComponents, first_truths
from norface.teachers.networks import DeviationNetwork, EmbeddingNetwork, ExpressionNetwork
from norface.teachers.task import TeacherTask
from norface.teachers.trained import TrainedIdentity
from norface.teachers.triplets import TripletDraw, agreement, triplet_loss
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

    With `triplets`, distances between embeddings also learn which of three faces shows another expression: several
    triplets join every batch. With an `identity_teacher`, what it says of a face is subtracted from the features, see
    `DeviationNetwork`.

    Args:
        encoder: Patch encoder.
        encoder_weights: Checkpoint whose encoder it starts from, such as a masked autoencoder's; None: it starts as its
            own arguments say.
        dim: Size of the embedding.
        dropout: Share of the pooled features dropped in training.
        emotion_weight: Weight of the emotion cross-entropy against the intensity error.
        truth_weight: Weight of the error of the true normalized face's components; 0: they are not read.
        triplets: CSV or Parquet file of comparisons, see `norface.data.triplets`; None: none.
        triplet_weight: Weight of the triplet loss; 1 outweighs labels, whose errors are ten times smaller.
        triplets_per_step: How many triplets join a batch.
        identity_teacher: Identity network of the same encoder, which is frozen and subtracted; None: nothing is.
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
        triplets: str | None = None,
        triplet_weight: float = 0.1,
        triplets_per_step: int = 16,
        identity_teacher: TrainedIdentity | None = None,
        lr: float = 3e-3,
        weight_decay: float = 0.02,
        seed: int = 0,
    ) -> None:
        super().__init__(lr=lr, weight_decay=weight_decay, seed=seed)
        self.start(encoder, encoder_weights)
        self.encoders = [encoder]  # in a list: registered as parts of the network by `configure_model`
        if identity_teacher is not None:
            self.encoders.append(identity_teacher.encoder)
            self.encoder_people = (*self.encoder_people, *identity_teacher.subjects)
        self.dim, self.dropout = dim, dropout
        self.emotion_weight, self.truth_weight = emotion_weight, truth_weight
        self.triplets, self.triplet_weight, self.triplets_per_step = triplets, triplet_weight, triplets_per_step
        self.found: list[tuple[Tensor, ...]] = []
        self.draw: TripletDraw | None = None
        self.embedded: dict[str, Tensor] = {}

    def configure_model(self) -> None:
        """Make one read-out per label, once the data's vocabulary is known."""
        if "network" not in self._modules:
            emotions, aus = self.faces.emotions, self.faces.aus
            if not aus and not emotions and self.triplets is None:
                raise TrainingError(
                    expected="emotion or AU intensity labels, or triplets",
                    found="neither",
                    where="face table",
                    action="Train the expression teacher on a table with labels, or name a file of triplets.",
                )
            network = ExpressionNetwork(self._embedding_network(), emotions=emotions, aus=aus)
            self.network = network.to(memory_format=torch.channels_last)
            if self.truth_weight > 0 and self.faces.knows_truth:
                self.components = TruthComponents(size=self.faces.alignment.size)
                self.read_components = nn.Linear(network.embed.width, COMPONENTS)
                nn.init.zeros_(self.read_components.weight)
                nn.init.zeros_(self.read_components.bias)

    def _embedding_network(self) -> EmbeddingNetwork:
        encoder, *identity = self.encoders
        pool = min(EXPRESSION_POOL, self.faces.alignment.size // encoder.stride)
        if not identity:
            return EmbeddingNetwork(encoder, dim=self.dim, dropout=self.dropout, pool=pool)
        return DeviationNetwork(encoder, identity[0], dim=self.dim, dropout=self.dropout, pool=pool)

    @property
    def reads_truth(self) -> bool:
        """Whether components of true normalized faces are read."""
        return "read_components" in self._modules

    @cached_property
    def compared(self) -> dict[str, Triplets]:
        """The triplets of the training and of the validation split; none where no file is named."""
        return {} if self.triplets is None else dict(self.faces.triplets(self.triplets))

    def on_fit_start(self) -> None:
        """Read the triplets; find the components, on a fresh run: a resumed one has them in its checkpoint.

        Raises:
            TableError: The file of triplets breaks its contract.
        """
        if self.triplets is not None:
            _ = self.compared
        if self.reads_truth and self.trainer.global_step == 0:
            self.components.measure(first_truths(self.trainer.datamodule.train_dataloader()).to(self.device))  # type: ignore[attr-defined]

    def on_train_start(self) -> None:
        """Make triplets ready, now that the training images are."""
        if self.triplets is not None:
            shown = cast(NamedFaces, self.trainer.train_dataloader.dataset)  # type: ignore[union-attr]
            self.draw = TripletDraw(self.compared["train"], shown, self.triplets_per_step)

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
        """Intensity error of a batch, and weighted errors of emotions, components and triplets where known."""
        images, own = batch["original"], len(batch["original"])
        if self.draw is not None:
            others, margins = self.draw(self.current_epoch)
            images = torch.cat([images, others.to(images)])  # in one batch, whose statistics standardise all of them
        features = self.network.embed.features(images)
        reading, logits = self.network.read(features)
        embedding, features, outputs, logits = reading.embedding, features[:own], reading.outputs[:own], logits[:own]
        parts = {"intensity": masked_intensity_loss(outputs, batch["au_intensity"])}
        if (batch["emotion"] >= 0).any():
            parts["emotion"] = self.emotion_weight * F.cross_entropy(logits, batch["emotion"], ignore_index=-1)
        if self.reads_truth:
            wanted = self.components(batch["normalized"])
            parts["components"] = self.truth_weight * F.mse_loss(self.read_components(features).float(), wanted)
        if self.draw is not None:
            three = embedding[own:].unflatten(0, (-1, 3))
            parts["triplets"] = self.triplet_weight * triplet_loss(three, margins.to(three.device))
        return parts

    def validation_step(self, batch: FaceSample, batch_idx: int) -> None:
        """Collect readings of people that were not trained on."""
        reading, logits = self.network(batch["original"])
        unknown = batch["emotion"] < 0
        # A table without emotions has no logits to choose from.
        chosen = logits.argmax(1) if logits.shape[1] else batch["emotion"]
        right = (chosen == batch["emotion"]).float().masked_fill(unknown, torch.nan)
        if self.triplets is not None:
            self.embedded.update(zip(batch["face_id"], reading.embedding, strict=True))
        self.found.append((reading.outputs, batch["au_intensity"] / MAX_INTENSITY, right))

    def on_validation_epoch_end(self) -> None:
        """Log explained share of AU variance, emotion accuracy and triplet accuracy over what is known; else NaN."""
        outputs, wanted, right = (torch.cat(parts) for parts in zip(*self.found, strict=True))
        self.found.clear()
        known = ~torch.isnan(wanted)
        wanted = torch.nan_to_num(wanted)
        mean = (wanted * known).sum(0) / known.sum(0).clamp_min(1)
        total = ((wanted - mean).square() * known).sum().clamp_min(1e-9)
        explained = torch.where(known.any(), 1 - ((outputs - wanted).square() * known).sum() / total, torch.nan)
        self.log_dict({"val/au_r2": explained, "val/emotion_accuracy": right.nanmean()}, prog_bar=True)
        if self.triplets is not None:
            triplets = [faces for faces in self.compared["val"].faces if all(name in self.embedded for name in faces)]
            rows = [torch.stack([self.embedded[name] for name in faces]) for faces in triplets]
            self.embedded.clear()
            self.log("val/triplet_accuracy", agreement(torch.stack(rows)) if rows else torch.nan, prog_bar=True)
