"""Mixtures of experts: one for representations on the input side, one shared by all labels on the output side.

Several of the latter side by side where there are several tasks. And the dense block that stands in for either of them
in ablations.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from norface.classifier.routing import NoisyTopKRouter, Routing


class Experts(nn.Module):
    """m independent Linear-GELU-Linear networks with batched weights ``(m, inputs, hidden)``, ``(m, hidden, outputs)``.

    Initialised per expert as `nn.Linear` is. The output is linear: no softmax.

    Args:
        inputs, hidden, outputs: Layer sizes of each expert.
        experts: m.
        dropout: Share of hidden units dropped in training.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, *, experts: int, dropout: float) -> None:
        super().__init__()
        self.weight_in = nn.Parameter(_uniform((experts, inputs, hidden), fan_in=inputs))
        self.bias_in = nn.Parameter(_uniform((experts, 1, hidden), fan_in=inputs))
        self.weight_out = nn.Parameter(_uniform((experts, hidden, outputs), fan_in=hidden))
        self.bias_out = nn.Parameter(_uniform((experts, 1, outputs), fan_in=hidden))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """One batch per expert: ``(m, T, inputs)`` to ``(m, T, outputs)``."""
        hidden = functional.gelu(torch.matmul(x, self.weight_in) + self.bias_in)
        return torch.matmul(self.dropout(hidden), self.weight_out) + self.bias_out


def _uniform(shape: tuple[int, ...], *, fan_in: int) -> Tensor:
    bound = 1.0 / math.sqrt(fan_in)
    return torch.empty(shape).uniform_(-bound, bound)


