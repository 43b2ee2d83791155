"""Angles of the head in degrees: their unit in losses, and the difference of two."""

from __future__ import annotations

from torch import Tensor

UNIT = 10.0
"""Degrees that count as a difference of 1, which brings a loss of head poses to the size of the others."""


def angle_between(found: Tensor, wanted: Tensor) -> Tensor:
    """Difference of angles in degrees, the short way round: in -180..180."""
    return (found - wanted + 180.0) % 360.0 - 180.0
