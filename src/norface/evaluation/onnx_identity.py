"""An independent judge of identity: any ArcFace-type network from an ONNX file, run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from norface.errors import CheckpointError, ConfigError
from norface.imaging.alignment import ARCFACE_112, Alignment, invert, similarity

SIDE = 112
"""Side of ArcFace's crop in pixels."""


class OnnxIdentity:
    """Images in norface's crop to identity embeddings.

    Both crops put the same five points at known places, so one fixed similarity leads from ours to ArcFace's; landmarks
    are not needed again. Not differentiable: for evaluation only.

    Args:
        path: ONNX file with input ``(N, 3, 112, 112)``, RGB, and output ``(N, D)``, such as insightface's
            ``w600k_r50.onnx`` (`mean` and `scale` of 127.5) or a MobileFace that normalises by itself (0 and 1).
        alignment: How the images that it will get are cropped.
        mean, scale: The network sees ``(pixel - mean) / scale`` of pixels in 0..255.

    Raises:
        ConfigError: ONNX Runtime is not installed.
        CheckpointError: The file is missing, damaged, or of another shape.
        AlignmentError: The images are crops of which nobody knows where the five points are.
    """

    def __init__(self, path: Path, *, alignment: Alignment, mean: float = 127.5, scale: float = 127.5) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise ConfigError(
                expected="the package onnxruntime, to run a network from an ONNX file",
                found="it is not installed",
                where=str(path),
                action='Install it: pip install "norface[weights]".',
            ) from error
        if not path.is_file():
            raise CheckpointError(
                expected="an ONNX file of a face-recognition network",
                found="no such file",
                where=str(path),
                action="Correct the path; norface downloads nothing.",
            )
        self.grid = _sampling_grid(alignment)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # warnings about initialisers tell a user nothing
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            self.name = self.session.get_inputs()[0].name
            self.mean, self.scale = mean, scale
            self(torch.zeros(1, 3, alignment.size, alignment.size))
        except Exception as error:  # onnxruntime raises its own, undocumented types
            raise CheckpointError(
                expected=f"a network for images (N, 3, {SIDE}, {SIDE})",
                found=f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:160]}",
                where=str(path),
                action="Name an ArcFace-type face-recognition network.",
            ) from error

    def __call__(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, S, S)`` in [-1, 1], aligned as announced, to unit-norm embeddings ``(B, D)``."""
        grid = self.grid.expand(len(image), -1, -1, -1)
        crop = F.grid_sample(image, grid, mode="bicubic", padding_mode="border", align_corners=False)
        pixels = ((crop.clamp(-1, 1) + 1) * 127.5 - self.mean) / self.scale
        (embedding,) = self.session.run(None, {self.name: pixels.numpy().astype(np.float32)})[:1]
        return F.normalize(torch.from_numpy(np.asarray(embedding, np.float32)).flatten(1), dim=1)


def _sampling_grid(alignment: Alignment) -> Tensor:
    """Where each pixel of ArcFace's crop lies in ours: ``(1, 112, 112, 2)``, in -1..1 as `grid_sample` wants it."""
    back = invert(similarity(alignment.template(), ARCFACE_112))
    axis = np.arange(SIDE, dtype=np.float64)
    x, y = np.meshgrid(axis, axis)
    source = np.stack([x, y], -1) @ back[:, :2].T + back[:, 2]
    return torch.from_numpy((source + 0.5) / alignment.size * 2 - 1).float()[None]
