"""The real facexlib, with networks that nobody trained: they find nonsense, but by the real code."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from norface.errors import DetectionError
from norface.faces.retinaface import _MODELS, RetinaFace
from norface.faces.weights import files_of
from norface.imaging.pixels import Pixels

pytestmark = pytest.mark.usefixtures("any_content")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    retinaface = pytest.importorskip("facexlib.detection.retinaface")

SMALL = "detection_mobilenet0.25_Final.pth"
LARGE = "detection_Resnet50_Final.pth"


def write_network(folder: Path, name: str, kind: str) -> None:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = retinaface.RetinaFace(kind, device="cpu")
    # facexlib's files were saved by DataParallel.
    torch.save({f"module.{key}": value for key, value in network.state_dict().items()}, folder / name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights")
    write_network(path, SMALL, "mobile0.25")
    return path


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)


def test_every_known_file_has_a_network() -> None:
    assert set(_MODELS) == {file.name for file in files_of("retinaface")}


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (48, 48), (120, 90)])
def test_pictures_of_any_size(folder: Path, shape: tuple[int, int]) -> None:
    for face in RetinaFace(weights=folder, score=0.3).detect(noise(*shape)):
        assert np.isfinite(face.box).all() and face.points is not None and face.points.shape == (5, 2)


def test_large_network_comes_first_and_finds_by_the_real_code(folder: Path, tmp_path: Path) -> None:
    write_network(tmp_path, LARGE, "resnet50")
    (tmp_path / SMALL).write_bytes((folder / SMALL).read_bytes())
    detector = RetinaFace(weights=tmp_path, score=0.5)
    assert detector.path.name == LARGE
    faces = detector.detect(noise(64, 64))
    assert faces  # untrained, but its scores differ enough from 0.5
    assert all(0.5 < face.score <= 1.0 for face in faces)
    again = detector.detect(noise(64, 64))
    assert [face.box for face in again] == [face.box for face in faces]


def test_rows_become_detections(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = RetinaFace(weights=folder)
    seen = []

    def detect_faces(image: Pixels, conf_threshold: float) -> np.ndarray:
        seen.append((image.shape, image[0, 0].tolist(), conf_threshold))
        points = [10, 12, 30, 12, 20, 20, 12, 28, 28, 28]
        return np.array([[4, 2, 36, 42, 0.95, *points]], np.float32)

    monkeypatch.setattr(detector._network, "detect_faces", detect_faces)
    pixels = np.full((50, 60, 3), (10, 20, 30), np.uint8)
    (face,) = detector.detect(pixels)
    assert seen == [((64, 64, 3), [30, 20, 10], 0.8)]  # BGR, sides a multiple of 32
    assert face.box == (4, 2, 32, 40) and face.score == pytest.approx(0.95)
    assert face.points is not None and face.points.tolist()[0] == [10, 12] and face.points.tolist()[4] == [28, 28]


def test_describes_itself(folder: Path) -> None:
    described = RetinaFace(weights=folder / SMALL, score=0.9).describe()
    assert described["name"] == "retinaface" and described["library"] == "facexlib" and described["version"]
    assert described["weights"] == SMALL and described["score"] == 0.9 and len(str(described["sha256"])) == 64
    json.dumps(described)


def test_folder_from_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORFACE_WEIGHTS", str(folder))
    assert RetinaFace().path == folder / SMALL


def test_missing_is_told_and_nothing_is_downloaded(tmp_path: Path) -> None:
    with pytest.raises(DetectionError, match="nothing is downloaded") as caught:
        RetinaFace(weights=tmp_path)
    for part in (LARGE, SMALL, str(tmp_path), "https://github.com/xinntao/facexlib", "MIT"):
        assert part in str(caught.value)


def test_other_name(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.pth").write_bytes((folder / SMALL).read_bytes())
    with pytest.raises(DetectionError, match="a file of another name"):
        RetinaFace(weights=tmp_path / "mine.pth")


def test_damaged_truncated_and_swapped_files(folder: Path, tmp_path: Path) -> None:
    whole = (folder / SMALL).read_bytes()
    for content in (b"", b"not a network", whole[: len(whole) // 2]):
        (tmp_path / SMALL).write_bytes(content)
        with pytest.raises(DetectionError, match="Copy the file again"):
            RetinaFace(weights=tmp_path)
    (tmp_path / LARGE).write_bytes(whole)
    with pytest.raises(DetectionError, match="RuntimeError"):
        RetinaFace(weights=tmp_path / LARGE)


def test_device_that_is_not_there(folder: Path) -> None:
    with pytest.raises(DetectionError, match="cuda:99"):
        RetinaFace(weights=folder, device="cuda:99")
    with pytest.raises(DetectionError, match="abacus"):
        RetinaFace(weights=folder, device="abacus")
