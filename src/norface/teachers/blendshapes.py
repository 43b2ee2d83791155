"""Expression teacher from files: MediaPipe's 52 blendshapes, read from its 478 landmarks; differentiable, batched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from norface.errors import CheckpointError, ConfigError
from norface.teachers.base import ExpressionReading, ExpressionTeacher, full_precision
from norface.teachers.landmarks import POINTS, FaceLandmarks
from norface.teachers.onnx_network import load_onnx, unusable
from norface.teachers.weights import find_weights

BLIND = (
    "_neutral",
    "cheekPuff",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "noseSneerLeft",
    "noseSneerRight",
)
"""Outputs that hardly move whatever the face does: MediaPipe is blind to them."""


class Blendshapes(ExpressionTeacher):
    """Landmarks, then blendshapes ``browDownLeft`` ... ``mouthUpperUpRight`` in 0..1, without those of `BLIND`.

    Both networks are converted by onnx2torch (extra ``weights``). The embedding is the direction of (outputs, 1): the 1
    gives the neutral face a direction too, and the cosine distance of two faces is about half the squared distance of
    their outputs.

    Args:
        weights: Folder of the three files; None = the folder that NORFACE_WEIGHTS names.
        landmarks, blendshapes: Names of the network files in that folder, or absolute paths.
        vocabulary: JSON file with ``landmark_subset``, the landmarks that the second network takes, and ``names``, what
            it gives.
        emphasis: Weights of outputs in a comparison of two faces, by name; 1 where not given, 0 = not compared.

    Raises:
        ConfigError: onnx2torch is not installed, or `emphasis` names an output that there is not.
        CheckpointError: A file is missing, damaged, another than the known one of its name, or of another shape.
    """

    subset: Tensor
    kept: Tensor

    def __init__(
        self,
        weights: str | None = None,
        *,
        landmarks: str = "mp_face_landmarks_detector.onnx",
        blendshapes: str = "mp_face_blendshapes.onnx",
        vocabulary: str = "mp_face_blendshapes.json",
        emphasis: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        subset, names = read_vocabulary(_find(weights, vocabulary))
        self.landmarks = FaceLandmarks(_find(weights, landmarks))
        path = _find(weights, blendshapes)
        self.network = _load_network(path, len(subset), len(names))
        self.names = tuple(name for name in names if name not in BLIND)
        self.emphasis = _emphasis(self.names, emphasis or {})
        self.register_buffer("subset", torch.tensor(subset), persistent=False)
        kept = [names.index(name) for name in self.names]
        self.register_buffer("kept", torch.tensor(kept), persistent=False)
        self.freeze()

    def forward(self, image: Tensor) -> ExpressionReading:
        """Images ``(B, 3, H, W)`` in [-1, 1] to an `ExpressionReading`."""
        with full_precision(image):
            outputs = self.blendshapes(self.landmarks(image.float()))[:, self.kept]
            lifted = torch.cat([outputs, torch.ones_like(outputs[:, :1])], dim=1)
            return ExpressionReading(F.normalize(lifted, dim=1), outputs)

    def blendshapes(self, points: Tensor) -> Tensor:
        """Landmarks ``(B, 478, 3)`` in pixels to all blendshapes ``(B, 52)`` in 0..1."""
        return read_batch(self.network, points[:, self.subset, :2])


def read_batch(network: nn.Module, points: Tensor) -> Tensor:
    """Run a network whose graph takes one face on a batch: ``(B, N, 2)`` to ``(B, K)``."""
    outputs: Tensor = torch.func.vmap(lambda one: network(one[None]).flatten())(points)
    return outputs


def _find(weights: str | None, name: str) -> Path:
    return find_weights(Blendshapes.__name__, weights, (name,))


def read_vocabulary(path: Path) -> tuple[list[int], list[str]]:
    """Which landmarks the blendshape network takes, and the names of what it gives.

    Raises:
        CheckpointError: The file is no such JSON.
    """
    expected = '{"landmark_subset": [numbers of landmarks], "names": [names of blendshapes]}'
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        subset, names = [int(number) for number in read["landmark_subset"]], [str(name) for name in read["names"]]
    except (LookupError, TypeError, ValueError) as error:
        raise unusable(path, error, expected=expected) from error
    if not subset or not names or not all(0 <= number < POINTS for number in subset):
        raise unusable(path, ValueError(f"{len(subset)} landmarks, {len(names)} names"), expected=expected)
    return subset, names


def _load_network(path: Path, points: int, names: int) -> nn.Module:
    expected = f"MediaPipe's blendshape network as ONNX: points (1, {points}, 2) to {names} numbers"
    network = load_onnx(path, expected=expected)
    try:
        with torch.no_grad():
            found = read_batch(network, torch.rand(2, points, 2))
    except Exception as error:  # whatever an arbitrary graph does with an input that it is not made for
        raise unusable(path, error, expected=expected) from error
    if found.shape != (2, names):
        raise CheckpointError(
            expected=expected,
            found=f"{found.shape[1]} numbers",
            where=str(path),
            action="Name the blendshape network of MediaPipe's Face Landmarker, and its own JSON file.",
        )
    return network


def _emphasis(names: tuple[str, ...], given: Mapping[str, float]) -> tuple[float, ...]:
    unknown = sorted(set(given) - set(names))
    weights = tuple(float(given.get(name, 1.0)) for name in names)
    if unknown or min(weights) < 0 or max(weights) == 0:
        raise ConfigError(
            expected=f"weights of at least 0, not all of them 0, for some of {', '.join(names)}",
            found=", ".join(unknown) or ", ".join(f"{name}: {weight:g}" for name, weight in given.items()),
            where="expression_teacher.emphasis",
            action="Correct the names and weights; outputs that MediaPipe is blind to are left out already.",
        )
    return weights
