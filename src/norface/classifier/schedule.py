"""Optimiser and learning rate of the classifier."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import nn

from norface.backbones import Backbone
from norface.training import fuses


def layer_scales(backbones: Iterable[nn.Module], decay: float) -> dict[nn.Parameter, float]:
    """What the learning rate of each of the backbones' parameters is multiplied with.

    A layer that lies n layers before the last one has ``decay ** (n + 1)``; what is behind the backbone has 1 (Clark et
    al. 2020, "ELECTRA"; Bao et al. 2022, "BEiT").

    Args:
        backbones: `Backbone` each.
        decay: 1 = no difference.
    """
    scales: dict[nn.Parameter, float] = {}
    for backbone in backbones:
        assert isinstance(backbone, Backbone)
        depths = backbone.depths()
        last = max(depths.values())
        scales |= {weight: decay ** (last - depths[name] + 1) for name, weight in backbone.named_parameters()}
    return scales


def adamw(
    module: nn.Module,
    *,
    lr: float,
    weight_decay: float,
    precision: str,
    scales: Mapping[nn.Parameter, float] | None = None,
) -> torch.optim.AdamW:
    """AdamW that decays weights only: biases and norms have no reason to be small.

    Args:
        module: What is trained.
        lr: Learning rate where `scales` says nothing.
        weight_decay: Of weights.
        precision: As for `fuses`.
        scales: See `layer_scales`.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {(1.0, True): [], (1.0, False): []}
    for name, parameter in module.named_parameters():
        free = parameter.ndim <= 1 or "bias" in name
        groups.setdefault(((scales or {}).get(parameter, 1.0), not free), []).append(parameter)
    options = [
        {"params": parameters, "lr": lr * scale, "weight_decay": weight_decay if decays else 0.0}
        for (scale, decays), parameters in groups.items()
    ]
    return torch.optim.AdamW(options, lr=lr, fused=fuses(module.parameters(), precision))


def warmup_cosine(optimizer: torch.optim.Optimizer, *, total: int, warmup: float) -> torch.optim.lr_scheduler.LambdaLR:
    """Linear rise over the first `warmup` share of `total` steps, then a cosine to zero."""
    rising = max(1, round(warmup * total))

    def rate(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (step - rising) / max(1, total - rising))))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
