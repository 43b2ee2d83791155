from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from norface.backbones import ConvEncoder
from norface.classifier.network import ExpressionClassifier
from norface.classifier.streams import Streams
from norface.imaging.alignment import Alignment
from norface.specs import describe
from toy_world import SIZE, make_generator


@pytest.fixture
def normalizer_file(tmp_path: Path) -> Path:
    """A normalizer's checkpoint whose decoder does draw."""
    torch.manual_seed(0)
    generator = make_generator()
    torch.nn.init.normal_(generator.decoder.to_rgb.weight, std=0.1)
    state = {f"average.network.{name}": value for name, value in generator.state_dict().items()}
    about = {"kind": "normalizer", "network": describe(generator), "subjects": ["ada"]}
    about["alignment"] = Alignment(SIZE).describe()
    target = torch.rand(1, 3, SIZE, SIZE) * 2 - 1
    torch.save({"state_dict": {**state, "target": target}, "norface": about}, tmp_path / "normalizer.ckpt")
    return tmp_path / "normalizer.ckpt"


@pytest.fixture
def classifier_file(tmp_path: Path) -> Callable[..., Path]:
    def make(task: str = "fer", streams: Streams = "both", alignment: Alignment | None = None) -> Path:
        torch.manual_seed(0)
        network = ExpressionClassifier(
            ConvEncoder(widths=(8, 16)), labels=3, streams=streams, features=16, hidden=8, grid=2
        )
        state = {f"network.{name}": value for name, value in network.state_dict().items()}
        about: dict[str, Any] = {
            "kind": "classifier",
            "task": task,
            "emotions": ["neutral", "happy", "sad"],
            "aus": [1, 2, 12],
            "network": describe(network),
            "alignment": (alignment or Alignment(SIZE)).describe(),
            "subjects": ["ada"],
        }
        path = tmp_path / f"{task}-{streams}.ckpt"
        torch.save({"state_dict": state, "norface": about}, path)
        return path

    return make
