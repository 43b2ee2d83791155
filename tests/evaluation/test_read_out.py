from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from norface.evaluation.read_out import correlation, explained, fit_read_out

NAN = math.nan


def test_the_read_out_is_ridge_regression_with_a_free_mean() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(2, 3, (40, 4)), random.normal(1, 1, (40, 2))
    y[:, 0] += x @ [1.0, 0, -0.5, 0]
    found = fit_read_out(torch.tensor(x), torch.tensor(y), ridge=0.1)(torch.tensor(x[:5]))
    z = (x - x.mean(0)) / x.std(0, ddof=1)
    design = np.column_stack([z, np.ones(40)])
    penalty = 0.1 * 40 * np.diag([1, 1, 1, 1, 0])
    weight = np.linalg.solve(design.T @ design + penalty, design.T @ y)
    np.testing.assert_allclose(found.numpy(), design[:5] @ weight, rtol=1e-6)


def test_unknown_labels_are_left_out_of_the_fit() -> None:
    x = torch.randn(50, 3)
    y = torch.stack([x[:, 0], x[:, 1], torch.full((50,), NAN)], dim=1)
    y[10:20, 0] = NAN
    read = fit_read_out(x, y, ridge=1e-6)(x)
    assert torch.allclose(read[:, :2], x[:, :2].double(), atol=1e-3)
    assert read[:, 2].isnan().all()


def test_explained_variance_by_hand() -> None:
    wanted = torch.tensor([[1.0, 0.0], [3.0, NAN], [NAN, 4.0]])
    read = torch.tensor([[1.5, 1.0], [3.0, 9.0], [7.0, 4.0]])
    total, error = (1 + 1) + (4 + 4), 0.25 + 1.0
    assert explained(read, wanted) == pytest.approx(1 - error / total)
    assert explained(wanted, wanted) == 1.0
    assert math.isnan(explained(read, torch.full((3, 2), NAN)))


def test_correlation_is_the_mean_over_columns_that_vary() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(30, 3)), random.normal(size=(30, 3))
    b[:, 2] = 1.0
    wanted = (np.corrcoef(a[:, 0], b[:, 0])[0, 1] + np.corrcoef(a[:, 1], b[:, 1])[0, 1]) / 2
    assert correlation(torch.tensor(a), torch.tensor(b)) == pytest.approx(wanted)
    assert math.isnan(correlation(torch.ones(3, 1), torch.rand(3, 1)))
