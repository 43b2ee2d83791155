"""YuNet (Wu, Peng and Yu, Machine Intelligence Research 2023), run by OpenCV: small, fast, no further package."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from norface.faces.contract import Box, Detection
from norface.faces.network import NetworkDetector
from norface.faces.weights import find_network, unusable
from norface.imaging.opencv_log import errors_only
from norface.imaging.pixels import Pixels

_OVERLAP, _KEPT = 0.3, 5000  # of non-maximum suppression, OpenCV's defaults


class YuNet(NetworkDetector):
    """``cv2.FaceDetectorYN``; runs on the CPU.

    Args:
        weights: The ONNX file, or a folder with one of the known ones (those with fixed 640 x 640 inputs work as well);
            None = the folder that NORFACE_WEIGHTS names.
        score: Least confidence of a face, 0..1.

    Raises:
        DetectionError: The file is missing, damaged, or no YuNet.
    """

    name, library = "yunet", "opencv"

    def __init__(self, *, weights: Path | None = None, score: float = 0.6) -> None:
        self.path, self.score = find_network(self.name, weights), score
        try:
            with errors_only():  # OpenCV 5 warns of a target that nobody asked for
                self._network = cv2.FaceDetectorYN.create(str(self.path), "", (64, 64), score, _OVERLAP, _KEPT)
            # Another kind of network is noticed here, not at the first image.
            self.find_in(np.zeros((64, 96, 3), np.uint8))
        except cv2.error as error:
            raise unusable(self.name, self.path, error) from error

    def library_version(self) -> str:
        """Version of opencv."""
        return str(cv2.__version__)

    def find_in(self, pixels: Pixels) -> list[Detection]:
        """See `NetworkDetector`."""
        self._network.setInputSize((pixels.shape[1], pixels.shape[0]))
        _, found = self._network.detect(np.ascontiguousarray(pixels[..., ::-1]))
        if found is None:
            return []
        rows = np.asarray(found, np.float64)  # (N, 15): box, five points with the right eye first, score
        return [Detection(Box(*row[:4].tolist()), row[4:14].reshape(5, 2), min(float(row[14]), 1.0)) for row in rows]
