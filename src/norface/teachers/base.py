"""What every teacher promises: a frozen, differentiable network behind one small base class."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from norface.imaging.alignment import Alignment
from norface.teachers.crop import TemplateCrop


class ExpressionReading(NamedTuple):
    """What an expression teacher says of a batch of faces."""

    embedding: Tensor
    """``(B, D)``, unit norm."""
    outputs: Tensor
    """``(B, K)``: named outputs scaled to 0..1, in the order of the teacher's `names`."""


class Teacher(nn.Module):
    """A frozen network: always in evaluation mode, no parameter trains, but gradients flow through it to the image.

    Takes images ``(B, 3, H, W)`` in [-1, 1] and does its own crop, resize and normalisation.
    """

    subjects: tuple[str, ...] = ()
    """People that it was trained on, as far as known; a normalizer has them from its teachers."""

    def freeze(self) -> None:
        """Stop all training and switch to evaluation mode; subclasses call it last in the constructor."""
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Teacher:
        """Stay in evaluation mode, whatever the trainer asks for: dropout and running statistics must not move."""
        return super().train(False)

    def aligned_as(self, alignment: Alignment) -> None:
        """Say how the images that come are cropped; `Alignment()` until then. Who trains or measures calls it.

        Raises:
            AlignmentError: The teacher makes crops of its own, for which nobody knows where the five points are.
        """
        for module in self.modules():
            if isinstance(module, TemplateCrop):
                module.aligned_as(alignment)


def full_precision(image: Tensor) -> torch.autocast:
    """Within, no operation is cast to 16 bits: eight of them hold no pixel coordinate to a tenth of a pixel."""
    return torch.autocast(image.device.type, enabled=False)


class IdentityTeacher(Teacher):
    """Image to identity embedding."""

    def forward(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1] to unit-norm embeddings ``(B, D)``."""
        raise TypeError(f"{type(self).__name__} defines no forward")


class ExpressionTeacher(Teacher):
    """Image to expression embedding and named outputs."""

    names: tuple[str, ...]
    """Names of the outputs, such as ``AU12``."""

    emphasis: tuple[float, ...] = ()
    """Weight of each output in a comparison of two faces; empty: all count alike."""

    def forward(self, image: Tensor) -> ExpressionReading:
        """Images ``(B, 3, H, W)`` in [-1, 1] to an `ExpressionReading`."""
        raise TypeError(f"{type(self).__name__} defines no forward")


class HeadPoseTeacher(Teacher):
    """Image to head pose."""

    def forward(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1] to yaw, pitch and roll in degrees ``(B, 3)``.

        Signs and zero are the network's own: compare readings of one teacher only.
        """
        raise TypeError(f"{type(self).__name__} defines no forward")
