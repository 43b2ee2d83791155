from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from norface.errors import CheckpointError
from norface.imaging.alignment import Alignment, align
from norface.imaging.convert import to_tensor
from norface.imaging.files import read_image
from norface.teachers import HopeNet, LandmarkPose


class Turned(torch.nn.Module):
    """Stands in for the landmark network: a head of four points, turned by known angles in degrees."""

    def __init__(self, yaw: float, pitch: float, roll: float) -> None:
        super().__init__()
        self.angles = [np.deg2rad(angle) for angle in (yaw, pitch, roll)]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        points = torch.zeros(1, 478, 3)
        points[0, 33], points[0, 263] = torch.tensor([-50.0, 0, 0]), torch.tensor([50.0, 0, 0])
        points[0, 10], points[0, 168] = torch.tensor([0.0, -80, 0]), torch.tensor([0.0, -10, 0])
        yaw, pitch, roll = self.angles
        about_y = torch.tensor([[np.cos(yaw), 0, 0], [0, 1, 0], [np.sin(yaw), 0, 1]], dtype=torch.float32)
        about_x = torch.tensor([[1, 0, 0], [0, np.cos(pitch), 0], [0, np.sin(pitch), 1]], dtype=torch.float32)
        cos, sin = np.cos(roll), np.sin(roll)
        about_z = torch.tensor([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], dtype=torch.float32)
        return (points @ (about_z @ about_x @ about_y).T).repeat(len(image), 1, 1)


@pytest.mark.parametrize(("axis", "angles"), [(0, (20.0, 0, 0)), (1, (0, -15.0, 0)), (2, (0, 0, 10.0))])
def test_each_angle_is_read_alone(mediapipe: Path, axis: int, angles: tuple[float, float, float]) -> None:
    teacher = LandmarkPose(str(mediapipe))
    teacher.landmarks = Turned(*angles)  # type: ignore[assignment]
    found = teacher(torch.zeros(2, 3, 64, 64))
    assert found.shape == (2, 3)
    assert found[0].tolist() == pytest.approx([angle if i == axis else 0 for i, angle in enumerate(angles)], abs=1e-3)


def test_gradients_reach_the_image(mediapipe: Path) -> None:
    teacher = LandmarkPose(str(mediapipe))
    image = torch.rand(2, 3, 64, 64, requires_grad=True)
    assert torch.autograd.grad(teacher(image).sum(), image)[0].abs().sum() > 0
    assert not any(p.requires_grad for p in teacher.parameters())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"HopeNet: headpose_hopenet\.pth.*300W-LP"):
        HopeNet(str(tmp_path))
    with pytest.raises(CheckpointError, match=r"mp_face_landmarks_detector\.onnx"):
        LandmarkPose(str(tmp_path))


def test_the_real_network_sees_which_way_drawn_faces_look(weights: Path, drawn_faces: Path) -> None:
    import pandas as pd

    frame = pd.read_csv(drawn_faces / "faces.csv").head(24)
    points = frame.filter(regex="_[xy]$").to_numpy().reshape(-1, 5, 2)
    faces = [
        to_tensor(align(read_image(drawn_faces / name), p, Alignment(128)))
        for name, p in zip(frame["image"], points, strict=True)
    ]
    with torch.inference_mode():
        found = LandmarkPose(str(weights))(torch.stack(faces)).numpy()
    for axis, name in enumerate(("yaw", "pitch")):
        assert abs(np.corrcoef(found[:, axis], frame[name])[0, 1]) > 0.6, name
