"""What all training runs of norface share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from norface.errors import TrainingError


def decay_groups(parameters: Iterable[nn.Parameter], weight_decay: float) -> list[dict[str, object]]:
    """Parameter groups for an optimiser: matrices and kernels decay; biases and norms have no reason to be small."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def require_finite(parts: Mapping[str, Tensor], *, where: str) -> None:
    """Stop before a step that would destroy the weights.

    Args:
        parts: Loss terms by name, scalars.
        where: Run, epoch and batch.

    Raises:
        TrainingError: One is not finite; all are named with their values.
    """
    if not all(bool(torch.isfinite(value)) for value in parts.values()):
        raise TrainingError(
            expected="finite losses",
            found=", ".join(f"{name} = {value.item():g}" for name, value in parts.items()),
            where=where,
            action="Lower model.init_args.lr, or look for broken images and labels with `norface data check`.",
        )


def seed_step(seed: int, epoch: int, batch: int, *, rank: int = 0) -> None:
    """Draw dropout and noise of a step from where it stands, so that a resumed run equals an uninterrupted one.

    Not once per epoch: making a loader's iterator draws too, and a resumed run makes it at another moment.
    """
    torch.manual_seed((((seed * 100_003 + epoch) * 1_000_003 + batch) * 1_009 + rank) % 2**63)
