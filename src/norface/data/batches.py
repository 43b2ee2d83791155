"""Batches as the workers of a loader hand them on."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from norface.imaging.convert import to_tensor
from norface.imaging.pixels import Pixels


def to_batch(pixels: Pixels) -> Tensor:
    """uint8 RGB ``(B, H, W, 3)`` to float32 ``(B, 3, H, W)`` in [-1, 1].

    A worker puts it where the main process sees it, as torch's `default_collate` does: else it would be copied there.
    """
    if get_worker_info() is None:
        return to_tensor(pixels)
    count, height, width, channels = pixels.shape
    shape, single = (count, channels, height, width), torch.finfo(torch.float32).bits // 8
    shared = torch.UntypedStorage._new_shared(single * pixels.size)
    return to_tensor(pixels, out=torch.empty(0).set_(shared).view(shape))
