from __future__ import annotations

from statistics import NormalDist

import pytest
import torch
from torch import Tensor

from norface.classifier.routing import NoisyTopKRouter, Routing, chosen_probability, squared_variation

NORMAL = NormalDist()


def make_router(*, experts: int = 4, top_k: int = 2, gates: int = 3) -> NoisyTopKRouter:
    torch.manual_seed(0)
    return NoisyTopKRouter(8, experts=experts, top_k=top_k, gates=gates)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_gates_sum_to_one_and_have_k_non_zeros(training: bool, top_k: int) -> None:
    routing: Routing = make_router(top_k=top_k).train(training)(torch.randn(50, 8))
    assert routing.gates.shape == (50, 3, 4)
    torch.testing.assert_close(routing.gates.sum(-1), torch.ones(50, 3))
    assert ((routing.gates > 0).sum(-1) == top_k).all()


@pytest.mark.parametrize("top_k", [0, 5])
def test_impossible_top_k_is_refused(top_k: int) -> None:
    with pytest.raises(ValueError, match="between 1 and the number of experts"):
        make_router(top_k=top_k)


def test_noise_in_training_only() -> None:
    router, x = make_router(), torch.randn(20, 8)
    assert not torch.equal(router(x).gates, router(x).gates)
    router.eval()
    assert torch.equal(router(x).gates, router(x).gates)


@pytest.mark.parametrize("training", [True, False])
def test_all_experts_are_used_from_the_start(training: bool) -> None:
    routing: Routing = make_router().train(training)(torch.randn(400, 8))
    share = routing.gates.mean(0)
    assert share.min() > 0.05 and share.max() < 0.5
    assert routing.load.min() > 0.05 * 400


def test_gates_are_float32_under_autocast() -> None:
    router, x = make_router().eval(), torch.randn(30, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = router(x).gates
    assert inside.dtype == torch.float32
    assert torch.equal(inside, router(x).gates)


def loop_reference(clean: Tensor, noisy: Tensor, sigma: Tensor, top_k: int) -> Tensor:
    probability = torch.zeros_like(clean)
    for row in range(clean.shape[0]):
        for expert in range(clean.shape[1]):
            others = [float(noisy[row, j]) for j in range(clean.shape[1]) if j != expert]
            threshold = sorted(others, reverse=True)[top_k - 1]
            probability[row, expert] = NORMAL.cdf(float((clean[row, expert] - threshold) / sigma[row, expert]))
    return probability


@pytest.mark.parametrize("top_k", [1, 2, 3])
def test_chosen_probability_equals_a_loop(top_k: int) -> None:
    torch.manual_seed(1)
    clean, sigma = torch.randn(30, 4), torch.rand(30, 4) + 0.2
    noisy = clean + torch.randn(30, 4) * sigma
    expected = loop_reference(clean, noisy, sigma, top_k)
    torch.testing.assert_close(chosen_probability(clean, noisy, sigma, top_k), expected)


def test_chosen_probability_equals_drawing_the_noise_again() -> None:
    torch.manual_seed(2)
    clean, sigma = torch.randn(6, 4), torch.rand(6, 4) + 0.2
    noisy = clean + torch.randn(6, 4) * sigma
    drawn = torch.zeros(6, 4)
    for expert in range(4):  # only this expert's noise is drawn anew
        again = noisy.expand(20_000, 6, 4).clone()
        again[..., expert] = clean[:, expert] + torch.randn(20_000, 6) * sigma[:, expert]
        drawn[:, expert] = (again.topk(2, dim=-1).indices == expert).any(-1).float().mean(0)
    torch.testing.assert_close(chosen_probability(clean, noisy, sigma, 2), drawn, atol=0.02, rtol=0.0)


def test_with_all_experts_chosen_the_load_is_even() -> None:
    routing: Routing = make_router(top_k=4)(torch.randn(10, 8))
    torch.testing.assert_close(routing.load, torch.full((3, 4), 10.0))


def test_squared_variation_equals_its_definition() -> None:
    values = torch.tensor([1.0, 2.0, 3.0, 6.0])
    assert float(squared_variation(values)) == pytest.approx(3.5 / 9.0)
    assert float(squared_variation(torch.full((4,), 5.0))) == 0.0


def test_the_balance_loss_lowers_imbalance() -> None:
    router, x = make_router(gates=1), torch.randn(200, 8) + 1.0
    with torch.no_grad():
        router.gate_weight[:, :, 0] += 0.5  # nearly everything goes to the first expert
    before = router(x)
    optimizer = torch.optim.Adam(router.parameters(), lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        router(x).balance_loss().backward()
        optimizer.step()
    after = router(x)
    assert squared_variation(before.importance).item() > 0.3
    assert squared_variation(after.importance).item() < 0.1 * squared_variation(before.importance).item()
    assert squared_variation(after.load).item() < 0.1 * squared_variation(before.load).item()
