"""The one place where pixels become tensors and tensors become pixels.

Inside norface an image is a float32 tensor ``(3, H, W)`` or ``(B, 3, H, W)``, RGB, in [-1, 1]; at the edges (files,
pictures, caches) it is uint8 RGB ``(H, W, 3)``.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from norface.imaging.pixels import Pixels


def to_tensor(pixels: Pixels, device: torch.device | None = None, *, out: Tensor | None = None) -> Tensor:
    """uint8 RGB ``(..., H, W, 3)`` in 0..255 to float32 ``(..., 3, H, W)`` in [-1, 1].

    Args:
        pixels: The image or images.
        device: Where they are wanted; None: on the CPU.
        out: Where on the CPU to put them; None: new memory.
    """
    # What torch can look at: no reversed, no read-only views.
    planes = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).movedim(-1, -3)
    if device is not None and device.type != "cpu":
        return planes.contiguous().to(device).to(torch.float32).div_(127.5).sub_(1.0)  # bytes travel faster than floats
    if out is None:
        # numpy asks for huge pages, torch does not: mapping small ones would take longer than converting a batch.
        out = torch.from_numpy(np.empty(tuple(planes.shape), np.float32))
    return out.copy_(planes).div_(127.5).sub_(1.0)


def to_pixels(image: Tensor) -> Pixels:
    """Float ``(..., 3, H, W)`` in [-1, 1] to uint8 RGB ``(..., H, W, 3)``; values outside are clipped."""
    scaled = image.detach().float().add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(scaled.movedim(-3, -1).cpu().numpy())
