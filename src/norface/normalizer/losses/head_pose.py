"""Head pose: the output shall hold its head as the target does.

    L_pose = mean over faces and axes of (d / 10)^2,    d = p(output) - p(target) in degrees, within -180..180

with p the yaw, pitch and roll that a frozen teacher reads. The squared error of Euler angles is the regression term of
HopeNet (Ruiz et al. 2018); the unit of ten degrees brings it to the size of the other terms.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from norface.teachers.angles import UNIT, angle_between
from norface.teachers.base import HeadPoseTeacher


class HeadPoseLoss(nn.Module):
    """Squared difference of head poses; 1 for ten degrees on every axis."""

    def __init__(self, teacher: HeadPoseTeacher) -> None:
        super().__init__()
        self.teacher = teacher

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1]; returns a scalar, at least 0."""
        with torch.no_grad():
            wanted = self.teacher(target)
        return (angle_between(self.teacher(output).float(), wanted.float()) / UNIT).square().mean()
