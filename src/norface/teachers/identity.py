"""Train an identity teacher from subject labels."""

from __future__ import annotations

import torch
from torch import Tensor

from norface.backbones import Backbone
from norface.samples import FaceSample
from norface.teachers.margin import AngularMargin
from norface.teachers.networks import EmbeddingNetwork
from norface.teachers.task import TeacherTask


def nearest_neighbour_accuracy(embedding: Tensor, subject: Tensor) -> Tensor:
    """Share of faces whose most similar other face shows the same person.

    The field's identity retrieval with leave-one-out (as in FaceShifter, Li et al. 2020, section 4.1).

    Args:
        embedding: Unit norm ``(N, D)``.
        subject: Labels ``(N,)``.
    """
    similarity = embedding @ embedding.T
    similarity.fill_diagonal_(-2.0)
    return (subject[similarity.argmax(1)] == subject).float().mean()


class IdentityTask(TeacherTask):
    """Embedding network under an additive angular margin; validated by nearest neighbours among unseen people.

    Args:
        encoder: Patch encoder.
        encoder_weights: Checkpoint whose encoder it starts from, such as a masked autoencoder's; None: it starts as its
            own arguments say.
        dim: Size of the embedding.
        dropout: Share of the pooled features dropped in training.
        lr: Peak learning rate.
        weight_decay: Decoupled weight decay.
        seed: Of dropout.
    """

    def __init__(
        self,
        encoder: Backbone,
        *,
        encoder_weights: str | None = None,
        dim: int = 64,
        dropout: float = 0.1,
        lr: float = 3e-3,
        weight_decay: float = 0.02,
        seed: int = 0,
    ) -> None:
        super().__init__(lr=lr, weight_decay=weight_decay, seed=seed)
        self.start(encoder, encoder_weights)
        self.network = EmbeddingNetwork(encoder, dim=dim, dropout=dropout).to(memory_format=torch.channels_last)
        self.dim = dim
        self.margin: AngularMargin | None = None
        self.found: list[tuple[Tensor, Tensor]] = []

    def configure_model(self) -> None:
        """Make one class centre per training subject, once the data is known."""
        if self.margin is None:
            self.margin = AngularMargin(dim=self.dim, subjects=len(self.faces.subjects))

    def loss(self, batch: FaceSample) -> dict[str, Tensor]:
        """Angular margin loss of a batch."""
        assert self.margin is not None
        return {"margin": self.margin(self.network(batch["original"]), batch["subject"])}

    def validation_step(self, batch: FaceSample, batch_idx: int) -> None:
        """Collect embeddings of people that were not trained on."""
        self.found.append((self.network(batch["original"]), batch["subject"]))

    def on_validation_epoch_end(self) -> None:
        """Log the share of unseen faces whose nearest neighbour is the same person."""
        embedding, subject = (torch.cat(parts) for parts in zip(*self.found, strict=True))
        self.found.clear()
        self.log("val/nearest_neighbour", nearest_neighbour_accuracy(embedding, subject), prog_bar=True)
