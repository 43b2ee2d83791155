"""Network files of the teachers: what is known of them, and finding them. Nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

from norface.errors import CheckpointError
from norface.network_files import FOLDER_VARIABLE, NetworkFile, check_sha256, pages, weights_folder

_INSIGHTFACE = "https://github.com/deepinsight/insightface/tree/master/model_zoo"
_MOBILEFACE = "https://github.com/becauseofAI/MobileFace"
_MEDIAPIPE = "https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker"
_FACEXLIB = "https://github.com/xinntao/facexlib/releases"

TEACHER_FILES: tuple[NetworkFile, ...] = (
    NetworkFile(
        "ArcFaceOnnx",
        "w600k_r50.onnx",
        "non-commercial research only",
        _INSIGHTFACE,
        "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
    ),
    NetworkFile(
        "ArcFaceOnnx",
        "mobileface_id_v2.onnx",
        "MIT",
        _MOBILEFACE,
        "c4cf14c1f6b5b377b14778719bc5231f420986e1bdba4db528fa075dc6918652",
    ),
    NetworkFile(
        "ArcFaceIRSE50",
        "recognition_arcface_ir_se50.pth",
        "code MIT, the file has no licence of its own; trained on MS-Celeb-1M: research only",
        _FACEXLIB,
        "a035c768259b98ab1ce0e646312f48b9e1e218197a0f80ac6765e88f8b6ddf28",
    ),
    NetworkFile(
        "Blendshapes",
        "mp_face_landmarks_detector.onnx",
        "Apache-2.0",
        _MEDIAPIPE,
        "3d14187da6e9e568aae02e04eb263e600f6f35c4400535fc288caaa8bff4bdf9",
    ),
    NetworkFile(
        "Blendshapes",
        "mp_face_blendshapes.onnx",
        "Apache-2.0",
        _MEDIAPIPE,
        "4ea88c4016e906a8420d6fe2c96c9ebd8726393ec77e8ad54f7b1f4e5cca7e9e",
    ),
    NetworkFile(
        "Blendshapes",
        "mp_face_blendshapes.json",
        "Apache-2.0",
        _MEDIAPIPE,
        "8f7010723c5714df5c794e0617584f467958bd0f2bbef8d717c5dd2da9e1f1ed",
    ),
    NetworkFile(
        "HopeNet",
        "headpose_hopenet.pth",
        "code Apache-2.0, the file has no licence of its own; trained on 300W-LP: research only",
        _FACEXLIB,
    ),
)
"""In the order in which a teacher looks for its own."""


def files_of(teacher: str) -> tuple[NetworkFile, ...]:
    """The files that a teacher is known to read, the preferred one first."""
    return tuple(file for file in TEACHER_FILES if file.reader == teacher)


def expected_sha256(name: str) -> str | None:
    """The digest of a known file, in hex; None where it is not known."""
    return next((file.sha256 for file in TEACHER_FILES if file.name == name), None)


def find_weights(teacher: str, weights: str | None, names: tuple[str, ...] | None = None) -> Path:
    """A file that a teacher needs.

    Args:
        teacher: Name of its class.
        weights: The file, or a folder that has it, from the working directory or from the folder that NORFACE_WEIGHTS
            names; None = that folder.
        names: File names to look for in a folder, the preferred one first; None = those of the known files.

    Raises:
        CheckpointError: It is not there; the message says where it goes, where it is from and under which licence. Or
            it has the name of a known file, and is another one.
    """
    folder = weights_folder()
    place = folder if weights is None else Path(weights)
    if not place.exists() and (folder / place).exists():
        place = folder / place
    names = tuple(file.name for file in files_of(teacher)) if names is None else names
    for path in [place] if place.is_file() else [place / name for name in names]:
        if path.is_file():
            return check_sha256(path, expected_sha256(path.name), error=CheckpointError)
    raise CheckpointError(
        expected=f"a network file of the teacher {teacher}: {' or '.join(names)}",
        found="no such file" if place.is_dir() else "no such file or folder",
        where=str(place),
        action=f"Put it there, or name another place with {FOLDER_VARIABLE} or the teacher's option `weights`; nothing "
        f"is downloaded. Known are: {pages(files_of(teacher))}.",
    )
