"""A normalizer that learns from pictures of the target's person alone, through a reading of the expression."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch import Tensor

from norface.errors import CheckpointError, ConfigError
from norface.normalizer import (
    ConvDecoder,
    ExpressionMerging,
    ExpressionReader,
    Generator,
    LossWeights,
    NormalizerTask,
    PatchDiscriminator,
    TrainedNormalizer,
)
from norface.specs import build, describe
from norface.teachers.networks import ExpressionNetwork
from tiny_teacher import save_expression_teacher, tiny_expression_network
from toy_world import SIZE, ToyFaces, draw, pairs

Fit = Callable[..., lightning.Trainer]
OFF = LossWeights(adversarial=0.0, identity=0.0, expression=0.0, reconstruction=0.0, supervision=0.0)


def make_network() -> ExpressionNetwork:
    """Reads the height of the bar from toy faces, whatever their colour."""
    torch.manual_seed(0)
    network = tiny_expression_network()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(120):
        height = torch.rand(32)
        reading, _ = network(draw(height, torch.rand(32, 3) * 2 - 1))
        loss = (reading.outputs[:, 0] - height).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


@pytest.fixture(scope="module")
def network() -> ExpressionNetwork:
    return make_network()


@pytest.fixture(scope="module")
def checkpoint(network: ExpressionNetwork, tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_expression_teacher(network, tmp_path_factory.mktemp("teacher") / "teacher.ckpt", size=SIZE)


def make_task(reader: ExpressionReader, **options: Any) -> NormalizerTask:
    generator = Generator(
        reader, ExpressionMerging(dim=32, grid=4, blocks=1, heads=2), ConvDecoder(dim=32, widths=(32, 16, 8))
    )
    return NormalizerTask(
        generator, PatchDiscriminator(widths=(8,), scales=1), **{"weights": OFF, "ema_decay": 0.9, **options}
    )


class TargetAlone(ToyFaces):
    """Only pictures of the target's person have a right answer; everybody else is seen without one."""

    def train_dataloader(self) -> Any:
        loader = super().train_dataloader()
        batch = loader.dataset.batch  # type: ignore[attr-defined]
        height = batch["au_intensity"][:, 0] / 5
        person = draw(height, torch.zeros(self.count, 3))
        own = torch.arange(self.count) % 2 == 0
        batch |= {
            "original": torch.where(own[:, None, None, None], person, batch["original"]),
            "target": self.target.expand(self.count, -1, -1, -1),
            "target_key": torch.full((self.count,), -2),
            "truth": torch.where(own[:, None, None, None], person, torch.zeros_like(person)),
            "has_truth": own,
            "same_image": torch.zeros(self.count, dtype=torch.bool),
        }
        return loader


def error_on_strangers(generator: Callable[..., Tensor]) -> float:
    """Squared error on colours that nobody had, relative to that of the constant answer."""
    batch = pairs(64, seed=7)
    mine = ~batch["same_image"]
    truth = draw(batch["au_intensity"][:, 0] / 5, torch.zeros(64, 3))[mine]
    output = generator(batch["original"][mine], ToyFaces.target[None])
    return float((output - truth).square().mean() / (truth.mean(0) - truth).square().mean())


def test_what_is_learned_from_the_target_holds_for_strangers(checkpoint: str, fit: Fit) -> None:
    task = make_task(ExpressionReader(checkpoint, dim=32, noise=0.1), lr=3e-3)
    fit(task, TargetAlone(count=64, batch_size=16), max_epochs=60, limit_val_batches=0)
    assert error_on_strangers(task.average) < 0.5


def test_everything_but_the_reading_learns(checkpoint: str, fit: Fit) -> None:
    reader = ExpressionReader(checkpoint, dim=32)
    task = make_task(reader)
    before = {name: value.clone() for name, value in task.generator.state_dict().items()}
    fit(task, TargetAlone(), max_epochs=2)
    still = {name for name, value in task.generator.state_dict().items() if torch.equal(value, before[name])}
    counters = {"encoder.standardize.num_batches_tracked"}  # of no use to a fixed momentum
    assert still - counters == {f"encoder.network.{name}" for name in reader.network.state_dict()}
    assert not any(module.training for module in reader.network.modules())


