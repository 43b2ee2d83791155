"""Identity, expression and head-pose networks that train in minutes on labelled faces."""

from __future__ import annotations

import warnings

import torch.nn.functional as F
from torch import Tensor, nn

from norface.backbones import Backbone, Standardize
from norface.errors import ConfigError
from norface.labels import POSE_COLUMNS
from norface.specs import Described
from norface.teachers.angles import UNIT
from norface.teachers.base import ExpressionReading


class EmbeddingNetwork(nn.Module, Described):
    """Encoder, pooled grid and projection to a unit-norm embedding.

    Args:
        encoder: Patch encoder.
        dim: Size of the embedding.
        dropout: Share of the pooled features dropped in training.
        pool: Patch embeddings are pooled to a grid of `pool` x `pool`. 4 keeps brows and mouth apart, enough to tell
            people apart; expressions are differences of a few pixels, see `EXPRESSION_POOL`.
    """

    def __init__(self, encoder: Backbone, *, dim: int = 64, dropout: float = 0.1, pool: int = 4) -> None:
        super().__init__()
        self.encoder, self.dim, self.pool = encoder, dim, pool
        self.standardize = Standardize(self.width)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(self.width, dim)

    @property
    def width(self) -> int:
        """Number of features that `features` gives."""
        return self.encoder.dim * self.pool**2

    def pooled(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1] to the pooled grid ``(B, width)``."""
        return F.adaptive_avg_pool2d(self.encoder(image), self.pool).flatten(1)

    def features(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1] to the standardised pooled grid ``(B, width)``."""
        standardised: Tensor = self.dropout(self.standardize(self.pooled(image)))
        return standardised

    def embedding(self, features: Tensor) -> Tensor:
        """Features ``(B, width)`` to unit-norm embeddings ``(B, dim)``."""
        return F.normalize(self.project(features), dim=1)

    def forward(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1] to unit-norm embeddings ``(B, dim)``."""
        return self.embedding(self.features(image))


class DeviationNetwork(EmbeddingNetwork):
    """An embedding of what is left of a face when its identity is subtracted.

        features = pooled(encoder(image)) - pooled(identity(image))

    The deviation of DLN (Zhang et al. 2021, "Learning a Facial Expression Embedding Disentangled from Identity"): a
    frozen identity network and an encoder of the same shape, which there starts from the same weights. DLN's polynomial
    projection and its crowd layer against noise of annotators are left out.

    Args:
        encoder: Patch encoder.
        identity: Encoder of an identity network, as long in `dim`; it is frozen, and travels in the checkpoint.
        dim: Size of the embedding.
        dropout: Share of the pooled features dropped in training.
        pool: As of `EmbeddingNetwork`.

    Raises:
        ConfigError: The two encoders differ in `dim`.
    """

    def __init__(
        self, encoder: Backbone, identity: Backbone, *, dim: int = 64, dropout: float = 0.1, pool: int = 4
    ) -> None:
        super().__init__(encoder, dim=dim, dropout=dropout, pool=pool)
        if identity.dim != encoder.dim:
            raise ConfigError(
                expected=f"an identity teacher whose encoder has as many features as this one, {encoder.dim}",
                found=f"{identity.dim}",
                where="model.init_args.identity_teacher",
                action="Train the identity teacher with the same encoder as the expression teacher.",
            )
        self.identity = identity.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> DeviationNetwork:
        """Identity stays in evaluation mode: no statistics of it may move."""
        super().train(mode)
        self.identity.eval()
        return self

    def pooled(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1] to the difference of both pooled grids ``(B, width)``."""
        return super().pooled(image) - F.adaptive_avg_pool2d(self.identity(image), self.pool).flatten(1)


class ExpressionNetwork(nn.Module, Described):
    """An embedding from which emotions and action units are read linearly.

    Args:
        embed: Image to unit-norm embedding.
        emotions: Names of the emotion classes.
        aus: Action units, by number.
    """

    def __init__(self, embed: EmbeddingNetwork, *, emotions: tuple[str, ...], aus: tuple[int, ...]) -> None:
        super().__init__()
        self.embed = embed
        self.emotions, self.aus = tuple(emotions), tuple(aus)
        with warnings.catch_warnings():  # a table may know no emotions, or no action units: then there is no read-out
            warnings.filterwarnings("ignore", message="Initializing zero-element tensors")
            self.emotion_logits = nn.Linear(embed.dim, len(self.emotions))
            self.au_intensity = nn.Linear(embed.dim, len(self.aus))

    def forward(self, image: Tensor) -> tuple[ExpressionReading, Tensor]:
        """Images ``(B, 3, H, W)``; returns the reading (outputs = intensities / 5) and emotion logits ``(B, C)``."""
        return self.read(self.embed.features(image))

    def read(self, features: Tensor) -> tuple[ExpressionReading, Tensor]:
        """As `forward`, from features that are there already."""
        embedding = self.embed.embedding(features)
        # A unit vector is short for a linear read-out of 0..1 targets: let the logits use a natural scale.
        scaled = embedding * self.embed.dim**0.5
        return ExpressionReading(embedding, self.au_intensity(scaled)), self.emotion_logits(scaled)


class HeadPoseNetwork(nn.Module, Described):
    """An embedding from which yaw, pitch and roll are read linearly.

    It starts as a constant 0, so that an angle nobody taught it stays 0 and has no gradient.

    Args:
        embed: Image to unit-norm embedding.
    """

    def __init__(self, embed: EmbeddingNetwork) -> None:
        super().__init__()
        self.embed = embed
        self.angles = nn.Linear(embed.dim, len(POSE_COLUMNS))
        nn.init.zeros_(self.angles.weight)
        nn.init.zeros_(self.angles.bias)

    def forward(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1] to yaw, pitch and roll in degrees ``(B, 3)``."""
        angles: Tensor = UNIT * self.angles(self.embed(image) * self.embed.dim**0.5)  # scaled as for expressions
        return angles
