"""Optimiser and learning rate of the classifier."""

from __future__ import annotations

import math

import torch
from torch import nn

from norface.training import fuses


def adamw(module: nn.Module, *, lr: float, weight_decay: float, precision: str) -> torch.optim.AdamW:
    """AdamW that decays weights only: biases and norms have no reason to be small; `precision` as for `fuses`."""
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        (free if parameter.ndim <= 1 or "bias" in name else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr, fused=fuses(module.parameters(), precision))


def warmup_cosine(optimizer: torch.optim.Optimizer, *, total: int, warmup: float) -> torch.optim.lr_scheduler.LambdaLR:
    """Linear rise over the first `warmup` share of `total` steps, then a cosine to zero."""
    rising = max(1, round(warmup * total))

    def rate(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (step - rising) / max(1, total - rising))))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
