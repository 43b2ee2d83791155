"""What an image encoder must offer to be a backbone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn

from norface.specs import Described


class Backbone(nn.Module, Described, ABC):
    """Image ``(B, 3, H, W)`` in [-1, 1] to patch embeddings ``(B, dim, H / stride, W / stride)``.

    Attributes:
        dim: Length of an embedding.
        stride: Pixels per side of what one embedding stands for.
        image_size: Side of the only images that it takes; None: any multiple of the stride.
    """

    dim: int
    stride: int
    image_size: int | None = None

    @abstractmethod
    def forward(self, image: Tensor) -> Tensor:
        """Patch embeddings of images."""

    def settle(self) -> None:  # most read no files
        """Forget files that were read for the start: from now on checkpoints hold the weights."""

    def adapted(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:  # most do not depend on the size of images
        """Weights of this network for images of another size, made to fit its own; others are left as they are."""
        return dict(state)

    @abstractmethod
    def depths(self) -> dict[str, int]:
        """For each parameter, by name, how many layers lie between it and the image; 0 = the first layer."""
