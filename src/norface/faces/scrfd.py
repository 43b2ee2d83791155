"""SCRFD (Guo et al., ICLR 2022), run by insightface and ONNX Runtime."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from norface.errors import DetectionError
from norface.faces.contract import Box, Detection
from norface.faces.network import NetworkDetector
from norface.faces.weights import files_of, find_network, missing, not_installed, unusable
from norface.imaging.pixels import Pixels
from norface.network_files import weights_folder

_PATTERNS = ("det_*.onnx", "scrfd*.onnx")
_MANIFEST = "manifest.json"
_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


class Scrfd(NetworkDetector):
    """The detector of an insightface model pack, such as ``buffalo_l``; the pack's other networks are not loaded.

    Args:
        weights: Folder of a model pack, or its detector's .onnx file; None = the folder that NORFACE_WEIGHTS names.
        score: Least confidence of a face, 0..1.
        device: ``cpu`` or ``cuda``.

    Raises:
        DetectionError: insightface is not installed, the folder has no detector, the file is damaged or no SCRFD, or
            ONNX Runtime has no CUDA.
    """

    name, library = "scrfd", "insightface"

    def __init__(self, *, weights: Path | None = None, score: float = 0.5, device: str = "cpu") -> None:
        place = weights if weights is not None else weights_folder()
        manifest = _says_what_it_holds(place)
        self.score, self.device = score, device
        self.path = place / _MANIFEST if manifest else _file_of(place)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # scikit-image's and others' about themselves
                from insightface.model_zoo import get_model
        except ImportError as error:
            raise not_installed(self.name, "insightface", error) from error
        providers = [_CPU] if device == "cpu" else [_CUDA, _CPU]
        import onnxruntime

        _check_device(device, onnxruntime.get_available_providers())
        try:
            # insightface 2 would keep a session for every size of picture that it meets.
            options: dict[str, Any] = {"providers": providers, "static_shape_sessions": False}
            if manifest:
                network = get_model(str(place), model_task="detection", **options)
            else:
                network = get_model(str(self.path), **options)
            self._prepare(network)
        except DetectionError:
            raise
        except Exception as error:  # assertions, protobuf's and ONNX Runtime's own types
            raise unusable(self.name, self.path, error) from error

    def _prepare(self, network: Any) -> None:
        if getattr(network, "taskname", None) != "detection":
            found = getattr(network, "taskname", "a network that insightface does not know")
            raise missing(self.name, self.path, found=f"{found}, no detector")
        network.prepare(-1 if self.device == "cpu" else 0, det_thresh=self.score)
        _check_device(self.device, network.session.get_providers())  # it falls back to the CPU and only warns
        self._network, self.path = network, Path(network.model_file)
        # A network with an input of one size brings the picture to it by itself.
        self._free = getattr(network, "static_input_size", network.input_size) is None
        self.find_in(np.zeros((64, 96, 3), np.uint8))  # other outputs are noticed here, not at the first image

    def library_version(self) -> str:
        """Version of insightface."""
        return version("insightface")

    def find_in(self, pixels: Pixels) -> list[Detection]:
        """See `NetworkDetector`."""
        size = (pixels.shape[1], pixels.shape[0]) if self._free else None
        corners, points = self._network.detect(np.ascontiguousarray(pixels[..., ::-1]), input_size=size)
        boxes = np.asarray(corners, np.float64).reshape(-1, 5)
        known = [None] * len(boxes) if points is None else np.asarray(points, np.float64).reshape(-1, 5, 2)
        return [
            Detection(Box(left, top, right - left, bottom - top), marks, min(score, 1.0))
            for (left, top, right, bottom, score), marks in zip(boxes.tolist(), known, strict=True)
        ]


def _check_device(device: str, providers: Sequence[str]) -> None:
    if device != "cpu" and _CUDA not in providers:
        raise DetectionError(
            expected=f"ONNX Runtime with CUDA, for the device {device}",
            found=", ".join(providers),
            where="--device",
            action="Install onnxruntime-gpu instead of onnxruntime, or use cpu.",
        )


def _says_what_it_holds(place: Path) -> bool:
    """Whether a folder is a model pack whose manifest names the detector, as those since insightface 2 do."""
    try:
        manifest = json.loads((place / _MANIFEST).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("manifest_version") == 2


def _file_of(place: Path) -> Path:
    """The one detector of a pack: a known file, or the only one that is named like a detector."""
    if not place.is_dir() or any((place / file.name).is_file() for file in files_of("scrfd")):
        return find_network("scrfd", place)
    files = sorted({path for pattern in _PATTERNS for path in place.glob(pattern)})
    if len(files) > 1:
        raise missing("scrfd", place, found=f"several that may be meant: {', '.join(path.name for path in files)}")
    return find_network("scrfd", place, accepted=[path.name for path in files])
