"""Can the person still be told from the normalized face?"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def trained_accuracy(images: Tensor, subject: Tensor, *, side: int = 32, ridge: float = 30.0) -> float:
    """Accuracy of an attacker that was shown half of each person's faces and names the person of the other half.

    Ridge regression from pixels to one-hot subjects, both halves in turn. Harder to fool than retrieval: it learns any
    trace that is constant within a person, such as a resting brow that the normalizer mistook for expression.

    Args:
        images: ``(N, 3, S, S)`` in [-1, 1].
        subject: Labels ``(N,)``.
        side: Images are reduced to this size first.
        ridge: Strength of the penalty, for pixels standardised over the shown half.
    """
    small = F.interpolate(images, size=(side, side), mode="area").flatten(1).double()
    _, label = subject.unique(return_inverse=True)
    wanted = F.one_hot(label).double()
    # Within each person every second face, in the table's order, belongs to the shown half.
    order = torch.stack([(label[:i] == label[i]).sum() for i in range(len(label))])
    right = 0.0
    for shown in (order % 2 == 0, order % 2 == 1):
        mean, spread = small[shown].mean(0), small[shown].std(0).clamp_min(1e-3)
        known, asked = (small[shown] - mean) / spread, (small[~shown] - mean) / spread
        gram = known @ known.T / known.shape[1]  # dual form: far fewer faces than pixels
        gram += ridge / known.shape[1] * torch.eye(len(gram), dtype=gram.dtype)
        answer = asked @ known.T / known.shape[1] @ torch.linalg.solve(gram, wanted[shown] - wanted[shown].mean(0))
        right += float((answer.argmax(1) == label[~shown]).sum())
    return right / len(label)
