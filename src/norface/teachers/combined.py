"""Several expression teachers as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from norface.errors import ConfigError
from norface.teachers.base import ExpressionReading, ExpressionTeacher


class CombinedExpression(ExpressionTeacher):
    """Several expression teachers, whose distances add up.

    With shares s_i that sum to 1, the embedding (sqrt(s_1) e_1, sqrt(s_2) e_2, ...) has unit norm and the cosine
    distance sum_i s_i (1 - <e_i, e_i'>); the outputs of teacher i carry s_i of the weight of all outputs.

    Args:
        teachers: At least one.
        shares: How much each counts, relative to the others; None: all alike.

    Raises:
        ConfigError: No teacher, or not one positive share for each.
    """

    def __init__(self, teachers: list[ExpressionTeacher], *, shares: Sequence[float] | None = None) -> None:
        super().__init__()
        shares = [1.0] * len(teachers) if shares is None else list(shares)
        if not teachers or len(shares) != len(teachers) or min(shares) <= 0:
            raise ConfigError(
                expected="at least one expression teacher, and for each a positive share",
                found=f"{len(teachers)} teachers, shares {shares}",
                where="expression_teacher.init_args",
                action="Give as many shares as teachers, or leave the shares out.",
            )
        self.teachers = nn.ModuleList(teachers)
        self.shares = tuple(share / sum(shares) for share in shares)
        self.names = tuple(name for teacher in teachers for name in teacher.names)
        self.emphasis = tuple(
            share * weight / sum(weights)
            for share, weights in zip(self.shares, map(_weights, teachers), strict=True)
            for weight in weights
        )
        self.subjects = tuple(dict.fromkeys(person for teacher in teachers for person in teacher.subjects))
        self.freeze()

    def forward(self, image: Tensor) -> ExpressionReading:
        """Images ``(B, 3, H, W)`` in [-1, 1] to an `ExpressionReading`."""
        readings = [teacher(image) for teacher in self.teachers]
        parts = [share**0.5 * read.embedding for share, read in zip(self.shares, readings, strict=True)]
        return ExpressionReading(torch.cat(parts, dim=1), torch.cat([read.outputs for read in readings], dim=1))


def _weights(teacher: ExpressionTeacher) -> tuple[float, ...]:
    return teacher.emphasis or (1.0,) * len(teacher.names)
