"""MediaPipe's face landmarks from an ONNX file: 478 points of an aligned face; differentiable."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from norface.errors import CheckpointError
from norface.imaging.alignment import ARCFACE_112, Points
from norface.teachers.crop import TemplateCrop
from norface.teachers.onnx_network import load_onnx, unusable

SIDE = 256
"""Side of the network's crop in pixels."""

POINTS = 478

BREADTH, CENTRE = 151.0, (55.5, 70.3)
"""Side and centre of the network's crop in pixels of ArcFace's: 1.5 times the landmarks' box, as MediaPipe tracks.

That box is 101 pixels high on drawn faces and on photographs alike.
"""

EXPECTED = f"MediaPipe's landmark network as ONNX: images (N, {SIDE}, {SIDE}, 3) to {POINTS} points"


def five_points() -> Points:
    """Where the five points of the alignment lie in the network's crop ``(5, 2)``."""
    corner = [centre - BREADTH / 2 for centre in CENTRE]
    return (ARCFACE_112 + 0.5 - corner) * (SIDE / BREADTH) - 0.5


class FaceLandmarks(nn.Module):
    """Landmark network with its crop.

    Args:
        path: ``mp_face_landmarks_detector.onnx``, or another conversion of the network in MediaPipe's Face Landmarker.

    Raises:
        ConfigError: onnx2torch is not installed.
        CheckpointError: The file is damaged or holds another network.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.crop = TemplateCrop(five_points(), SIDE)
        self.network = load_onnx(path, expected=EXPECTED)
        try:
            with torch.no_grad():
                found = self.network(torch.zeros(2, SIDE, SIDE, 3))
        except Exception as error:  # whatever an arbitrary graph does with an input that it is not made for
            raise unusable(path, error, expected=EXPECTED) from error
        outputs = found if isinstance(found, list | tuple) else [found]
        sizes = [output.numel() for output in outputs]
        if 2 * 3 * POINTS not in sizes:
            raise CheckpointError(
                expected=EXPECTED,
                found=f"outputs of shape {', '.join(str(tuple(output.shape)) for output in outputs)}",
                where=str(path),
                action="Name the landmark network of MediaPipe's Face Landmarker.",
            )
        self.which = sizes.index(2 * 3 * POINTS)

    def forward(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1] to points ``(B, 478, 3)``: x, y and depth in pixels of the crop."""
        pixels = (self.crop(image) + 1) / 2
        outputs = self.network(pixels.movedim(1, -1))
        points: Tensor = outputs[self.which] if isinstance(outputs, list | tuple) else outputs
        return points.reshape(len(image), POINTS, 3)
