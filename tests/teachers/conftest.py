from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from norface.teachers.blendshapes import BLIND

ASSETS = Path(os.environ.get("NORFACE_ASSETS", Path(__file__).parents[2].parent / "shared" / "assets"))
NAMES = (*BLIND[:2], "jawOpen", "mouthSmileLeft", "browInnerUp", BLIND[3])


@pytest.fixture
def any_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks made by tests may have the names of known ones."""
    monkeypatch.setattr("norface.teachers.weights.expected_sha256", lambda name: None)


@pytest.fixture
def mediapipe(tmp_path: Path, any_content: None) -> Path:
    """Folder with small stand-ins of MediaPipe's three files."""
    pytest.importorskip("onnx2torch")
    from teachers.tiny_onnx import blendshape_network, landmark_network

    folder = tmp_path / "mediapipe"
    folder.mkdir()
    landmark_network(folder / "mp_face_landmarks_detector.onnx")
    blendshape_network(folder / "mp_face_blendshapes.onnx", points=5, names=len(NAMES))
    vocabulary = {"landmark_subset": [0, 17, 100, 263, 477], "names": NAMES}
    (folder / "mp_face_blendshapes.json").write_text(json.dumps(vocabulary))
    return folder


@pytest.fixture(scope="session")
def weights() -> Path:
    """Folder of the real network files."""
    folder = Path(os.environ.get("NORFACE_WEIGHTS", ASSETS / "weights"))
    needed = ("mobileface_id_v2.onnx", "mp_face_landmarks_detector.onnx", "mp_face_blendshapes.onnx")
    if not all((folder / name).is_file() for name in needed):
        pytest.skip("the network files are not here")
    pytest.importorskip("onnx2torch")
    pytest.importorskip("onnxruntime")
    return folder


@pytest.fixture(scope="session")
def drawn_faces() -> Path:
    """Folder of drawn faces whose expression is known."""
    folder = ASSETS / "facekit_faces"
    if not (folder / "faces.csv").is_file():
        pytest.skip("the drawn faces are not here")
    return folder
