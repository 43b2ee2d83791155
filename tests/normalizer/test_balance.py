from __future__ import annotations

import pytest
import torch

from norface.normalizer.balance import gradient_shares


def test_shares_are_those_of_the_gradients_at_the_output() -> None:
    weights = torch.randn(5, requires_grad=True)
    output = (weights * 2).view(1, 5)
    wanted = torch.randn(1, 5)
    parts = {
        "square": 3 * (output - wanted).square().mean(),
        "linear": 0.5 * output.sum(),
        "encoder": weights.abs().sum(),  # does not act through the output
        "constant": torch.tensor(7.0),
    }
    shares = gradient_shares(parts, output, scale=1024.0)
    square = (3 * 2 * (output - wanted) / 5).detach().norm()
    linear = torch.full((5,), 0.5).norm()
    assert shares.keys() == {"square", "linear"}
    assert float(shares["square"]) == pytest.approx(float(square / (square + linear)), rel=1e-5)
    assert float(sum(shares.values())) == pytest.approx(1.0)
    assert weights.grad is None
    torch.stack([*parts.values()]).sum().backward()  # the graphs are still there
    assert weights.grad is not None


def test_terms_that_do_not_pull_have_no_share() -> None:
    output = torch.zeros(2, 3, requires_grad=True)
    shares = gradient_shares({"a": output.square().sum(), "b": (0 * output).sum()}, output)
    assert [float(share) for share in shares.values()] == [0.0, 0.0]
    assert gradient_shares({"a": torch.tensor(1.0)}, output) == {}
