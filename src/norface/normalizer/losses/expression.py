"""Expression consistency: the output shall show the original's expression.

    L_exp = mean (1 - <e(output), e(original)>) + mean_k (a_k(output) - a_k(original))^2

with e the unit-norm expression embedding of a frozen teacher and a its named outputs (action units, scaled to 0..1).
The first term follows FreeAvatar's embedding consistency (Qiu et al. 2024); the second says the same in the field's own
terms.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from norface.teachers.base import ExpressionTeacher


class ExpressionConsistencyLoss(nn.Module):
    """Distance between the teacher's readings of output and original."""

    def __init__(self, teacher: ExpressionTeacher) -> None:
        super().__init__()
        self.teacher = teacher

    def forward(self, output: Tensor, original: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1]; returns a scalar, at least 0."""
        with torch.no_grad():
            wanted = self.teacher(original)
        found = self.teacher(output)
        embedding: Tensor = (1.0 - (found.embedding.float() * wanted.embedding.float()).sum(1)).mean()
        return embedding + F.mse_loss(found.outputs.float(), wanted.outputs.float())
