"""The balance report: which loss terms pull at the generator's output, and how hard."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

MEASURED_EVERY = 50
"""Steps between two measurements, beside the first of every epoch: each costs a backward pass through the losses."""


def gradient_shares(parts: Mapping[str, Tensor], output: Tensor, *, scale: float = 1.0) -> dict[str, Tensor]:
    """Share of each term in the gradient that arrives at the generator's output.

        share_i = |d term_i / d output| / sum over j of |d term_j / d output|

    with Euclidean norms over the whole batch, of the terms with their weights. Behind the output, all terms pass the
    same generator, so this is what decides whom it follows; and it needs no pass through the generator. A term of 0.9
    leaves the others no say; one of 0.001 is paid for and does nothing. Terms that do not act through the output, such
    as labels read from the encoder, have no share.

    Args:
        parts: Weighted terms, scalars; their graphs are kept for the step.
        output: Normalized faces ``(B, 3, H, W)`` that the terms were computed from.
        scale: Factor that keeps small gradients from vanishing in float16, as a gradient scaler has it.

    Returns:
        Scalars in 0..1 that add up to 1, or are all 0 where no term pulls.
    """
    norms: dict[str, Tensor] = {}
    for name, term in parts.items():
        if term.requires_grad:
            (gradient,) = torch.autograd.grad(term * scale, output, retain_graph=True, allow_unused=True)
            if gradient is not None:
                norms[name] = gradient.detach().float().norm()
    if not norms:
        return {}
    whole = torch.stack([*norms.values()]).sum()
    return {name: norm / whole.clamp_min(torch.finfo(torch.float32).tiny) for name, norm in norms.items()}
