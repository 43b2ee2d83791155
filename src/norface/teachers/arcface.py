"""Identity teachers from files: face-recognition networks of the ArcFace family (Deng et al. 2019)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from norface.errors import CheckpointError
from norface.imaging.alignment import ARCFACE_112
from norface.teachers.base import IdentityTeacher, full_precision
from norface.teachers.crop import TemplateCrop
from norface.teachers.facexlib_network import load_facexlib
from norface.teachers.onnx_network import load_onnx, unusable
from norface.teachers.weights import find_weights

SIDE = 112
"""Side of ArcFace's crop in pixels."""

NORMALISES_ITSELF = ("mobileface_id_v2.onnx",)
"""Known files that take pixels in 0..255 as they are."""


class ArcFaceOnnx(IdentityTeacher):
    """Any ArcFace-type network from an ONNX file, converted by onnx2torch (extra ``weights``).

    Args:
        weights: The file, or a folder with one of the known files; None = the folder that NORFACE_WEIGHTS names. The
            network takes ``(N, 3, 112, 112)``, RGB, and gives ``(N, D)``.
        mean, scale: It sees ``(pixel - mean) / scale`` of pixels in 0..255; None: what a known file wants, else 127.5
            as insightface's networks.

    Raises:
        ConfigError: onnx2torch is not installed.
        CheckpointError: The file is missing, damaged, another than the known one of its name, or of another shape.
    """

    def __init__(self, weights: str | None = None, *, mean: float | None = None, scale: float | None = None) -> None:
        super().__init__()
        path = find_weights("ArcFaceOnnx", weights)
        expected = f"an ONNX network from images (N, 3, {SIDE}, {SIDE}) to embeddings (N, D)"
        itself = path.name in NORMALISES_ITSELF
        self.mean = (0.0 if itself else 127.5) if mean is None else mean
        self.scale = (1.0 if itself else 127.5) if scale is None else scale
        self.crop = TemplateCrop(ARCFACE_112, SIDE)
        self.network = load_onnx(path, expected=expected)
        self.freeze()
        try:
            with torch.no_grad():
                found = self.network(torch.zeros(2, 3, SIDE, SIDE))
        except Exception as error:  # whatever an arbitrary graph does with an input that it is not made for
            raise unusable(path, error, expected=expected) from error
        shape = tuple(found.shape) if isinstance(found, Tensor) else None
        if shape is None or len(shape) != 2 or shape[0] != 2:
            raise CheckpointError(
                expected=expected,
                found=f"outputs of shape {shape}" if shape else f"{len(found)} outputs",
                where=str(path),
                action="Name an ArcFace-type face-recognition network that takes any number of faces.",
            )

    def forward(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1] to unit-norm embeddings ``(B, D)``."""
        with full_precision(image):
            pixels = (self.crop(image.float()) + 1) * 127.5
            return F.normalize(self.network((pixels - self.mean) / self.scale), dim=1)


class ArcFaceIRSE50(IdentityTeacher):
    """facexlib's ArcFace, an IR-SE50 (``recognition_arcface_ir_se50.pth``; extra ``weights``).

    Args:
        weights: The file, or a folder that has it; None = the folder that NORFACE_WEIGHTS names.

    Raises:
        ConfigError: facexlib is not installed.
        CheckpointError: The file is missing, damaged, or holds another network.
    """

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        path = find_weights("ArcFaceIRSE50", weights)
        self.crop = TemplateCrop(ARCFACE_112, SIDE)
        self.network = load_facexlib(
            path, "facexlib.recognition.arcface_arch", "Backbone", num_layers=50, drop_ratio=0.6, mode="ir_se"
        )
        self.freeze()

    def forward(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1] to unit-norm embeddings ``(B, 512)``."""
        with full_precision(image):
            return F.normalize(self.network(self.crop(image.float())), dim=1)  # it takes RGB in [-1, 1] as well
