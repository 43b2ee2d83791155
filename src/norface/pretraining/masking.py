"""Which patches an encoder may see."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Mask(NamedTuple):
    """A random choice of patches, another for each image.

    Attributes:
        visible: int64 ``(B, V)``: the patches that can be seen, in random order.
        masked: bool ``(B, N)``: the others.
    """

    visible: Tensor
    masked: Tensor


def masked_count(patches: int, ratio: float) -> int:
    """How many of so many patches are masked; at least one is, and at least one is not."""
    return min(max(round(ratio * patches), 1), patches - 1)


def random_mask(
    images: int, patches: int, ratio: float, *, device: torch.device, generator: torch.Generator | None = None
) -> Mask:
    """Hide exactly the same number of patches of each image, all choices alike (He et al. 2022, section 3).

    Args:
        images, patches: B and N.
        ratio: Share of the patches to hide.
        device: Of the result. The draw is made on the CPU, so that it does not depend on the device.
        generator: Of the draw; None: the global one.
    """
    order = torch.rand(images, patches, generator=generator).argsort(dim=1)
    visible = order[:, : patches - masked_count(patches, ratio)]
    masked = torch.ones(images, patches, dtype=torch.bool).scatter_(1, visible, False)
    return Mask(visible.to(device), masked.to(device))
