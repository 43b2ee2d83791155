from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from norface.classifier.experts import DenseBlock, Experts, MixtureOfExperts, MultiGateExperts


def one_expert(experts: Experts, index: int, x: Tensor) -> Tensor:
    hidden = functional.gelu(x @ experts.weight_in[index] + experts.bias_in[index, 0])
    return hidden @ experts.weight_out[index] + experts.bias_out[index, 0]


@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_sparse_mixture_equals_the_loop_over_all_experts(top_k: int) -> None:
    torch.manual_seed(0)
    mixture = MixtureOfExperts(6, 10, 5, experts=4, top_k=top_k).eval()
    x = torch.randn(17, 6)
    mixed, routing = mixture(x)
    expected = torch.zeros(17, 5)
    for expert in range(4):
        expected += routing.gates[:, 0, expert, None] * one_expert(mixture.experts, expert, x)
    torch.testing.assert_close(mixed, expected)


def test_with_all_experts_it_is_the_dense_mixture() -> None:
    torch.manual_seed(0)
    mixture = MixtureOfExperts(6, 10, 5, experts=3, top_k=3).eval()
    x = torch.randn(9, 6)
    softmax = (x @ mixture.router.gate_weight[0]).softmax(-1)
    answers = torch.stack([one_expert(mixture.experts, i, x) for i in range(3)], 1)
    torch.testing.assert_close(mixture(x)[0], (softmax.unsqueeze(-1) * answers).sum(1))


@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_in_a_compiled_graph_it_is_the_same_with_all_experts_computed(
    top_k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    mixture = MixtureOfExperts(6, 10, 5, experts=4, top_k=top_k).eval()
    x = torch.randn(17, 6)
    wanted, _ = mixture(x)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    monkeypatch.setattr(mixture, "_dispatch", None)
    torch.testing.assert_close(mixture(x)[0], wanted)


def test_only_chosen_experts_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    mixture = MixtureOfExperts(6, 10, 5, experts=8, top_k=1).eval()
    rows: list[int] = []
    forward = Experts.forward

    def counting(self: Experts, x: Tensor) -> Tensor:
        rows.append(x.shape[0] * x.shape[1])
        return forward(self, x)

    monkeypatch.setattr(Experts, "forward", counting)
    mixture(torch.randn(800, 6))
    assert rows[0] < 0.5 * 8 * 800  # 800 if evenly loaded, 6400 if every expert saw every input


def test_every_expert_gets_a_gradient() -> None:
    torch.manual_seed(0)
    mixture = MixtureOfExperts(6, 10, 5, experts=4, top_k=2)
    mixture(torch.randn(64, 6))[0].square().sum().backward()
    for parameter in mixture.parameters():
        assert parameter.grad is not None
    for parameter in mixture.experts.parameters():
        assert parameter.grad is not None and (parameter.grad.flatten(1).abs().sum(1) > 0).all()
    assert mixture.router.gate_weight.grad is not None and mixture.router.gate_weight.grad.abs().sum() > 0


def test_the_gradient_equals_the_dense_one() -> None:
    torch.manual_seed(0)
    mixture = MixtureOfExperts(4, 3, 2, experts=3, top_k=2).double().eval()
    x = torch.randn(5, 4, dtype=torch.double, requires_grad=True)

    def dense(value: Tensor) -> Tensor:
        gates = mixture.router(value).gates[:, 0].double()
        return sum((gates[:, i, None] * one_expert(mixture.experts, i, value) for i in range(3)), torch.zeros(()))

    (sparse_gradient,) = torch.autograd.grad(mixture(x)[0].sum(), x)
    (dense_gradient,) = torch.autograd.grad(dense(x).sum(), x)
    torch.testing.assert_close(sparse_gradient, dense_gradient, atol=1e-6, rtol=1e-5)


def test_each_label_has_its_own_mixture_of_shared_experts() -> None:
    torch.manual_seed(0)
    shared = MultiGateExperts(6, 10, 5, labels=3, experts=4, top_k=2).eval()
    x = torch.randn(7, 6)
    represented, routing = shared(x)
    assert represented.shape == (7, 3, 5)
    for label in range(3):
        expected = torch.zeros(7, 5)
        for expert in range(4):
            expected += routing.gates[:, label, expert, None] * one_expert(shared.experts, expert, x)
        torch.testing.assert_close(represented[:, label], expected)
    assert not torch.allclose(represented[:, 0], represented[:, 1])


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    mixture = MixtureOfExperts(6, 10, 5, experts=2, top_k=2, dropout=0.5)
    x = torch.randn(7, 6)
    assert torch.equal(mixture.eval()(x)[0], mixture(x)[0])
    assert not torch.equal(mixture.train()(x)[0], mixture(x)[0])


def test_a_dense_block_holds_the_weights_of_all_experts_and_asks_each() -> None:
    torch.manual_seed(0)
    mixture, dense = MixtureOfExperts(6, 10, 5, experts=4, top_k=2).eval(), DenseBlock(6, 10, 5, experts=4).eval()
    experts, network, x = mixture.experts, dense.network, torch.randn(9, 6)
    with torch.no_grad():
        network.weight_in.copy_(experts.weight_in.movedim(0, 1).reshape(1, 6, 40))
        network.bias_in.copy_(experts.bias_in.reshape(1, 1, 40))
        network.weight_out.copy_(experts.weight_out.reshape(1, 40, 5))
        network.bias_out.copy_(experts.bias_out.sum(0, keepdim=True))
    answer, routing = dense(x)
    torch.testing.assert_close(answer, sum(one_expert(experts, index, x) for index in range(4)))
    assert routing.gates.shape == (9, 1, 0) and float(routing.balance_loss()) == 0.0
    counts = [sum(weight.numel() for weight in (part.weight_in, part.weight_out)) for part in (experts, network)]
    assert counts[0] == counts[1]


def test_a_dense_block_hands_all_labels_the_same() -> None:
    answer, routing = DenseBlock(6, 10, 5, experts=4, labels=3)(torch.randn(9, 6))
    assert answer.shape == (9, 3, 5) and torch.equal(answer[:, 0], answer[:, 2])
    assert routing.gates.shape == (9, 3, 0)
