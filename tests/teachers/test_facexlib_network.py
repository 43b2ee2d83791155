from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from norface.errors import CheckpointError, ConfigError
from norface.teachers import ArcFaceIRSE50, HopeNet
from norface.teachers.facexlib_network import load_facexlib

ARCFACE = "facexlib.recognition.arcface_arch"
SMALL = (ARCFACE, "MobileFaceNet", 8)


@pytest.fixture(scope="module", autouse=True)
def facexlib() -> None:
    pytest.importorskip("facexlib")


def small_network() -> torch.nn.Module:
    import importlib

    torch.manual_seed(0)
    made: torch.nn.Module = importlib.import_module(ARCFACE).MobileFaceNet(8)
    return made.eval()


@pytest.mark.parametrize("inside", [None, "params"])
def test_both_layouts_are_read(tmp_path: Path, inside: str | None) -> None:
    network = small_network()
    state = network.state_dict()
    torch.save(state if inside is None else {inside: state}, tmp_path / "n.pth")
    found = load_facexlib(tmp_path / "n.pth", *SMALL)
    image = torch.randn(2, 3, 112, 112)
    assert torch.equal(found(image), network(image))
    assert not found.training and not any(p.requires_grad for p in found.parameters())


class Harmful:
    """Runs code when unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return print, ("this must not run",)


def test_other_networks_damage_and_code_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "other.pth")
    torch.save(small_network().state_dict(), tmp_path / "whole.pth")
    whole = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    torch.save({"params": Harmful()}, tmp_path / "code.pth")
    for name in ("other", "cut", "code"):
        with pytest.raises(CheckpointError, match=rf"{name}\.pth: expected the weights of facexlib's MobileFaceNet"):
            load_facexlib(tmp_path / f"{name}.pth", *SMALL)
    assert "must not run" not in capsys.readouterr().out


def test_the_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, ARCFACE, None)
    with pytest.raises(ConfigError, match=r"facexlib.*norface\[weights\]"):
        load_facexlib(tmp_path / "n.pth", *SMALL)


@pytest.mark.slow
@pytest.mark.usefixtures("any_content")
def test_arcface_with_random_weights(tmp_path: Path) -> None:
    import importlib

    network = importlib.import_module(ARCFACE).Backbone(50, 0.6, "ir_se").eval()
    torch.save(network.state_dict(), tmp_path / "recognition_arcface_ir_se50.pth")
    teacher = ArcFaceIRSE50(str(tmp_path))
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    embedding = teacher(image)
    assert torch.allclose(embedding, network(teacher.crop(image)), atol=1e-5)
    assert torch.autograd.grad(embedding[:, 0].sum(), image)[0].abs().sum() > 0


@pytest.mark.slow
@pytest.mark.usefixtures("any_content")
def test_hopenet_with_random_weights(tmp_path: Path) -> None:
    import importlib

    network = importlib.import_module("facexlib.headpose.hopenet_arch").HopeNet("resnet", [3, 4, 6, 3], 66).eval()
    torch.save({"params": network.state_dict()}, tmp_path / "headpose_hopenet.pth")
    teacher = HopeNet(str(tmp_path))
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    pose = teacher(image)
    assert pose.shape == (1, 3) and float(pose.detach().abs().max()) <= 99
    assert torch.autograd.grad(pose.sum(), image)[0].abs().sum() > 0
