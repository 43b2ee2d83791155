"""A normalizer whose encoder is a vision transformer: trained, kept, opened, exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch

from norface.backbones import TimmEncoder
from norface.errors import ConfigError
from norface.normalizer import (
    ConvDecoder,
    ExpressionMerging,
    Generator,
    NormalizerTask,
    PatchDiscriminator,
    TrainedNormalizer,
)
from toy_world import SIZE, BarTeacher, ColourTeacher, pairs

pytest.importorskip("timm")

Fit = Callable[..., lightning.Trainer]
VIT = "vit_tiny_patch16_224"


def make_generator(**options: Any) -> Generator:
    torch.manual_seed(0)
    encoder = TimmEncoder(VIT, **{"image_size": SIZE, "patch_size": 8, **options})
    merging = ExpressionMerging(dim=192, grid=SIZE // 8, blocks=1, heads=2)
    return Generator(encoder, merging, ConvDecoder(dim=192, widths=(16, 16, 8)))


def make_task(generator: Generator, **options: Any) -> NormalizerTask:
    teachers: dict[str, Any] = {"identity_teacher": ColourTeacher(), "expression_teacher": BarTeacher()}
    return NormalizerTask(generator, PatchDiscriminator(widths=(8,), scales=1), **teachers, **options)


@pytest.mark.parametrize(("size", "patch"), [(64, 16), (64, 8), (128, 16)])
@torch.no_grad()
def test_decoders_fit_strides_of_patches(size: int, patch: int) -> None:
    encoder = TimmEncoder(VIT, image_size=size, patch_size=patch)
    widths = (16,) * (patch.bit_length() - 1)
    merging = ExpressionMerging(dim=192, grid=size // patch, blocks=1, heads=2)
    generator = Generator(encoder, merging, ConvDecoder(dim=192, widths=widths))
    target = torch.rand(1, 3, size, size)
    assert generator.image_size == size
    assert torch.equal(generator(torch.rand(1, 3, size, size), target), target)


def test_an_encoder_for_another_size_is_refused() -> None:
    with pytest.raises(ConfigError, match="an encoder for 32 pixels, 4 patches of 8, found one for 64 pixels"):
        make_generator(image_size=64)


@pytest.mark.parametrize("rate", [0.1, 0.0])
def test_trained_from_a_file_and_opened_without_it(rate: float, fit: Fit, tmp_path: Path) -> None:
    source = TimmEncoder(VIT, image_size=SIZE, patch_size=8)
    torch.save(source.network.state_dict(), tmp_path / "weights.pth")
    task = make_task(make_generator(weights=str(tmp_path / "weights.pth")), encoder_rate=rate)
    fit(task).save_checkpoint(tmp_path / "n.ckpt")
    (tmp_path / "weights.pth").unlink()
    normalizer: Any = TrainedNormalizer(str(tmp_path / "n.ckpt")).load()
    original = pairs(4)["original"]
    expected = task.average(original, task.target).clamp(-1, 1)
    torch.testing.assert_close(normalizer(original), expected)
    kept = normalizer.generator.encoder.state_dict()
    unchanged = [torch.equal(value, source.state_dict()[name]) for name, value in kept.items()]
    assert all(unchanged) if rate == 0 else not any(unchanged)


@pytest.mark.slow
def test_a_transformer_is_exported(fit: Fit, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    from norface.export import export_onnx, load_graph

    task = make_task(make_generator())
    torch.nn.init.normal_(task.average.network.decoder.to_rgb.weight, std=0.1)  # type: ignore[arg-type, union-attr]
    fit(task, max_epochs=0).save_checkpoint(tmp_path / "n.ckpt")
    assert export_onnx(load_graph(tmp_path / "n.ckpt"), tmp_path / "n.onnx") < 1e-4
