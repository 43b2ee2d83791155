"""Linear read-outs of what a teacher says, and how good they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Readings(NamedTuple):
    """What a teacher says of a set of faces."""

    features: Tensor
    """``(N, D)``: everything."""
    outputs: Tensor
    """``(N, K)``: the named outputs."""


def fit_read_out(features: Tensor, wanted: Tensor, *, ridge: float = 0.01) -> Callable[[Tensor], Tensor]:
    """Ridge regression, each column on the rows where it is known.

        min_w mean (y - x w - b)^2 + ridge |w|^2,    x standardised over the rows

    Args:
        features: ``(N, D)``.
        wanted: ``(N, K)``, NaN = unknown.
        ridge: Strength of the penalty.

    Returns:
        Function from features ``(M, D)`` to ``(M, K)``; NaN in columns with fewer than two known rows.
    """
    features, wanted = features.double(), wanted.double()
    mean, spread = features.mean(0), features.std(0).clamp_min(1e-6)
    x = (features - mean) / spread
    weight = torch.full((x.shape[1], wanted.shape[1]), torch.nan, dtype=x.dtype)
    bias = torch.full((wanted.shape[1],), torch.nan, dtype=x.dtype)
    for column in range(wanted.shape[1]):
        known = ~torch.isnan(wanted[:, column])
        if int(known.sum()) < 2:
            continue
        some, y = x[known], wanted[known, column]
        centred = some - some.mean(0)
        gram = centred.T @ centred / len(y) + ridge * torch.eye(x.shape[1], dtype=x.dtype)
        weight[:, column] = torch.linalg.solve(gram, centred.T @ (y - y.mean()) / len(y))
        bias[column] = y.mean() - some.mean(0) @ weight[:, column]
    return lambda asked: (asked.double() - mean) / spread @ weight + bias


def explained(read: Tensor, wanted: Tensor) -> float:
    """R² over all columns together, ``(N, K)`` each; NaN entries of either are left out, NaN without any."""
    known = ~torch.isnan(wanted) & ~torch.isnan(read)
    centre = torch.where(known, wanted, torch.nan).nanmean(0)
    total = torch.where(known, wanted - centre, 0.0).square().sum()
    error = torch.where(known, wanted - read, 0.0).square().sum()
    return float(1 - error / total) if total > 0 else float("nan")


def correlation(read: Tensor, wanted: Tensor) -> float:
    """Mean over columns ``(N, K)`` of Pearson's correlation; columns where either is constant are left out."""
    found = []
    for a, b in zip(read.double().T, wanted.double().T, strict=True):
        both = torch.stack([a, b])[:, ~torch.isnan(a) & ~torch.isnan(b)]
        if both.shape[1] > 1 and float(both.std(1).min()) > 1e-9:
            found.append(float(torch.corrcoef(both)[0, 1]))
    return sum(found) / len(found) if found else float("nan")
