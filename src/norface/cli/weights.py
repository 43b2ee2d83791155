"""``norface weights list``: the network files that norface can use, and which of them are here."""

from __future__ import annotations

from pathlib import Path

from norface.network_files import FOLDER_VARIABLE, NetworkFile, file_sha256, weights_folder

PURPOSES = {
    "retinaface": "detector: faces and five landmarks",
    "scrfd": "detector: faces and five landmarks",
    "yunet": "detector: faces and five landmarks",
    "ArcFaceOnnx": "teacher: identity",
    "ArcFaceIRSE50": "teacher: identity",
    "Blendshapes": "teacher: expression (and LandmarkPose: head pose); needs all three files",
    "HopeNet": "teacher: head pose",
}
"""What each reader of network files is for."""


def list_weights(*, weights: Path | None = None) -> None:
    """Name every known network file: what it is for, whether it is here, its licence and where to get it.

    Args:
        weights: Folder to look in; without it, the folder NORFACE_WEIGHTS.
    """
    from norface.faces.weights import NETWORK_FILES
    from norface.teachers.weights import TEACHER_FILES

    folder = weights_folder() if weights is None else weights
    named_by = f"named by {FOLDER_VARIABLE}" if weights is None else "named by --weights"
    print(f"looked in {folder} ({named_by if folder.is_dir() else 'no such folder'}); nothing is downloaded\n")
    reader = ""
    for file in (*NETWORK_FILES, *TEACHER_FILES):
        if file.reader != reader:
            reader = file.reader
            print(f"{reader} - {PURPOSES[reader]}")
        print(f"  {file.name:<34} {state(folder / file.name, file)}")
        print(f"  {'':<34} {file.licence}\n  {'':<34} {file.source}")


def state(path: Path, file: NetworkFile) -> str:
    """Whether a file is here, and is the one it should be."""
    if not path.is_file():
        return "missing"
    if file.sha256 is None:
        return "found, sha256 not known"
    return "found, sha256 right" if file_sha256(path) == file.sha256 else "found, sha256 WRONG: damaged or another file"
