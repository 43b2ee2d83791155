"""Expression consistency: the output shall show the original's expression.

    L_exp = mean (1 - <e(output), e(original)>)

with e the unit-norm expression embedding of a frozen teacher, after FreeAvatar's embedding consistency (Qiu et al.
2024). The same reading gives the named outputs, see `norface.normalizer.losses.named_outputs`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from norface.normalizer.losses.named_outputs import named_output_loss
from norface.teachers.base import ExpressionTeacher


class ExpressionConsistencyLoss(nn.Module):
    """Distance between the teacher's readings of output and original.

    Args:
        teacher: Frozen.
    """

    def __init__(self, teacher: ExpressionTeacher) -> None:
        super().__init__()
        self.teacher = teacher

    def terms(self, output: Tensor, original: Tensor) -> tuple[Tensor, Tensor]:
        """Images ``(B, 3, H, W)`` in [-1, 1]; returns the distances of embeddings and of named outputs, two scalars."""
        with torch.no_grad():
            wanted = self.teacher(original)
        found = self.teacher(output)
        embedding: Tensor = (1.0 - (found.embedding.float() * wanted.embedding.float()).sum(1)).mean()
        return embedding, named_output_loss(found.outputs, wanted.outputs, self.teacher.emphasis)

    def forward(self, output: Tensor, original: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1]; returns the sum of both distances, at least 0."""
        embedding, outputs = self.terms(output, original)
        return embedding + outputs
