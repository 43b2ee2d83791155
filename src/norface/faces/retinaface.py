"""RetinaFace (Deng et al., CVPR 2020), run by facexlib."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from norface.errors import DetectionError
from norface.faces.contract import Box, Detection
from norface.faces.network import NetworkDetector
from norface.faces.weights import find_network, missing, not_installed, unusable
from norface.imaging.pixels import Pixels

_MODELS = {
    "detection_Resnet50_Final.pth": "retinaface_resnet50",
    "detection_mobilenet0.25_Final.pth": "retinaface_mobile0.25",
}


class RetinaFace(NetworkDetector):
    """facexlib's RetinaFace, with ResNet-50 or MobileNet 0.25.

    Args:
        weights: One of facexlib's two files under its own name, or a folder with it; None = the folder that
            NORFACE_WEIGHTS names.
        score: Least confidence of a face, 0..1.
        device: ``cpu``, ``cuda``, ``cuda:1`` ...

    Raises:
        DetectionError: facexlib is not installed, the file is missing or damaged, or the device is not there.
    """

    name, library = "retinaface", "facexlib"

    def __init__(self, *, weights: Path | None = None, score: float = 0.8, device: str = "cpu") -> None:
        self.path, self.score, self.device = find_network(self.name, weights), score, device
        if self.path.name not in _MODELS:  # facexlib knows a network by its file's name
            raise missing(self.name, self.path, found="a file of another name")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torchvision's, numba's and filterpy's, about themselves
                from facexlib.detection import init_detection_model
        except ImportError as error:
            raise not_installed(self.name, "facexlib", error) from error
        self._network: Any = self._load(init_detection_model)

    def _load(self, load: Any) -> Any:
        import torch

        _check_device(self.device)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # The file is there, so this finds it in its own cache folder and asks no server.
                folder = str(self.path.parent.resolve())
                return load(_MODELS[self.path.name], device=torch.device(self.device), model_rootpath=folder)
        except Exception as error:  # unpickling and shape errors of many types
            raise unusable(self.name, self.path, error) from error

    def library_version(self) -> str:
        """Version of facexlib."""
        return version("facexlib")

    def find_in(self, pixels: Pixels) -> list[Detection]:
        """See `NetworkDetector`."""
        import torch

        with torch.inference_mode():
            found = self._network.detect_faces(np.ascontiguousarray(pixels[..., ::-1]), self.score)
        rows = np.asarray(found, np.float64).reshape(-1, 15)  # corners, score, five points with the right eye first
        return [_detection(row) for row in rows]


def _detection(row: np.ndarray) -> Detection:
    left, top, right, bottom, score = row[:5].tolist()
    return Detection(Box(left, top, right - left, bottom - top), row[5:].reshape(5, 2), min(score, 1.0))


def _check_device(device: str) -> None:
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise DetectionError(
            expected="a device of this machine",
            found=f"{device}: {(str(error).splitlines() or [''])[0][:160]}",
            where="--device",
            action="Use cpu, or look at what `norface doctor` says about CUDA.",
        ) from error
