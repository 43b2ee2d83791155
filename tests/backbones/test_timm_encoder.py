from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from norface.backbones import Backbone, ConvEncoder, TimmEncoder, load_encoder
from norface.classifier.network import ExpressionClassifier
from norface.classifier.schedule import layer_scales
from norface.errors import CheckpointError, ConfigError
from norface.specs import build, describe

SMALL = {"vit_tiny_patch16_224": (192, 16), "convnext_atto": (320, 32), "resnet10t": (512, 32)}


def test_without_timm_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError, match=r"pip install 'norface\[backbones\]'"):
        TimmEncoder("resnet10t")


@pytest.fixture(scope="module", params=SMALL)
def encoder(request: pytest.FixtureRequest) -> TimmEncoder:
    pytest.importorskip("timm")
    torch.manual_seed(0)
    return TimmEncoder(request.param).eval()


@torch.no_grad()
def test_embeddings_stand_in_a_grid_and_are_those_of_timm(encoder: TimmEncoder) -> None:
    dim, stride = SMALL[encoder.init_args["name"]]
    assert (encoder.dim, encoder.stride) == (dim, stride)
    image = torch.rand(2, 3, 64, 96) * 2 - 1
    found = encoder(image)
    assert found.shape == (2, dim, 64 // stride, 96 // stride)
    about = encoder.network.pretrained_cfg
    mean, std = (torch.tensor(about[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    features = encoder.network.forward_features(((image + 1) / 2 - mean) / std)
    if features.ndim == 3:  # tokens of a ViT, the class token first
        features = features[:, 1:].transpose(1, 2).unflatten(2, (4, 6))
    if "convnext" not in encoder.init_args["name"]:  # whose last norm belongs to its head
        torch.testing.assert_close(found, features, atol=1e-4, rtol=1e-4)


def test_layers_are_counted_from_the_image(encoder: TimmEncoder) -> None:
    depths = encoder.depths()
    assert depths.keys() == {name for name, _ in encoder.named_parameters()}
    assert depths[next(iter(depths))] == 0 and max(depths.values()) >= 4
    scales = layer_scales([encoder], 0.5)
    first = min(scales.values())
    assert first == 0.5 ** (max(depths.values()) + 1) and max(scales.values()) == 0.5


@pytest.mark.parametrize(("name", "shared"), [("resnet10t", True), ("resnet10t", False), ("convnext_atto", True)])
def test_it_reads_both_streams(name: str, shared: bool) -> None:
    pytest.importorskip("timm")
    network = ExpressionClassifier(TimmEncoder(name), labels=3, grid=2, shared_backbone=shared)
    answer = network(torch.zeros(2, 3, 64, 64), torch.zeros(2, 3, 64, 64))
    assert answer.logits.shape == (2, 3)
    answer.logits.sum().backward()
    trained = [p for backbone in network.streams.backbones for p in backbone.parameters() if p.requires_grad]
    assert len(trained) > 20 and all(p.grad is not None for p in trained)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_weights_come_from_a_file_without_its_head(tmp_path: Path, suffix: str) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(1)
    whole = timm.create_model("resnet10t", pretrained=False, num_classes=7)
    path = tmp_path / f"weights.{suffix}"
    if suffix == "pth":
        torch.save({"state_dict": whole.state_dict()}, path)
    else:
        pytest.importorskip("safetensors.torch").save_file(whole.state_dict(), path)
    found = TimmEncoder("resnet10t", weights=str(path))
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in found.network.state_dict().items())
    assert describe(found)["init_args"]["weights"] == str(path)
    found.settle()
    path.unlink()
    again = build(describe(found), where="checkpoint")  # as a classifier's checkpoint is opened, elsewhere
    assert isinstance(again, Backbone) and again.load_state_dict(found.state_dict())


def test_files_that_do_not_fit_say_what_is_wrong(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    state = timm.create_model("resnet10t", pretrained=False).state_dict()
    first = next(iter(state))
    broken = {
        "are missing": {name: value for name, value in state.items() if name != first},
        "are of another network": {**state, "blocks.0.norm.weight": torch.ones(3)},
        f"{first} is ": {**state, first: torch.ones(1, 2)},
    }
    for message, content in broken.items():
        torch.save(content, tmp_path / "weights.pth")
        with pytest.raises(CheckpointError, match=message):
            TimmEncoder("resnet10t", weights=str(tmp_path / "weights.pth"))
    (tmp_path / "weights.pth").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="a file of weights"):
        TimmEncoder("resnet10t", weights=str(tmp_path / "weights.pth"))
    with pytest.raises(CheckpointError, match="no such file"):
        TimmEncoder("resnet10t", weights=str(tmp_path / "missing.safetensors"))


def test_names_that_timm_does_not_know_are_refused() -> None:
    pytest.importorskip("timm")
    with pytest.raises(ConfigError, match="such as resnet"):
        TimmEncoder("resnet1000")


def test_drop_path_drops_in_training_only() -> None:
    pytest.importorskip("timm")
    torch.manual_seed(0)
    image = torch.rand(2, 3, 32, 32)
    plain, dropping = (TimmEncoder("vit_tiny_patch16_224", drop_path=rate) for rate in (0.0, 0.9))
    for network, same in ((plain, True), (dropping, False)):
        network.train()
        assert torch.equal(network(image), network(image)) is same
    dropping.eval()
    assert torch.equal(dropping(image), dropping(image))


def test_the_small_encoder_counts_its_layers_too() -> None:
    encoder = ConvEncoder(widths=(8, 16), blocks=2)
    depths = encoder.depths()
    assert depths.keys() == {name for name, _ in encoder.named_parameters()}
    assert {name: depth for name, depth in depths.items() if name.startswith(("stages.0.", "stages.3."))} == {
        "stages.0.weight": 0,
        "stages.0.bias": 0,
        "stages.3.weight": 3,
        "stages.3.bias": 3,
    }


VIT = "vit_tiny_patch16_224"


@pytest.mark.parametrize(
    ("options", "stride", "grid"),
    [({"image_size": 64}, 16, 4), ({"image_size": 64, "patch_size": 8}, 8, 8), ({"image_size": 96}, 16, 6)],
)
@torch.no_grad()
def test_a_transformer_of_one_size_learns_its_own_positions(options: dict[str, Any], stride: int, grid: int) -> None:
    pytest.importorskip("timm")
    encoder = TimmEncoder(VIT, **options).eval()
    size = options["image_size"]
    assert (encoder.stride, encoder.image_size) == (stride, size)
    assert encoder.network.pos_embed.shape == (1, 1 + grid * grid, 192)
    assert encoder(torch.zeros(1, 3, size, size)).shape == (1, 192, grid, grid)
    assert build(describe(encoder), where="here").image_size == size


def test_sizes_that_do_not_fit_are_refused() -> None:
    pytest.importorskip("timm")
    with pytest.raises(ConfigError, match="a multiple of the patch size 16, found 60"):
        TimmEncoder(VIT, image_size=60)
    with pytest.raises(ConfigError, match="found image_size for resnet10t"):
        TimmEncoder("resnet10t", image_size=64)


def published(folder: Path, *, image_size: int = 64, **changes: torch.Tensor) -> tuple[str, dict[str, torch.Tensor]]:
    """A file as He et al. publish theirs: encoder and decoder side by side under `model`."""
    timm = pytest.importorskip("timm")
    torch.manual_seed(3)
    network = timm.create_model(VIT, pretrained=False, num_classes=0, img_size=image_size)
    encoder = {name: torch.randn_like(value) for name, value in network.state_dict().items()}
    beside = {
        "mask_token": torch.zeros(1, 1, 64),
        "decoder_pos_embed": torch.zeros(1, 17, 64),
        "decoder_embed.weight": torch.zeros(64, 192),
        "decoder_blocks.0.norm1.weight": torch.zeros(64),
        "decoder_pred.bias": torch.zeros(768),
    }
    torch.save({"model": {**encoder, **beside, **changes}}, folder / "mae.pth")
    return str(folder / "mae.pth"), encoder


def test_a_published_autoencoder_gives_its_encoder(tmp_path: Path) -> None:
    path, wanted = published(tmp_path)
    found = TimmEncoder(VIT, image_size=64, weights=path).network.state_dict()
    assert found.keys() == wanted.keys() and all(torch.equal(value, wanted[name]) for name, value in found.items())


def test_positions_of_another_grid_are_resampled_like_a_picture(tmp_path: Path) -> None:
    path, wanted = published(tmp_path, image_size=64)
    network = TimmEncoder(VIT, image_size=96, weights=path).network
    there, here = wanted["pos_embed"], network.pos_embed.detach()
    assert torch.equal(here[:, :1], there[:, :1])  # the class token has no place
    picture = there[:, 1:].transpose(1, 2).unflatten(2, (4, 4))
    bigger = torch.nn.functional.interpolate(picture, size=(6, 6), mode="bicubic", antialias=True)
    torch.testing.assert_close(here[:, 1:], bigger.flatten(2).transpose(1, 2))
    others = {name: value for name, value in network.state_dict().items() if name != "pos_embed"}
    assert all(torch.equal(value, wanted[name]) for name, value in others.items())


@pytest.mark.parametrize(
    ("options", "changes", "message"),
    [
        ({"patch_size": 8}, {}, "patch_embed.proj.weight is "),
        ({}, {"pos_embed": torch.zeros(1, 20, 192)}, r"pos_embed is \(1, 20, 192\), not \(1, 17, 192\)"),
        ({}, {"blocks.12.norm1.weight": torch.zeros(192)}, "are of another network"),
    ],
)
def test_an_autoencoder_of_another_shape_says_so(
    options: dict[str, Any], changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path, _ = published(tmp_path, **changes)
    with pytest.raises(CheckpointError, match=message):
        TimmEncoder(VIT, image_size=64, weights=path, **options)


@pytest.mark.parametrize("size", [64, 96])
def test_it_starts_from_another_runs_checkpoint(size: int, tmp_path: Path) -> None:
    pytest.importorskip("timm")
    torch.manual_seed(0)
    trained = TimmEncoder(VIT, image_size=64)
    weights = {f"network.encoder.{name}": value for name, value in trained.state_dict().items()}
    torch.save({"state_dict": weights}, tmp_path / "other.ckpt")
    encoder = TimmEncoder(VIT, image_size=size)
    load_encoder(encoder, str(tmp_path / "other.ckpt"))
    for name, value in encoder.state_dict().items():
        if size == 64 or name != "network.pos_embed":
            assert torch.equal(value, trained.state_dict()[name]), name
    with pytest.raises(CheckpointError, match=r"the same network of timm, found .*patch_embed"):
        load_encoder(TimmEncoder(VIT, image_size=64, patch_size=8), str(tmp_path / "other.ckpt"))
    with pytest.raises(CheckpointError, match="the same network of timm"):
        load_encoder(ConvEncoder(), str(tmp_path / "other.ckpt"))