class MixtureOfExperts(nn.Module):
    """Sparse mixture ``y = sum_i G_i(x) E_i(x)`` (Shazeer et al. 2017, eq. 1); only the k chosen experts are computed.

    Inputs are sorted by expert and padded to the busiest one, so two batched products do all the work: about
    ``T * k`` expert evaluations when the load is balanced, never more than ``T * m``.

    Args:
        inputs: Length of an input, which should be of unit scale.
        hidden: Hidden units of one expert.
        outputs: Length of an output.
        experts: m.
        top_k: k.
        dropout: In the experts' hidden layer.
    """

    def __init__(
        self, inputs: int, hidden: int, outputs: int, *, experts: int, top_k: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.router = NoisyTopKRouter(inputs, experts=experts, top_k=top_k)
        self.experts = Experts(inputs, hidden, outputs, experts=experts, dropout=dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Routing]:
        """Inputs ``(T, inputs)`` to outputs ``(T, outputs)`` and the routing, with gates ``(T, 1, m)``."""
        routing: Routing = self.router(x)
        gates = routing.gates[:, 0]
        # How many inputs an expert gets is known only once they are routed: a compiled or exported graph, whose shapes
        # must not depend on values, computes every expert for every input.
        mixed = self._mix_all(x, gates) if torch.compiler.is_compiling() else self._dispatch(x, gates)
        return mixed, routing

    def _mix_all(self, x: Tensor, gates: Tensor) -> Tensor:
        answers = self.experts(x.expand(self.router.experts, -1, -1))  # (m, T, outputs)
        return torch.einsum("tm,mto->to", gates.to(answers.dtype), answers)

    def _dispatch(self, x: Tensor, gates: Tensor) -> Tensor:
        k, m = self.router.top_k, self.router.experts
        weights, chosen = gates.topk(k, dim=-1)  # (T, k): the non-zero gates and their experts
        expert = chosen.flatten()  # (T * k,)
        order = expert.argsort(stable=True)
        expert = expert[order]
        counts = torch.bincount(expert, minlength=m)
        starts = counts.cumsum(0) - counts
        place = torch.arange(len(expert), device=x.device) - starts[expert]  # position in its expert's own batch
        padded = x.new_zeros(m, int(counts.max()), x.shape[-1])
        padded = padded.index_put((expert, place), x[order // k])  # (m, busiest, inputs)
        answers = self.experts(padded)[expert, place]  # (T * k, outputs), sorted by expert
        answers = answers[order.argsort()].unflatten(0, (-1, k))  # (T, k, outputs)
        mixed: Tensor = (answers * weights.unsqueeze(-1)).sum(1)
        return mixed


class MultiGateExperts(nn.Module):
    """Experts shared by all labels and one sparse gate per label (MMoE, Ma et al. 2018, with top-k gates).

    Every expert is computed once for every input: the labels' choices together need nearly all of them anyway, and the
    cost does not grow with the number of labels.

    Args:
        inputs: Length of an input, which should be of unit scale.
        hidden: Hidden units of one expert.
        outputs: Length of a label's representation.
        labels: L.
        experts: m.
        top_k: k of each label's gate.
        dropout: In the experts' hidden layer.
    """

    def __init__(
        self, inputs: int, hidden: int, outputs: int, *, labels: int, experts: int, top_k: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.router = NoisyTopKRouter(inputs, experts=experts, top_k=top_k, gates=labels)
        self.experts = Experts(inputs, hidden, outputs, experts=experts, dropout=dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Routing]:
        """Inputs ``(B, inputs)`` to one representation per label ``(B, L, outputs)``; gates are ``(B, L, m)``."""
        routing: Routing = self.router(x)
        answers = self.experts(x.expand(self.router.experts, -1, -1))  # (m, B, outputs)
        return torch.einsum("blm,mbo->blo", routing.gates.to(answers.dtype), answers), routing


class ExpertsByTask(nn.Module):
    """One output mixture (or dense block) per task, all reading the same input; labels stand task after task.

    Args:
        mixtures: `MultiGateExperts` or `DenseBlock` with labels, one per task, all with equally many experts.
    """

    def __init__(self, mixtures: Iterable[nn.Module]) -> None:
        super().__init__()
        self.mixtures = nn.ModuleList(mixtures)

    def forward(self, x: Tensor) -> tuple[Tensor, Routing]:
        """Inputs ``(B, inputs)`` to ``(B, L, outputs)`` and gates ``(B, L, m)``, L the labels of all tasks."""
        answers, routings = zip(*(mixture(x) for mixture in self.mixtures), strict=True)
        routing = Routing(
            gates=torch.cat([one.gates for one in routings], 1),
            importance=torch.cat([one.importance for one in routings]),
            load=torch.cat([one.load for one in routings]),
        )
        return torch.cat(answers, 1), routing


class DenseBlock(nn.Module):
    """What a mixture is compared with: one Linear-GELU-Linear network as wide as all m experts together, no gates.

    It has the weights of all experts (only the routers' and the outputs' biases are fewer) and computes all of them for
    every input: as many operations as the output mixture, m / k times those of the input mixture. So the comparison
    shows what routing adds to capacity, and where it is uneven, the dense block has the advantage. All labels share its
    output, as they would share features that are simply concatenated.

    Args:
        inputs: Length of an input, which should be of unit scale.
        hidden: Hidden units of one expert.
        outputs: Length of an output.
        labels: L, how many labels the output is handed to; None: no label has one of its own.
        experts: m.
        dropout: In the hidden layer.
    """

    def __init__(
        self, inputs: int, hidden: int, outputs: int, *, experts: int, labels: int | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.labels = labels
        self.network = Experts(inputs, experts * hidden, outputs, experts=1, dropout=dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Routing]:
        """Inputs ``(T, inputs)`` to ``(T, outputs)``, or ``(T, L, outputs)`` with labels; gates of no expert."""
        answer: Tensor = self.network(x.unsqueeze(0)).squeeze(0)
        if self.labels is None:
            return answer, Routing.of_none(x, gates=1)
        return answer.unsqueeze(1).expand(-1, self.labels, -1), Routing.of_none(x, gates=self.labels)
