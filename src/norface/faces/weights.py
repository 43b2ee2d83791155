"""Network files of the detectors: their names, source pages and licences. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from norface.errors import DetectionError
from norface.network_files import FOLDER_VARIABLE, NetworkFile, check_sha256, pages, weights_folder

_FACEXLIB = "https://github.com/xinntao/facexlib/releases/tag/v0.1.0"
_INSIGHTFACE = "https://github.com/deepinsight/insightface/tree/master/model_zoo"
_YUNET = "https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet"
_YUNET_TRAIN = "https://github.com/ShiqiYu/libfacedetection.train/tree/master/onnx"
_RESEARCH = "non-commercial research only"
_WIDER = "code MIT, the files have no licence of their own; trained on WIDER FACE"

NETWORK_FILES: tuple[NetworkFile, ...] = (
    NetworkFile(
        "retinaface",
        "detection_Resnet50_Final.pth",
        _WIDER,
        _FACEXLIB,
        "6d1de9c2944f2ccddca5f5e010ea5ae64a39845a86311af6fdf30841b0a5a16d",
    ),
    NetworkFile(
        "retinaface",
        "detection_mobilenet0.25_Final.pth",
        _WIDER,
        _FACEXLIB,
        "2979b33ffafda5d74b6948cd7a5b9a7a62f62b949cef24e95fd15d2883a65220",
    ),
    NetworkFile(
        "scrfd",
        "det_10g.onnx",
        _RESEARCH,
        _INSIGHTFACE,
        "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91",
    ),
    NetworkFile(
        "scrfd",
        "det_500m.onnx",
        _RESEARCH,
        _INSIGHTFACE,
        "5e4447f50245bbd7966bd6c0fa52938c61474a04ec7def48753668a9d8b4ea3a",
    ),
    NetworkFile("yunet", "face_detection_yunet_2026may.onnx", "MIT", _YUNET),
    NetworkFile(
        "yunet",
        "face_detection_yunet_2023mar.onnx",
        "MIT",
        _YUNET,
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    ),
    NetworkFile(
        "yunet",
        "yunet_n_dynamic.onnx",
        "Apache-2.0",
        _YUNET_TRAIN,
        "104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12",
    ),
    NetworkFile(
        "yunet",
        "yunet_n_640_640.onnx",
        "Apache-2.0",
        _YUNET_TRAIN,
        "25a606a145a5b6d7271ae138fbd00eba91dad8b83222ae3f2c7ecd0f4a7b0e31",
    ),
)
"""In the order in which a detector looks for its own."""


def files_of(detector: str) -> tuple[NetworkFile, ...]:
    """The files that a detector can read, the preferred one first."""
    return tuple(file for file in NETWORK_FILES if file.reader == detector)


def find_network(detector: str, weights: Path | None, *, accepted: Sequence[str] | None = None) -> Path:
    """The network file of a detector.

    Args:
        detector: Its name.
        weights: The file, or a folder with one of the known files; None = `weights_folder`.
        accepted: File names to look for in a folder instead of the known ones.

    Raises:
        DetectionError: There is none; the message says which, where it goes, where it is from and under which licence.
            Or it has the name of a known file, and is another one.
    """
    place = weights if weights is not None else weights_folder()
    if place.is_file():
        return _checked(place)
    names = accepted if accepted is not None else [file.name for file in files_of(detector)]
    for name in names:
        if (place / name).is_file():
            return _checked(place / name)
    raise missing(detector, place, found="no such file" if place.is_dir() else "no such file or folder")


def expected_sha256(name: str) -> str | None:
    """The digest of a known file, in hex; None where it is not known."""
    return next((file.sha256 for file in NETWORK_FILES if file.name == name), None)


def _checked(path: Path) -> Path:
    return check_sha256(path, expected_sha256(path.name), error=DetectionError)


def missing(detector: str, place: Path, *, found: str) -> DetectionError:
    """The error for a network that is not there."""
    return DetectionError(
        expected=f"the network of the detector {detector}",
        found=found,
        where=str(place),
        action=f"Put it there, or name another place with {FOLDER_VARIABLE} or --weights; nothing is downloaded. "
        f"Known are: {origins(detector)}.",
    )


def origins(detector: str) -> str:
    """The files that a detector can read, with source page and licence, for people."""
    return pages(files_of(detector))


def unusable(detector: str, path: Path, error: Exception) -> DetectionError:
    """The error for a network file that a library cannot read, or that holds something else."""
    reason = (str(error).strip().splitlines() or [""])[0][:200]
    return DetectionError(
        expected=f"a network that the detector {detector} can run",
        found=f"{type(error).__name__}: {reason}",
        where=str(path),
        action=f"Copy the file again from its source, or name another. Known: "
        f"{', '.join(file.name for file in files_of(detector))}.",
    )


def not_installed(detector: str, package: str, error: ImportError) -> DetectionError:
    """The error for a detector whose library is not there or cannot be imported."""
    return DetectionError(
        expected=f"the package {package}, for the detector {detector}",
        found=str(error)[:200],
        where="Python environment",
        action='Install it: pip install "norface[weights]".',
    )
