"""Exponential moving average of a network's weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class MovingAverage(nn.Module):
    """A copy of a network whose weights follow the original's slowly; used for everything but training.

    Averages the generator alone, without teachers and discriminator (Yazici et al. 2019, "The unusual effectiveness of
    averaging in GAN training").

    Args:
        network: The network to follow.
        decay: Share of the average kept per step in the long run. Early on it is lower, (1 + n) / (10 + n) after n
            steps, so that the first, random weights are soon forgotten.
    """

    steps: Tensor

    def __init__(self, network: nn.Module, *, decay: float = 0.995) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.decay = decay
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def train(self, mode: bool = True) -> MovingAverage:
        """Stay in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move the average a step towards `network`."""
        self.steps += 1
        count = int(self.steps)
        keep = min(self.decay, (1 + count) / (10 + count))
        averages: list[Tensor] = [*self.network.parameters()]
        weights: list[Tensor] = [*network.parameters()]
        torch._foreach_lerp_(averages, weights, 1.0 - keep)
        for average, value in zip(self.network.buffers(), network.buffers(), strict=True):
            average.copy_(value)

    def forward(self, original: Tensor, target: Tensor) -> Tensor:
        """What the averaged network says."""
        out: Tensor = self.network(original, target)
        return out
