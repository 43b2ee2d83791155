"""The normalizer that ships with norface, where this checkout has it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from norface.checkpoints import open_checkpoint
from norface.imaging.convert import to_tensor
from norface.network_files import file_sha256
from norface.normalizer import Normalizer
from norface.packed import SHIPPED
from norface.synthetic import FaceFactors, ProceduralFaces

pytestmark = pytest.mark.skipif(not SHIPPED.is_file(), reason="no normalizer is shipped with this checkout")

CARD = SHIPPED.with_name("MODEL_CARD.md")


def numbers_of(notes: Any) -> list[float]:
    if isinstance(notes, dict | list):
        return [
            number for part in (notes.values() if isinstance(notes, dict) else notes) for number in numbers_of(part)
        ]
    return [float(notes)] if isinstance(notes, int | float) else []


def test_it_is_small_and_holds_no_more_than_it_must() -> None:
    assert SHIPPED.stat().st_size <= 12e6
    about = open_checkpoint(Path("default"))["norface"]
    assert about["subjects"]
    assert all(":" in name for name in about["subjects"])
    assert {"seed", "commit", "command", "data", "figures"} <= set(about["notes"])


def test_its_card_tells_what_the_file_says() -> None:
    card = CARD.read_text(encoding="utf-8")
    assert "TODO" not in card
    notes = open_checkpoint(Path("default"))["norface"]["notes"]
    assert file_sha256(SHIPPED) in card
    assert Normalizer.default().fingerprint in card
    assert str(notes["commit"]) in card
    told = {float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", card.replace(",", ""))}
    figures = numbers_of(notes["figures"])
    assert figures
    assert not [figure for figure in figures if figure not in told]


def test_a_smile_and_a_neutral_face_become_different_pictures() -> None:
    normalizer = Normalizer.default()
    source = ProceduralFaces(seed=5, alignment=normalizer.alignment)
    who = source.identity(3)
    smile = {6: 4.0, 12: 5.0, 25: 4.0}
    faces = [source.draw(FaceFactors(identity=who, aus=aus)).image for aus in ({}, smile)]
    neutral, smiling = (normalizer(face).astype(float) for face in faces)
    mouth = slice(normalizer.image_size * 6 // 10, None)
    assert abs(neutral - smiling)[mouth].mean() > 2  # grey levels
    target: Tensor = normalizer.target[0]
    background = torch.cat([to_tensor(normalizer(face))[:, :4, :4] - target[:, :4, :4] for face in faces])
    assert background.abs().mean() < 0.1
