"""Expression consistency: the output shall show the original's expression.

    L_exp = mean (1 - <e(output), e(original)>)

with e the unit-norm expression embedding of a frozen teacher, after FreeAvatar's embedding consistency (Qiu et al.
2024). The same reading gives the named outputs, see `norface.normalizer.losses.named_outputs`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from norface.normalizer.losses.named_outputs import named_output_loss
from norface.normalizer.losses.views import random_views
from norface.teachers.base import ExpressionTeacher


class ExpressionConsistencyLoss(nn.Module):
    """Distance between the teacher's readings of output and original.

    Args:
        teacher: Frozen.
        views: Strength of the random views through which the teacher sees the output; 0: it sees it as it is. The
            original is always read as it is: that reading is the goal, and shall not wander.
    """

    def __init__(self, teacher: ExpressionTeacher, *, views: float = 0.0) -> None:
        super().__init__()
        self.teacher, self.views = teacher, views

    def terms(self, output: Tensor, original: Tensor) -> tuple[Tensor, Tensor]:
        """Images ``(B, 3, H, W)`` in [-1, 1]; returns the distances of embeddings and of named outputs, two scalars."""
        with torch.no_grad():
            wanted = self.teacher(original)
        found = self.teacher(random_views(output, self.views))
        embedding: Tensor = (1.0 - (found.embedding.float() * wanted.embedding.float()).sum(1)).mean()
        return embedding, named_output_loss(found.outputs, wanted.outputs, self.teacher.emphasis)

    def forward(self, output: Tensor, original: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1]; returns the sum of both distances, at least 0."""
        embedding, outputs = self.terms(output, original)
        return embedding + outputs
