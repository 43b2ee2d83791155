from __future__ import annotations

from pathlib import Path

import pytest
import torch

from norface.backbones import ConvEncoder, load_encoder
from norface.backbones.weights import ENCODER_PREFIXES
from norface.errors import CheckpointError


def save(folder: Path, encoder: ConvEncoder, prefix: str) -> str:
    weights = {f"{prefix}{name}": value for name, value in encoder.state_dict().items()}
    torch.save({"state_dict": {**weights, "discriminator.x": torch.zeros(1)}}, folder / "other.ckpt")
    return str(folder / "other.ckpt")


@pytest.mark.parametrize("prefix", ENCODER_PREFIXES)
def test_encoder_starts_from_each_kind_of_checkpoint(prefix: str, tmp_path: Path) -> None:
    source, encoder = ConvEncoder(widths=(8, 16)), ConvEncoder(widths=(8, 16))
    load_encoder(encoder, save(tmp_path, source, prefix))
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, source.state_dict()[name]), name


@pytest.mark.parametrize("widths", [(8, 24), (8, 16, 16)])
def test_encoder_of_another_size_is_refused(widths: tuple[int, ...], tmp_path: Path) -> None:
    path = save(tmp_path, ConvEncoder(widths=widths), ENCODER_PREFIXES[0])
    with pytest.raises(
        CheckpointError, match=r"the same widths and blocks, or the same network of timm, found .*stages"
    ):
        load_encoder(ConvEncoder(widths=(8, 16)), path)


def test_checkpoint_without_an_encoder_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, ConvEncoder(widths=(8, 16)), "elsewhere.")
    with pytest.raises(CheckpointError, match="Missing key"):
        load_encoder(ConvEncoder(widths=(8, 16)), path)


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        load_encoder(ConvEncoder(widths=(8, 16)), str(tmp_path / "none.ckpt"))
    (tmp_path / "list.ckpt").write_bytes(b"")
    with pytest.raises(CheckpointError, match="readable checkpoint"):
        load_encoder(ConvEncoder(widths=(8, 16)), str(tmp_path / "list.ckpt"))
    torch.save([1, 2], tmp_path / "list.ckpt")
    with pytest.raises(CheckpointError, match="a checkpoint with weights, found list"):
        load_encoder(ConvEncoder(widths=(8, 16)), str(tmp_path / "list.ckpt"))
