from __future__ import annotations

import pytest
import torch

from norface.backbones import ConvEncoder, Standardize
from norface.classifier.network import Classified, ExpressionClassifier
from norface.classifier.streams import FaceStreams, Streams
from norface.specs import build, describe


def make(
    streams: Streams = "both", *, shared_backbone: bool = True, labels: int = 3, **experts: bool
) -> ExpressionClassifier:
    torch.manual_seed(0)
    return ExpressionClassifier(
        ConvEncoder(widths=(8, 16)),
        labels=labels,
        streams=streams,
        shared_backbone=shared_backbone,
        features=16,
        hidden=16,
        grid=2,
        **experts,
    )


def faces(count: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, 16, 16, generator=generator) * 2 - 1, torch.rand(count, 3, 16, 16, generator=generator)


@pytest.mark.parametrize("shared_backbone", [True, False])
@pytest.mark.parametrize(("streams", "count"), [("both", 2), ("original", 1), ("normalized", 1)])
def test_shapes(streams: Streams, count: int, shared_backbone: bool) -> None:
    answer: Classified = make(streams, shared_backbone=shared_backbone)(*faces())
    assert answer.logits.shape == (4, 3)
    assert answer.input_gates.shape == (4, count, 4)
    assert answer.output_gates.shape == (4, 3, 4)
    assert answer.balance.shape == () and float(answer.balance.detach()) > 0


@pytest.mark.parametrize(
    ("streams", "sees_original", "sees_normalized"),
    [("both", True, True), ("original", True, False), ("normalized", False, True)],
)
def test_each_choice_sees_its_images_only(streams: Streams, sees_original: bool, sees_normalized: bool) -> None:
    network, (original, normalized) = make(streams).eval(), faces()
    before = network(original, normalized).logits
    assert torch.equal(network(-original, normalized).logits, before) is not sees_original
    assert torch.equal(network(original, -normalized).logits, before) is not sees_normalized


def test_shared_and_separate_backbones() -> None:
    shared, separate = make().streams, make(shared_backbone=False).streams
    assert len(shared.backbones) == 1 and len(separate.backbones) == 2
    first, second = (next(backbone.parameters()) for backbone in separate.backbones)
    assert torch.equal(first, second) and first.data_ptr() != second.data_ptr()
    assert not torch.equal(faces()[0], faces()[1])
    for streams in (shared, separate):  # same start, so the same features
        assert isinstance(streams, FaceStreams)
        streams.eval()
    torch.testing.assert_close(shared(*faces())[:, 0], separate(*faces())[:, 0])


def test_every_parameter_gets_a_gradient() -> None:
    network = make()
    answer: Classified = network(*faces(32))
    torch.autograd.backward(answer.logits.square().sum() + answer.balance)
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_features_are_standardised_over_the_batch() -> None:
    torch.manual_seed(0)
    layer, x = Standardize(5), torch.randn(64, 5) * 0.02 + 3.0  # a faint difference on a strong common face
    out = layer(x)
    torch.testing.assert_close(out.mean(0), torch.zeros(5), atol=1e-3, rtol=0.0)
    assert out.std() > 0.5
    for _ in range(100):
        layer(x)
    torch.testing.assert_close(layer.eval()(x), out, atol=0.1, rtol=0.05)


def test_a_training_batch_of_one_face_works() -> None:
    answer: Classified = make().train()(*faces(1))
    assert answer.logits.isfinite().all()


def test_it_travels_as_plain_data() -> None:
    network = make(shared_backbone=False)
    again = build(describe(network), where="test")
    again.load_state_dict(network.state_dict())
    assert torch.equal(again.eval()(*faces()).logits, network.eval()(*faces()).logits)


def test_the_default_is_small() -> None:
    network = ExpressionClassifier(ConvEncoder(), labels=8)
    assert 300_000 < sum(parameter.numel() for parameter in network.parameters()) < 1_000_000


@pytest.mark.parametrize("output_experts", [True, False])
@pytest.mark.parametrize("input_experts", [True, False])
def test_either_mixture_may_be_a_dense_block(input_experts: bool, output_experts: bool) -> None:
    network = make(input_experts=input_experts, output_experts=output_experts)
    answer: Classified = network(*faces(32))
    assert answer.input_gates.shape == (32, 2, 4 * input_experts)
    assert answer.output_gates.shape == (32, 3, 4 * output_experts)
    assert (float(answer.balance.detach()) > 0) is (input_experts or output_experts)
    torch.autograd.backward(answer.logits.square().sum() + answer.balance)
    assert all(parameter.grad is not None for parameter in network.parameters())
    again = build(describe(network), where="here")
    again.load_state_dict(network.state_dict())
    torch.testing.assert_close(again.eval()(*faces()).logits, network.eval()(*faces()).logits)


def test_with_and_without_mixtures_there_are_about_as_many_weights() -> None:
    weights = [sum(p.numel() for p in make(input_experts=on, output_experts=on).parameters()) for on in (True, False)]
    assert 0.9 < weights[1] / weights[0] < 1.0  # the routers' weights, at these small sizes
