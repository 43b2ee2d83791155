"""What an image encoder must offer to be a backbone."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from norface.specs import Described


class Backbone(nn.Module, Described, ABC):
    """Image ``(B, 3, H, W)`` in [-1, 1] to patch embeddings ``(B, dim, H / stride, W / stride)``.

    Attributes:
        dim: Length of an embedding.
        stride: Pixels per side of what one embedding stands for.
    """

    dim: int
    stride: int

    @abstractmethod
    def forward(self, image: Tensor) -> Tensor:
        """Patch embeddings of images."""

    def settle(self) -> None:  # most read no files
        """Forget files that were read for the start: from now on checkpoints hold the weights."""

    @abstractmethod
    def depths(self) -> dict[str, int]:
        """For each parameter, by name, how many layers lie between it and the image; 0 = the first layer."""
