"""Noisy top-k routing: which few of many experts look at an input, and the losses that keep all of them in use."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Routing(NamedTuple):
    """Gates of a batch and how evenly they use the experts.

    Attributes:
        gates: float32 ``(T, G, m)``, G gates per input; exactly k of m are non-zero and they sum to 1.
        importance: float32 ``(G, m)``, sum of each expert's gates over the batch (Shazeer eq. 6).
        load: float32 ``(G, m)``, smooth number of inputs each expert gets (Shazeer eq. 10); in evaluation the count.
    """

    gates: Tensor
    importance: Tensor
    load: Tensor

    @classmethod
    def of_none(cls, x: Tensor, *, gates: int) -> Routing:
        """Gates where there are no experts to choose from: ``(T, G, 0)``."""
        nobody = x.new_zeros(gates, 0, dtype=torch.float32)
        return cls(nobody.expand(len(x), -1, -1), nobody, nobody)

    def balance_loss(self, counted: Tensor | None = None) -> Tensor:
        """``CV^2(importance) + CV^2(load)``, mean over the gates; scalar, 0 when all are used alike or there are none.

        Args:
            counted: bool ``(G,)``, which gates count; None: all.
        """
        if self.importance.shape[-1] == 0:
            return self.importance.sum()
        loss = squared_variation(self.importance) + squared_variation(self.load)
        if counted is None:
            return loss.mean()
        return torch.where(counted, loss, 0.0).sum() / counted.sum()  # no selection: shapes must not depend on values


def squared_variation(values: Tensor) -> Tensor:
    """Squared coefficient of variation, population variance / mean^2, along the last dimension."""
    mean = values.mean(-1)
    return values.var(-1, correction=0) / (mean.square() + 1e-10)


class NoisyTopKRouter(nn.Module):
    """Sparse gates (Shazeer et al. 2017, "Outrageously large neural networks", eq. 3-5; load: appendix A).

    ``noisy = x W_g + N(0, 1) * (softplus(x W_n) + epsilon)``, noise in training only; the k largest share a softmax,
    all others are exactly 0. The load's thresholds are the raw noisy logits. Computed in float32 even under
    autocast: with bfloat16, near ties would be decided by rounding.

    `W_n` starts at zero, so the noise starts with a spread of about 0.7; `W_g` starts so small that the logits of
    inputs of unit scale spread by 0.1 only. So at first the noise chooses, every expert gets its share and a gradient,
    yet without noise different inputs still go to different experts (zero weights would send all to the first k).

    Args:
        inputs: Length of an input, which should be of unit scale (after a LayerNorm).
        experts: m.
        top_k: k, at least 1 and at most m.
        gates: G, independent gates over the same experts, for instance one per label.
    """

    epsilon = 1e-2

    def __init__(self, inputs: int, *, experts: int, top_k: int, gates: int = 1) -> None:
        super().__init__()
        if not 1 <= top_k <= experts:
            raise ValueError(f"top_k must be between 1 and the number of experts ({experts}), found {top_k}")
        self.experts, self.top_k, self.gates = experts, top_k, gates
        self.gate_weight = nn.Parameter(torch.randn(gates, inputs, experts) * 0.1 / math.sqrt(inputs))
        self.noise_weight = nn.Parameter(torch.zeros(gates, inputs, experts))

    def forward(self, x: Tensor) -> Routing:
        """Inputs ``(T, inputs)`` to their gates."""
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            clean = torch.einsum("td,gdm->tgm", x, self.gate_weight.float())
            if not self.training:
                gates = _sparse_softmax(clean, self.top_k)
                return Routing(gates, gates.sum(0), (gates > 0).float().sum(0))
            sigma = functional.softplus(torch.einsum("td,gdm->tgm", x, self.noise_weight.float())) + self.epsilon
            noisy = clean + torch.randn_like(clean) * sigma
            gates = _sparse_softmax(noisy, self.top_k)
            return Routing(gates, gates.sum(0), chosen_probability(clean, noisy, sigma, self.top_k).sum(0))


def _sparse_softmax(logits: Tensor, top_k: int) -> Tensor:
    """Softmax among the k largest of the last dimension, 0 elsewhere."""
    values, index = logits.topk(top_k, dim=-1)
    return torch.zeros_like(logits).scatter(-1, index, values.softmax(-1))


def chosen_probability(clean: Tensor, noisy: Tensor, sigma: Tensor, top_k: int) -> Tensor:
    """Probability that each expert is among the k chosen if only its own noise is drawn anew (Shazeer eq. 8-9).

    The threshold is the k-th largest noisy logit of the *other* experts: the (k+1)-th of all for a chosen expert, the
    k-th for the rest.

    Args:
        clean, noisy, sigma: Logits without and with noise and the noise's spread, all ``(..., m)``.
        top_k: k.

    Returns:
        Same shape, in [0, 1]; differentiable in `clean` and `sigma`.
    """
    if top_k == clean.shape[-1]:
        return torch.ones_like(clean)
    ordered = noisy.topk(top_k + 1, dim=-1).values
    last_in, first_out = ordered[..., top_k - 1 : top_k], ordered[..., top_k : top_k + 1]
    threshold = torch.where(noisy > first_out, first_out, last_in)
    probability: Tensor = torch.special.ndtr((clean - threshold) / sigma)
    return probability
