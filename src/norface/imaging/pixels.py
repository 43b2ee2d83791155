"""The type of images at the edges of norface; free of torch, so that drawing and checking start at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""uint8 RGB ``(H, W, 3)``."""
