"""The one place where pixels become tensors and tensors become pixels.

Inside norface an image is a float32 tensor ``(3, H, W)`` or ``(B, 3, H, W)``, RGB, in [-1, 1]; at the edges (files,
pictures, caches) it is uint8 RGB ``(H, W, 3)``.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from norface.imaging.pixels import Pixels


def to_tensor(pixels: Pixels, device: torch.device | None = None) -> Tensor:
    """uint8 RGB ``(..., H, W, 3)`` in 0..255 to float32 ``(..., 3, H, W)`` in [-1, 1], on `device` (None: CPU)."""
    tensor = torch.from_numpy(np.ascontiguousarray(np.moveaxis(pixels, -1, -3)))
    return tensor.to(device).to(torch.float32).div_(127.5).sub_(1.0)  # bytes travel faster than floats


def to_pixels(image: Tensor) -> Pixels:
    """Float ``(..., 3, H, W)`` in [-1, 1] to uint8 RGB ``(..., H, W, 3)``; values outside are clipped."""
    scaled = image.detach().float().add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(scaled.movedim(-3, -1).cpu().numpy())
