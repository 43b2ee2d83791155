from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from norface.cli.main import FAILED, USAGE, main
from norface.evaluation.target import TargetCheck, check_landmarks, check_pixels, check_teachers
from norface.imaging.alignment import Alignment
from norface.imaging.files import write_png
from norface.synthetic import Background, FaceFactors, Light, ProceduralFaces
from norface.teachers.base import ExpressionReading, ExpressionTeacher, HeadPoseTeacher

SIZES = (64, 128)
PLAIN = ProceduralFaces(alignment=Alignment(64)).target_factors(0)
TARGET = replace(PLAIN, aus={}, skew={})
SIDE_LIGHT = Light(azimuth=80, elevation=10, key=1.1, ambient=0.15, softness=0.0)
CLUTTER = Background("blobs", (0.2, 0.3, 0.4), (0.8, 0.7, 0.6), seed=3)


def failures(factors: FaceFactors, size: int) -> set[str]:
    face = ProceduralFaces(alignment=Alignment(size)).draw(factors)
    checks = check_pixels(face.image, source_side=size, size=size) + check_landmarks(face.landmarks)
    return {check.name for check in checks if not check.passed}


@pytest.mark.parametrize("size", SIZES)
def test_the_drawn_target_passes(size: int) -> None:
    assert failures(TARGET, size) == set()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("yaw", [-20, 20])
def test_a_turned_head_fails(yaw: float, size: int) -> None:
    assert {"symmetry", "nose off the middle"} <= failures(replace(TARGET, yaw=yaw), size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("changed", "name"),
    [
        (replace(TARGET, light=SIDE_LIGHT), "light left-right"),
        (replace(TARGET, blur=0.02), "sharpness"),
        (replace(TARGET, background=CLUTTER), "background"),
    ],
)
def test_what_is_wrong_is_named(changed: FaceFactors, name: str, size: int) -> None:
    assert name in failures(changed, size)


def test_an_enlarged_picture_and_a_single_colour_fail() -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    failed = {check.name for check in check_pixels(grey, source_side=40, size=64) if not check.passed}
    assert failed == {"size", "symmetry", "sharpness"}


class Smile(ExpressionTeacher):
    """Says what it is told."""

    names = ("eyeLookDownLeft", "jawOpen", "AU12")

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, image: Tensor) -> ExpressionReading:
        return ExpressionReading(image[:, :, 0, 0], torch.tensor([[0.9, 0.1, self.strength]]))


class Turn(HeadPoseTeacher):
    """Reads yaw off the brightness of the left half, with a zero of its own."""

    def forward(self, image: Tensor) -> Tensor:
        half = image.shape[-1] // 2
        yaw = 40 * (image[..., :half].mean((1, 2, 3)) - image[..., half:].mean((1, 2, 3))) + 5
        return torch.stack([yaw, yaw * 0 + 90, yaw * 0], dim=1)


def test_teachers_see_expression_and_turn() -> None:
    face = np.full((32, 32, 3), 100, np.uint8)
    found = {check.name: check for check in check_teachers(face, [Smile(0.8), Turn()])}
    assert not found["expression, AU12"].passed  # and not where the eyes look
    assert found["yaw, degrees"].value == pytest.approx(0, abs=1e-4)
    assert check_teachers(face, [Smile(0.2)])[0].passed
    face[:, :16] = 150
    turned = check_teachers(face, [Turn()])[0]
    assert not turned.passed
    assert turned.value == pytest.approx(40 * 50 / 127.5, rel=1e-3)


def test_a_figure_that_cannot_be_had_fails() -> None:
    for least in (True, False):
        assert not TargetCheck("x", float("nan"), 1.0, least, "").passed


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = ProceduralFaces(alignment=Alignment(64))
    for name, factors, code in (("good", TARGET, 0), ("turned", replace(TARGET, yaw=20), FAILED)):
        face = source.draw(factors)
        write_png(tmp_path / f"{name}.png", face.image)
        points = str(face.landmarks.ravel().tolist())
        for more in ([], ["--landmarks", points]):
            assert main(["target", "check", "--image", str(tmp_path / f"{name}.png"), *more]) == code
            shown = capsys.readouterr().out
            assert ("FAIL  symmetry" in shown, "not looked at: expression" in shown) == (code == FAILED, True)
            assert ("nose off the middle" in shown) == bool(more)
    assert main(["target", "check", "--image", str(tmp_path / "good.png"), "--size", "128"]) == FAILED
    assert "Take a larger picture" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [([], "64 x 48 pixels"), (["--landmarks", "[1, 2]"], "ten numbers"), (["--size", "8"], "at least 32")],
)
def test_bad_input(options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_png(tmp_path / "a.png", np.zeros((48, 64, 3), np.uint8))
    assert main(["target", "check", "--image", str(tmp_path / "a.png"), *options]) == USAGE
    assert message in capsys.readouterr().err
