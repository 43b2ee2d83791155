"""Is a picture fit to be the common face of a normalizer? Everything that is wrong with it returns in every output.

Limits were set on drawn faces: the drawn targets pass, and a head turned by 20 degrees, light from the side, a blur of
2 % of the side or a cluttered background does not (tests/evaluation/test_target.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from norface.imaging.alignment import Points
from norface.imaging.convert import to_tensor
from norface.imaging.pixels import Pixels
from norface.teachers import ExpressionTeacher, HeadPoseTeacher, Teacher

Grey = NDArray[np.float64]

SIDE = 96
"""Side in pixels at which symmetry and light are looked at, whatever the picture's size."""

_ROWS, _COLUMNS = (0.35, 0.9), (0.25, 0.75)
"""Brows to chin, and cheek to cheek, as shares of an aligned crop: neither hair at the sides nor background."""

_CORNER = 0.125
"""Side of the two upper corners, as a share of the crop's."""


@dataclass(frozen=True)
class TargetCheck:
    """One thing looked at.

    Args:
        name: What.
        value: What was found.
        limit: What it must be.
        least: Whether `limit` is the least allowed value; if not, the largest.
        advice: What to do where it fails.
    """

    name: str
    value: float
    limit: float
    least: bool
    advice: str

    @property
    def passed(self) -> bool:
        """NaN fails."""
        return self.value >= self.limit if self.least else self.value <= self.limit


def check_pixels(face: Pixels, *, source_side: float, size: int) -> list[TargetCheck]:
    """What pixels alone tell.

    Args:
        face: Aligned crop, uint8 RGB ``(size, size, 3)``.
        source_side: Side of the crop in pixels of the picture that it was cut from.
        size: Side in pixels of the faces that the normalizer shall make.
    """
    return [
        TargetCheck("size", source_side, size, True, f"Take a larger picture: {size} pixels are asked of the crop."),
        TargetCheck("symmetry", symmetry(face), 0.75, True, "Look straight ahead; no hair or shadow across the face."),
        TargetCheck("light left-right", unevenness(face), 0.4, False, "Light the face evenly, from the front."),
        TargetCheck("sharpness", sharpness(face), 0.45, True, "Take a picture in focus, not enlarged or compressed."),
        TargetCheck("background", clutter(face), 0.13, False, "Take a picture before a plain wall, hair tied back."),
    ]


def check_landmarks(points: Points) -> list[TargetCheck]:
    """What five landmarks ``(5, 2)`` tell, in the alignment's order: whether the head is turned or tilted sideways."""
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    across, down = points[1] - points[0], mouth - eyes
    breadth = float(np.linalg.norm(across))
    nose = points[2] - eyes - down * (((points[2] - eyes) @ down) / (down @ down))
    aside = abs(float(nose @ across)) / breadth**2
    return [TargetCheck("nose off the middle", aside, 0.08, False, "Turn the head to the camera.")]


@torch.inference_mode()
def check_teachers(face: Pixels, teachers: Sequence[Teacher]) -> list[TargetCheck]:
    """What networks tell of an aligned crop ``(S, S, 3)``; identity teachers have nothing to say.

    A head-pose network's zero is its own, so the face is compared with its mirror image: half the difference of both
    readings is the yaw or roll. Pitch has no such measure.
    """
    image = to_tensor(face)[None]
    checks: list[TargetCheck] = []
    for teacher in teachers:
        if isinstance(teacher, HeadPoseTeacher):
            turned = ((teacher(image) - teacher(image.flip(-1))) / 2)[0].abs().tolist()
            checks += [
                TargetCheck(f"{axis}, degrees", turned[place], limit, False, "Turn the head straight to the camera.")
                for axis, place, limit in (("yaw", 0, 8.0), ("roll", 2, 5.0))
            ]
        elif isinstance(teacher, ExpressionTeacher):
            outputs = teacher(image).outputs[0]
            seen = [index for index, name in enumerate(teacher.names) if not name.startswith("eyeLook")]
            strongest = max(seen, key=lambda index: float(outputs[index]))
            name = f"expression, {teacher.names[strongest]}"
            checks.append(TargetCheck(name, float(outputs[strongest]), 0.5, False, "Take a picture at rest."))
    return checks


def symmetry(face: Pixels) -> float:
    """Correlation of the face with its mirror image, by where brightness changes from top to bottom.

    Brows, eyes, nostrils and mouth change so; a shading from left to right does not, and would hide a turn.
    """
    grey = np.log(_grey(_at(face, SIDE)) + 0.05)
    edges = np.abs(cv2.Sobel(cv2.GaussianBlur(grey, (0, 0), 1.0), cv2.CV_64F, 0, 1))
    inner = _inner(np.asarray(cv2.GaussianBlur(edges, (0, 0), 2.0), np.float64))
    if inner.std() == 0:
        return float("nan")
    return float(np.corrcoef(inner.ravel(), inner[:, ::-1].ravel())[0, 1])


def unevenness(face: Pixels) -> float:
    """Difference in mean brightness of the face's halves, as a share of their mean: 0 even .. 2 one half black."""
    inner = _inner(_grey(_at(face, SIDE)))
    half = inner.shape[1] // 2
    left, right = inner[:, :half].mean(), inner[:, -half:].mean()
    return float(2 * abs(left - right) / max(left + right, 1e-6))


def sharpness(face: Pixels) -> float:
    """Spread of the Laplacian relative to that of brightness, times side / 64: how sharp it is at its own size."""
    inner = _inner(_grey(face))
    return float(cv2.Laplacian(inner, cv2.CV_64F).std() / max(inner.std(), 1e-6) * len(face) / 64)


def clutter(face: Pixels) -> float:
    """Largest spread of a colour, 0..1, over both upper corners."""
    side = max(round(_CORNER * len(face)), 1)
    corners = np.concatenate([face[:side, :side].reshape(-1, 3), face[:side, -side:].reshape(-1, 3)])
    return float((corners / 255.0).std(0).max())


def _at(face: Pixels, side: int) -> Pixels:
    return np.asarray(cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _grey(face: Pixels) -> Grey:
    return np.asarray(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), np.float64) / 255.0


def _inner(image: Grey) -> Grey:
    side = len(image)
    (top, bottom), (left, right) = ((round(a * side), round(b * side)) for a, b in (_ROWS, _COLUMNS))
    return np.ascontiguousarray(image[top:bottom, left:right])
