"""Additive angular margin softmax (ArcFace, Deng et al. 2019, eq. 3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AngularMargin(nn.Module):
    """Cross-entropy over subjects in which the right one must win by an angle.

        L = -log softmax(scale * cos(theta_j + margin * [j is the subject]))

    Args:
        dim: Size of the embeddings.
        subjects: Number of training subjects.
        scale: Length that unit vectors are stretched to.
        margin: Angle in radians.
    """

    def __init__(self, *, dim: int, subjects: int, scale: float = 16.0, margin: float = 0.2) -> None:
        super().__init__()
        self.scale, self.margin = scale, margin
        self.centres = nn.Parameter(torch.randn(subjects, dim))

    def forward(self, embedding: Tensor, subject: Tensor) -> Tensor:
        """Unit-norm embeddings ``(B, dim)``, int64 subject indices ``(B,)``; returns a scalar."""
        cosine = (embedding.float() @ F.normalize(self.centres, dim=1).T).clamp(-1 + 1e-6, 1 - 1e-6)  # (B, subjects)
        right = F.one_hot(subject, cosine.shape[1]).bool()
        # Past pi - margin the cosine of the sum rises again and would reward a worse angle; cosine - 1 is monotone.
        angle = torch.arccos(cosine)
        harder = torch.where(angle + self.margin < torch.pi, torch.cos(angle + self.margin), cosine - 1.0)
        return F.cross_entropy(self.scale * torch.where(right, harder, cosine), subject)
