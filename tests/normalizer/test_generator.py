from __future__ import annotations

import pytest
import torch

from norface.backbones import ConvEncoder
from norface.errors import ConfigError
from norface.normalizer import ConvDecoder, ExpressionMerging, Generator, PatchDiscriminator
from norface.normalizer.ema import MovingAverage
from norface.normalizer.generator import distinct
from norface.specs import build, describe
from toy_world import SIZE, draw, make_generator


def test_untrained_generator_returns_the_target() -> None:
    generator = make_generator()
    original, target = draw(torch.ones(2), torch.ones(2, 3)), draw(torch.zeros(2), torch.zeros(2, 3))
    assert torch.equal(generator(original, target), target)


def test_output_depends_on_original_and_target_once_the_last_layer_is_not_zero() -> None:
    torch.manual_seed(0)
    generator = make_generator()
    torch.nn.init.normal_(generator.decoder.to_rgb.weight, std=0.1)
    a, b = draw(torch.zeros(1), torch.ones(1, 3)), draw(torch.ones(1), -torch.ones(1, 3))
    assert not torch.allclose(generator(a, a), generator(b, a), atol=1e-4)
    assert not torch.allclose(generator(a, a) - a, generator(a, b) - b, atol=1e-4)


def test_one_shared_target_equals_the_same_target_for_each() -> None:
    torch.manual_seed(0)
    generator = make_generator().eval()
    torch.nn.init.normal_(generator.decoder.to_rgb.weight, std=0.1)
    originals, target = torch.rand(3, 3, SIZE, SIZE), torch.rand(1, 3, SIZE, SIZE)
    assert torch.allclose(generator(originals, target), generator(originals, target.expand(3, -1, -1, -1)), atol=1e-5)


def test_each_of_a_batch_gets_its_own_target_though_each_is_encoded_once() -> None:
    generator = make_generator().eval()
    torch.nn.init.normal_(generator.decoder.to_rgb.weight)
    key = torch.tensor([4, -1, 7, -1, 4])
    faces = {int(k): torch.rand(3, SIZE, SIZE) for k in key.unique()}
    targets = torch.stack([faces[int(k)] for k in key])
    rows, which = distinct(targets, key)
    assert len(rows) == 3
    assert torch.equal(rows[which], targets)
    originals = torch.rand(5, 3, SIZE, SIZE)
    merged, _ = generator.merge(originals, rows, which)
    assert torch.allclose(merged, generator(originals, targets), atol=1e-5)


def test_targets_are_encoded_the_same_whatever_their_order_and_company() -> None:
    torch.manual_seed(0)
    generator = make_generator().eval()
    torch.nn.init.normal_(generator.decoder.to_rgb.weight, std=0.1)
    originals, a, b = torch.rand(5, 3, SIZE, SIZE), torch.rand(3, SIZE, SIZE), torch.rand(3, SIZE, SIZE)
    mixed = torch.stack([a, b, a, a, b])
    alone = torch.cat([generator(originals[i : i + 1], mixed[i : i + 1]) for i in range(5)])
    assert torch.allclose(generator(originals, mixed), alone, atol=1e-5)


def test_generator_can_be_described_and_built_again() -> None:
    generator = make_generator()
    twin = build(describe(generator), where="here")
    twin.load_state_dict(generator.state_dict())
    original, target = torch.rand(1, 3, SIZE, SIZE), torch.rand(1, 3, SIZE, SIZE)
    assert torch.equal(twin(original, target), generator(original, target))


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="one embedding size"):
        Generator(ConvEncoder(widths=(8, 16)), ExpressionMerging(dim=32), ConvDecoder(dim=32, widths=(16, 8)))


def test_discriminator_judges_every_scale() -> None:
    logits = PatchDiscriminator(widths=(8, 16), scales=3)(torch.rand(2, 3, SIZE, SIZE))
    assert [tuple(x.shape) for x in logits] == [(2, 1, 8, 8), (2, 1, 4, 4), (2, 1, 2, 2)]


def test_the_discriminator_shows_what_lies_before_its_logits() -> None:
    network = PatchDiscriminator(widths=(8, 16), scales=2).eval()
    image = torch.rand(2, 3, SIZE, SIZE)
    layers = network.layers(image)
    assert [[tuple(x.shape) for x in scale] for scale in layers] == [
        [(2, 8, 16, 16), (2, 16, 8, 8), (2, 1, 8, 8)],
        [(2, 8, 8, 8), (2, 16, 4, 4), (2, 1, 4, 4)],
    ]
    first, _, logits = layers[0]
    sequence = network.networks[0]
    assert torch.equal(first, torch.nn.functional.leaky_relu(sequence[0](image), 0.2))  # type: ignore[index]
    assert torch.equal(logits, network(image)[0]) and torch.equal(logits, sequence(image))


def test_moving_average_shares_no_storage_and_follows() -> None:
    generator = make_generator()
    average = MovingAverage(generator, decay=0.9)
    pointers = {p.data_ptr() for p in generator.parameters()}
    assert pointers.isdisjoint(p.data_ptr() for p in average.network.parameters())
    before = [p.clone() for p in average.network.parameters()]
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(1.0)
    average.update(generator)
    for old, now, live in zip(before, average.network.parameters(), generator.parameters(), strict=True):
        keep = 2 / 11  # (1 + n) / (10 + n) after one step
        assert torch.allclose(now, keep * old + (1 - keep) * live, atol=1e-6)


def test_moving_average_stays_in_evaluation_mode() -> None:
    average = MovingAverage(make_generator()).train()
    assert not any(module.training for module in average.modules())
