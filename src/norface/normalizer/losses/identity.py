"""Identity loss: the output shall be the target's person.

    L_id = mean (1 - <z(output), z(target)>),    z = unit-norm identity embedding of a frozen teacher

as in FaceShifter (Li et al. 2020, eq. 6) with the roles of this task: identity comes from the target.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from norface.teachers.base import IdentityTeacher


class IdentityLoss(nn.Module):
    """One minus the cosine similarity of identity embeddings; range 0 (same person) to 2."""

    def __init__(self, teacher: IdentityTeacher) -> None:
        super().__init__()
        self.teacher = teacher

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1]; returns a scalar."""
        with torch.no_grad():
            wanted = self.teacher(target)
        loss: Tensor = (1.0 - (self.teacher(output).float() * wanted.float()).sum(1)).mean()
        return loss
