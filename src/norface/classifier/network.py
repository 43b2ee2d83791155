"""The expression classifier: two streams, input experts, output experts with one gate per label, linear heads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from norface.backbones import Backbone
from norface.classifier.experts import DenseBlock, ExpertsByTask, MixtureOfExperts, MultiGateExperts
from norface.classifier.streams import FaceStreams, Streams
from norface.specs import Described


class Classified(NamedTuple):
    """What the classifier says of a batch.

    Attributes:
        logits: ``(B, L)``, one per label.
        input_gates: ``(B, S, m)``, which experts read which stream; m is 0 without input experts.
        output_gates: ``(B, L, m)``, which experts serve which label; m is 0 without output experts.
        balance: Scalar balance loss of the mixtures.
    """

    logits: Tensor
    input_gates: Tensor
    output_gates: Tensor
    balance: Tensor


class ExpressionClassifier(nn.Module, Described):
    """Mixture-of-experts classifier of original and normalized face (structure after Norface, Liu et al. 2024).

    The paper's abstract names experts on the input and on the output side; their inner structure is this project's own
    reading. Input experts: each stream's feature vector is routed by itself, with a residual path, so a face may use
    some experts for its original and others for its normalized image. Output experts: MMoE over both streams together.

    Args:
        backbone: Image encoder.
        labels: L, number of emotions or action units; a list of such numbers for several tasks, each of which then has
            an output mixture and a head of its own. L is their sum.
        streams: Both, or one alone for ablations.
        shared_backbone: Whether one encoder reads both streams.
        features: Length of feature vectors and of labels' representations.
        hidden: Hidden units of one expert.
        grid: Cells per side of the pooled embedding grid.
        experts: m, of either mixture.
        top_k: k, of either mixture.
        input_experts, output_experts: Whether there is this mixture; a `DenseBlock` of the same capacity stands in its
            place where not. Without both, the streams are simply concatenated.
        dropout: Of pooled embeddings and of the experts' hidden units.
    """

    taught: Tensor

    def __init__(
        self,
        backbone: Backbone,
        *,
        labels: int | Sequence[int],
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
    ) -> None:
        super().__init__()
        self.streams = FaceStreams(
            backbone, streams=streams, features=features, grid=grid, shared_backbone=shared_backbone, dropout=dropout
        )
        sizes: dict[str, Any] = {"experts": experts, "dropout": dropout}
        self.input_experts: nn.Module = (
            MixtureOfExperts(features, hidden, features, top_k=top_k, **sizes)
            if input_experts
            else DenseBlock(features, hidden, features, **sizes)
        )
        joint = len(self.streams.names) * features
        self.norm = nn.LayerNorm(joint)

        def mixture(count: int) -> nn.Module:
            if output_experts:
                return MultiGateExperts(joint, hidden, features, labels=count, top_k=top_k, **sizes)
            return DenseBlock(joint, hidden, features, labels=count, **sizes)

        self.output_experts = mixture(labels) if isinstance(labels, int) else ExpertsByTask(map(mixture, labels))
        total = labels if isinstance(labels, int) else sum(labels)
        self.head_weight = nn.Parameter(torch.randn(total, features) / math.sqrt(features))
        self.head_bias = nn.Parameter(torch.zeros(total))
        # Labels that training teaches: gates of the others must not pull at the experts. Not part of a checkpoint.
        self.register_buffer("taught", torch.ones(total, dtype=torch.bool), persistent=False)

    def forward(self, original: Tensor, normalized: Tensor) -> Classified:
        """Two images ``(B, 3, H, W)`` in [-1, 1] to logits; a stream that is not used is not looked at."""
        features: Tensor = self.streams(original, normalized)  # (B, S, features)
        batch, count, _ = features.shape
        refined, by_input = self.input_experts(features.flatten(0, 1))  # routes B * S vectors
        features = features + refined.unflatten(0, (batch, count))
        represented, by_output = self.output_experts(self.norm(features.flatten(1)))  # (B, L, features)
        logits = torch.einsum("blf,lf->bl", represented, self.head_weight) + self.head_bias
        return Classified(
            logits=logits,
            input_gates=by_input.gates[:, 0].unflatten(0, (batch, count)),
            output_gates=by_output.gates,
            balance=by_input.balance_loss() + by_output.balance_loss(self.taught),
        )
