"""The true normalized face as a few numbers: what an encoder can learn to read long before a decoder can draw it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from norface.samples import FaceSample

COMPONENTS = 96
"""Principal components kept; of the built-in faces they hold 99.7 % of the variance."""

MEASURED_FACES = 2048
"""True normalized faces from which the components are found."""


class TruthComponents(nn.Module):
    """Coordinates of true normalized faces along their principal components.

    True normalized faces differ in expression alone, so their components describe it densely, in units of what can be
    seen. A step of reading them costs an encoder a fifth of what a step of drawing costs the generator of the demo, and
    leaves it with what drawing needs.

        c = V^T (truth - mean) / s,    V = first principal directions, s = root mean square of all coordinates

    V by randomised SVD (Halko, Martinsson and Tropp 2011, algorithm 5.1).

    Args:
        size: Side of the images in pixels.
    """

    mean: Tensor
    basis: Tensor
    scale: Tensor

    def __init__(self, *, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(3 * size * size))
        self.register_buffer("basis", torch.zeros(3 * size * size, COMPONENTS))
        self.register_buffer("scale", torch.ones(()))

    def measure(self, truths: Tensor) -> None:
        """Find the components of ``(N, 3, size, size)`` in [-1, 1]; with few faces the last components stay 0."""
        flat = truths.flatten(1).float()
        self.mean.copy_(flat.mean(0))
        kept = min(COMPONENTS, len(flat) - 1)
        if kept < 1:
            return
        with torch.random.fork_rng(devices=[]):  # the method is randomised; the run's own numbers stay as they are
            torch.manual_seed(0)
            basis = torch.pca_lowrank(flat, q=kept, center=True)[2]
        self.basis.zero_()
        self.basis[:, :kept] = basis
        self.scale.copy_(((flat - self.mean) @ self.basis).square().mean().sqrt().clamp_min(1e-6))

    def forward(self, truths: Tensor) -> Tensor:
        """Coordinates ``(B, COMPONENTS)`` of ``(B, 3, size, size)``; one common scale, mean square 1 over faces."""
        coordinates: Tensor = (truths.flatten(1).float() - self.mean) @ self.basis / self.scale
        return coordinates


def first_truths(batches: Iterable[FaceSample], count: int = MEASURED_FACES) -> Tensor:
    """About `count` true normalized faces ``(N, 3, H, W)`` from the first batches."""
    truths: list[Tensor] = []
    for batch in batches:
        truths.append(batch["normalized"])
        if sum(map(len, truths)) >= count:
            break
    return torch.cat(truths)
