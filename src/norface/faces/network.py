"""What detectors that are networks from a file have in common."""

from __future__ import annotations

from pathlib import Path

from norface.faces.contract import Detection, Detector
from norface.faces.looking import LOOKING, look
from norface.imaging.pixels import Pixels
from norface.network_files import file_sha256


class NetworkDetector(Detector):
    """Looks at pictures of any size by `look`; describes itself by its library, its file and its settings.

    Attributes:
        library: Package that runs the network.
        path: File of the network.
        score: Least confidence of a face, 0..1.
    """

    library: str
    path: Path
    score: float

    def library_version(self) -> str:
        """Version of the package."""
        raise TypeError(f"{type(self).__name__} defines no library_version")

    def find_in(self, pixels: Pixels) -> list[Detection]:
        """Faces in uint8 RGB ``(H, W, 3)`` whose sides are multiples of 32, in pixels of that picture."""
        raise TypeError(f"{type(self).__name__} defines no find_in")

    def detect(self, pixels: Pixels) -> list[Detection]:
        """All faces of uint8 RGB ``(H, W, 3)``; without points where the network gives none."""
        return look(self.find_in, pixels)

    def describe(self) -> dict[str, object]:
        """Library and version, file and settings."""
        return {
            "name": self.name,
            "library": self.library,
            "version": self.library_version(),
            "weights": self.path.name,
            "sha256": file_sha256(self.path),
            "score": self.score,
            **LOOKING,
        }
