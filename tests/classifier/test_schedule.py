from __future__ import annotations

import pytest
import torch
from torch import nn

from norface.backbones import ConvEncoder
from norface.classifier.network import ExpressionClassifier
from norface.classifier.schedule import adamw, layer_scales


def network(*, shared: bool = True) -> ExpressionClassifier:
    backbone = ConvEncoder(widths=(8, 16))  # stem, one block, norm
    return ExpressionClassifier(backbone, labels=3, features=8, hidden=8, grid=2, shared_backbone=shared)


@pytest.mark.parametrize("shared", [True, False])
def test_rates_fall_from_the_heads_to_the_first_layer(shared: bool) -> None:
    whole = network(shared=shared)
    scales = layer_scales(whole.streams.backbones, 0.5)
    optimizer = adamw(whole, lr=0.1, weight_decay=0.05, precision="32-true", scales=scales)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert len(rates) == len(list(whole.parameters()))
    for backbone in whole.streams.backbones:
        for name, parameter in backbone.named_parameters():
            layer = int(name.split(".")[1])
            assert rates[id(parameter)] == pytest.approx(0.1 * 0.5 ** (3 - layer))
    assert rates[id(whole.head_weight)] == 0.1 == rates[id(whole.head_bias)]
    decayed = {id(p) for group in optimizer.param_groups if group["weight_decay"] for p in group["params"]}
    for name, parameter in whole.named_parameters():
        assert (id(parameter) in decayed) == (parameter.ndim > 1 and "bias" not in name)


def test_without_decay_there_are_the_two_usual_groups() -> None:
    whole = network()
    scaled = adamw(
        whole, lr=0.1, weight_decay=0.05, precision="32-true", scales=layer_scales(whole.streams.backbones, 1.0)
    )
    plain = adamw(whole, lr=0.1, weight_decay=0.05, precision="32-true")
    for optimizer in (scaled, plain):
        assert [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups] == [(0.1, 0.05), (0.1, 0.0)]
    for one, other in zip(scaled.param_groups, plain.param_groups, strict=True):
        assert all(a is b for a, b in zip(one["params"], other["params"], strict=True))


def test_a_lower_rate_moves_weights_less() -> None:
    layer = nn.Linear(2, 2, bias=False)
    moved = []
    for scale in (1.0, 0.1):
        nn.init.ones_(layer.weight)
        optimizer = adamw(
            layer, lr=0.1, weight_decay=0.0, precision="32-true", scales=dict.fromkeys(layer.parameters(), scale)
        )
        layer(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        moved.append(float((layer.weight.detach() - 1).abs().max()))
    assert moved[1] == pytest.approx(0.1 * moved[0], rel=1e-3)