def test_the_same_token_everywhere_with_noise_only_while_training(checkpoint: str) -> None:
    reader = ExpressionReader(checkpoint, dim=32, noise=0.5).train()
    image = pairs(4)["original"]
    assert reader(image).shape == (4, 32, SIZE // 8, SIZE // 8)
    assert not torch.equal(reader(image), reader(image))  # new noise each time
    reader.eval()
    tokens = reader(image)
    assert torch.equal(tokens, reader(image)) and torch.equal(tokens, tokens[:, :, :1, :1].expand_as(tokens))
    silent = ExpressionReader(checkpoint, dim=32, noise=0.0).train()
    assert torch.equal(silent(image), silent(image))


def test_noise_is_in_units_of_each_outputs_spread(network: ExpressionNetwork) -> None:
    reader = ExpressionReader(network=network, dim=4, noise=0.5).train()
    reader.tokens = torch.nn.Sequential(torch.nn.Identity())  # what the tokens are made of
    image = pairs(8)["original"][:2].repeat(200, 1, 1, 1)
    read = reader(image)[:, 0, 0, 0].view(200, 2)
    assert torch.allclose(read.std(0), torch.full((2,), 0.5), atol=0.08)
    assert torch.allclose(read.mean(0).abs(), torch.ones(2), atol=0.15)  # two readings, standardised


def test_the_face_is_resized_for_the_reading(network: ExpressionNetwork) -> None:
    small = ExpressionReader(network=network, read_size=SIZE, dim=4).eval()
    image = draw(torch.tensor([0.1, 0.9]), torch.zeros(2, 3))
    large = image.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert small(large).shape == (2, 4, SIZE // 4, SIZE // 4)
    assert torch.allclose(small(large)[:, :, 0, 0], small(image)[:, :, 0, 0], atol=5e-3)


def test_a_checkpoint_is_whole_without_the_teachers(checkpoint: str, fit: Fit, tmp_path: Path) -> None:
    teacher = tmp_path / "teacher.ckpt"
    teacher.write_bytes(Path(checkpoint).read_bytes())
    task = make_task(ExpressionReader(str(teacher), dim=32))
    fit(task, TargetAlone()).save_checkpoint(tmp_path / "n.ckpt")
    teacher.unlink()
    normalizer = TrainedNormalizer(str(tmp_path / "n.ckpt")).load()
    original = pairs(4)["original"]
    wanted = task.average(original, ToyFaces.target[None]).clamp(-1, 1)
    assert torch.allclose(normalizer.normalize(original).image, wanted, atol=1e-6)
    assert "cy" in normalizer.subjects


def test_resumed_run_equals_an_uninterrupted_one(checkpoint: str, fit: Fit, tmp_path: Path) -> None:
    def new() -> NormalizerTask:
        torch.manual_seed(0)
        return make_task(ExpressionReader(checkpoint, dim=32, noise=0.5))

    whole = new()
    fit(whole, TargetAlone(), max_epochs=2)
    half = fit(new(), TargetAlone(), max_epochs=2, callbacks=[_StopsAfterOne(tmp_path / "half.ckpt")])
    assert half.current_epoch == 2
    torch.manual_seed(99)
    resumed = new()
    fit(resumed, TargetAlone(), max_epochs=2, ckpt=str(tmp_path / "half.ckpt"))
    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


class _StopsAfterOne(lightning.Callback):
    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.current_epoch == 0:
            trainer.save_checkpoint(self.path)


def test_description_builds_the_same_reader(checkpoint: str) -> None:
    reader = ExpressionReader(checkpoint, dim=32, noise=0.3)
    reader.settle()
    spec = describe(reader)
    assert spec["init_args"]["checkpoint"] is None and spec["init_args"]["read_size"] == SIZE
    again = build(spec, where="here")
    again.load_state_dict(reader.state_dict())
    image = pairs(4)["original"]
    assert torch.equal(again.eval()(image), reader.eval()(image))
    assert set(reader.depths()) == {name for name, _ in reader.named_parameters()}
    assert not any(parameter.requires_grad for parameter in again.network.parameters())


@pytest.mark.parametrize("options", [{}, {"noise": -0.1}, {"both": True}])
def test_unclear_arguments(options: dict[str, Any], checkpoint: str, network: ExpressionNetwork) -> None:
    given: dict[str, Any] = {"checkpoint": checkpoint, "network": network} if options.pop("both", False) else {}
    if "noise" in options:
        given = {"checkpoint": checkpoint}
    with pytest.raises(ConfigError, match="a checkpoint or a network"):
        ExpressionReader(**given, **options)


def test_networks_that_read_nothing_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="reads action units"):
        ExpressionReader(save_expression_teacher(tiny_expression_network(aus=()), tmp_path / "t.ckpt", size=SIZE))
    with pytest.raises(CheckpointError):
        ExpressionReader(str(tmp_path / "missing.ckpt"))
