"""Mixup: training on weighted sums of two faces and their labels."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Mixed(NamedTuple):
    """A batch of sums.

    Attributes:
        original, normalized: Images, ``share`` of the own and the rest of the partner's.
        partner: int64 ``(B,)``, whose image was added.
        share: In [0.5, 1].
    """

    original: Tensor
    normalized: Tensor
    partner: Tensor
    share: float


def mixed(original: Tensor, normalized: Tensor, *, alpha: float) -> Mixed:
    """Add another face of the batch to each (Zhang et al. 2018, "mixup: Beyond empirical risk minimization").

    One share for the batch, from Beta(alpha, alpha); its larger side goes to the face itself, which changes nothing
    but who is whose partner. Both streams are mixed alike, so they still show the same two people. The loss of a sum is
    the same sum of the losses for either label: labels may be unknown, and no loss needs to know of it.

    Args:
        original, normalized: ``(B, 3, H, W)``.
        alpha: Above 0; small values leave most faces nearly as they are.
    """
    drawn = float(torch.distributions.Beta(alpha, alpha).sample())
    share = max(drawn, 1.0 - drawn)
    partner = torch.randperm(len(original)).to(original.device)
    sums = [share * images + (1.0 - share) * images[partner] for images in (original, normalized)]
    return Mixed(sums[0], sums[1], partner, share)
