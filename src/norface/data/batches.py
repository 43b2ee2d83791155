"""Batches as the workers of a loader hand them on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, get_worker_info

from norface.errors import NorfaceError
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


class FaceLoader(DataLoader[Any]):
    """A loader whose workers pass a `NorfaceError` on as if it were a batch; it is raised here, as it is.

    torch would tell only its text, in a `RuntimeError`: what was expected and where would be lost.
    """

    def __iter__(self) -> Any:
        return _raised(super().__iter__())


def _raised(batches: Iterator[Any]) -> Iterator[Any]:
    for batch in batches:
        if isinstance(batch, NorfaceError):
            raise batch
        yield batch
