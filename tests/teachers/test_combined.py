from __future__ import annotations

import pytest
import torch
from torch import Tensor

from norface.errors import ConfigError
from norface.normalizer.losses import ExpressionConsistencyLoss
from norface.teachers import CombinedExpression, ExpressionReading, ExpressionTeacher
from toy_world import BarTeacher


class CornerTeacher(ExpressionTeacher):
    """Two outputs of the corners, of which the second counts three times."""

    names = ("left", "right")
    emphasis = (1.0, 3.0)
    subjects = ("eve",)

    def forward(self, image: Tensor) -> ExpressionReading:
        outputs = torch.stack([image[:, 0, 0, 0], image[:, 0, 0, -1]], dim=1)
        return ExpressionReading(torch.nn.functional.normalize(outputs + 2, dim=1), outputs)


def test_distances_add_up_by_their_shares() -> None:
    parts = [BarTeacher(), CornerTeacher()]
    combined = CombinedExpression(parts, shares=[3.0, 1.0])
    output, original = torch.rand(4, 3, 32, 32), torch.rand(4, 3, 32, 32)
    assert combined.names == ("AU12", "left", "right") and combined.subjects == ("eve",)
    assert torch.allclose(combined(output).embedding.norm(dim=1), torch.ones(4), atol=1e-5)
    found = ExpressionConsistencyLoss(combined).terms(output, original)
    single = [ExpressionConsistencyLoss(teacher).terms(output, original) for teacher in parts]
    for kind in (0, 1):
        wanted = 0.75 * float(single[0][kind]) + 0.25 * float(single[1][kind])
        assert float(found[kind]) == pytest.approx(wanted, rel=1e-3, abs=1e-6)


def test_shares_must_fit() -> None:
    for shares in ([1.0], [1.0, 0.0], [1.0, -1.0]):
        with pytest.raises(ConfigError, match="share"):
            CombinedExpression([BarTeacher(), CornerTeacher()], shares=shares)
    with pytest.raises(ConfigError, match="at least one"):
        CombinedExpression([])
