from __future__ import annotations

import pytest
import torch

from norface.normalizer import ExpressionR2, face_region


def naive(output: torch.Tensor, truth: torch.Tensor) -> float:
    region = face_region(output.shape[-1])
    error = total = 0.0
    mean = truth.double().mean(0)
    for o, t in zip(output.double(), truth.double(), strict=True):
        error += float(((o - t) ** 2)[:, region].sum())
        total += float(((t - mean) ** 2)[:, region].sum())
    return 1 - error / total


def test_matches_a_loop_over_uneven_batches() -> None:
    torch.manual_seed(0)
    truth = torch.rand(11, 3, 16, 16)
    output = truth + 0.1 * torch.randn_like(truth)
    metric = ExpressionR2(size=16)
    for part in (slice(0, 4), slice(4, 8), slice(8, 11)):
        metric.update(output[part], truth[part])
    assert float(metric.compute()) == pytest.approx(naive(output, truth), abs=1e-6)


def test_truth_scores_one_and_no_constant_face_scores_above_zero() -> None:
    truth = torch.rand(8, 3, 16, 16)
    for output, wanted in ((truth, 1.0), (truth.mean(0, keepdim=True).expand_as(truth), 0.0)):
        metric = ExpressionR2(size=16)
        metric.update(output, truth)
        assert float(metric.compute()) == pytest.approx(wanted, abs=1e-5)


def test_equal_truths_have_no_variance_to_explain() -> None:
    metric = ExpressionR2(size=16)
    metric.update(torch.rand(4, 3, 16, 16), torch.zeros(4, 3, 16, 16))
    assert torch.isnan(metric.compute())
