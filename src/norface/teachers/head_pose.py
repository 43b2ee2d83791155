"""Head-pose teachers from files."""

from __future__ import annotations

import torch
from torch import Tensor

from norface.imaging.alignment import ARCFACE_112
from norface.teachers.base import HeadPoseTeacher, full_precision
from norface.teachers.crop import TemplateCrop
from norface.teachers.facexlib_network import load_facexlib
from norface.teachers.landmarks import FaceLandmarks
from norface.teachers.weights import find_weights

SIDE = 224
"""Side of HopeNet's crop in pixels."""

MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, of RGB in 0..1."""

BREADTH, CENTRE = 132.0, (56.0, 66.0)
"""Side and centre of HopeNet's crop in pixels of ArcFace's: the face box and a little more, as facexlib crops."""

EYES, FOREHEAD = (33, 263), (10, 168)
"""Landmarks of MediaPipe that no expression moves: outer corners (the subject's right first); hairline, nose bridge."""


class HopeNet(HeadPoseTeacher):
    """facexlib's HopeNet (Ruiz et al. 2018; ``headpose_hopenet.pth``; extra ``weights``).

    Args:
        weights: The file, or a folder that has it; None = the folder that NORFACE_WEIGHTS names.

    Raises:
        ConfigError: facexlib is not installed.
        CheckpointError: The file is missing, damaged, or holds another network.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        path = find_weights("HopeNet", weights)
        corner = [centre - BREADTH / 2 for centre in CENTRE]
        self.crop = TemplateCrop((ARCFACE_112 + 0.5 - corner) * (SIDE / BREADTH) - 0.5, SIDE)
        self.network = load_facexlib(path, "facexlib.headpose.hopenet_arch", "HopeNet", "resnet", [3, 4, 6, 3], 66)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(SPREAD).view(3, 1, 1), persistent=False)
        self.freeze()

    def forward(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1] to yaw, pitch and roll in degrees ``(B, 3)``."""
        with full_precision(image):
            pixels = ((self.crop(image.float()) + 1) / 2 - self.mean) / self.spread
            return torch.stack(self.network(pixels), dim=1)


class LandmarkPose(HeadPoseTeacher):
    """Head pose from the depth of MediaPipe's landmarks, where HopeNet's file is not at hand.

    Yaw and roll are the direction of the line between the outer corners of the eyes, pitch that of the line from the
    hairline to the bridge of the nose; zero is the network's own.

    Args:
        weights: Folder of the file; None = the folder that NORFACE_WEIGHTS names.
        landmarks: Name of the network file in that folder, or an absolute path.

    Raises:
        ConfigError: onnx2torch is not installed.
        CheckpointError: The file is missing, damaged, another than the known one of its name, or of another shape.
    """

    def __init__(self, weights: str | None = None, *, landmarks: str = "mp_face_landmarks_detector.onnx") -> None:
        super().__init__()
        self.landmarks = FaceLandmarks(find_weights("Blendshapes", weights, (landmarks,)))
        self.freeze()

    def forward(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1] to yaw, pitch and roll in degrees ``(B, 3)``."""
        with full_precision(image):
            points = self.landmarks(image.float())
            across, along = (points[:, second] - points[:, first] for first, second in (EYES, FOREHEAD))
            yaw = torch.atan2(across[:, 2], across[:, 0])
            pitch = torch.atan2(along[:, 2], along[:, 1])
            roll = torch.atan2(across[:, 1], across[:, 0])
            return torch.rad2deg(torch.stack([yaw, pitch, roll], dim=1))
