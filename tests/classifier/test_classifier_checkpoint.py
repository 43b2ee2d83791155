from __future__ import annotations

from pathlib import Path

import pytest
import torch

from norface.backbones import ConvEncoder
from norface.classifier.checkpoint import classifier_header
from norface.classifier.inference import build_classifier, load_classifier
from norface.classifier.network import ExpressionClassifier
from norface.errors import CheckpointError
from norface.specs import describe


def make(*, shared_backbone: bool = True) -> ExpressionClassifier:
    return ExpressionClassifier(ConvEncoder(widths=(8, 16)), labels=2, grid=2, shared_backbone=shared_backbone)


def normalizer_file(folder: Path, encoder: ConvEncoder, *, kind: str = "normalizer") -> str:
    weights = {f"average.network.encoder.{name}": value for name, value in encoder.state_dict().items()}
    path = folder / "normalizer.ckpt"
    torch.save({"state_dict": {**weights, "discriminator.x": torch.zeros(1)}, "norface": {"kind": kind}}, path)
    return str(path)


def test_another_kind_is_refused(tmp_path: Path) -> None:
    path = normalizer_file(tmp_path, ConvEncoder(widths=(8, 16)), kind="teacher")
    with pytest.raises(CheckpointError, match="a classifier checkpoint, found a teacher checkpoint"):
        load_classifier(path)


def test_missing_and_truncated_files(tmp_path: Path) -> None:
    path = Path(normalizer_file(tmp_path, ConvEncoder(widths=(8, 16))))
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(CheckpointError, match="a readable checkpoint"):
        load_classifier(path)
    with pytest.raises(CheckpointError, match="no such file"):
        load_classifier(tmp_path / "nowhere.ckpt")


def test_a_file_that_norface_did_not_write(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "bare.ckpt")
    with pytest.raises(CheckpointError, match="norface did not write"):
        load_classifier(tmp_path / "bare.ckpt")


def test_incomplete_header() -> None:
    with pytest.raises(CheckpointError, match="found none of alignment, aus"):
        classifier_header({"norface": {"kind": "classifier", "task": "fer"}}, where="x")


def test_weights_that_do_not_fit_their_description(tmp_path: Path) -> None:
    header = {"kind": "classifier", "task": "au", "emotions": [], "aus": [1, 2], "alignment": {}, "subjects": []}
    torch.save({"state_dict": {}, "norface": {**header, "network": describe(make())}}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match="the classifier's weights"):
        load_classifier(tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match="an ExpressionClassifier, found ConvEncoder"):
        build_classifier({**header, "network": describe(ConvEncoder())}, where="x")
