from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from norface.errors import DetectionError
from norface.faces.choose import choose
from norface.faces.looking import LARGEST_FACE
from norface.faces.yunet import YuNet
from norface.imaging.files import read_image
from norface.imaging.pixels import Pixels

ASSETS = Path(os.environ.get("NORFACE_ASSETS", Path(__file__).parents[2].parent / "shared" / "assets"))
WEIGHTS = ASSETS / "weights"
NETWORKS = ("yunet_n_dynamic.onnx", "yunet_n_640_640.onnx")
PHOTOS = sorted((ASSETS / "real_faces").glob("*.jpg"))

needs_network = pytest.mark.skipif(not all((WEIGHTS / name).is_file() for name in NETWORKS), reason="no YuNet here")
needs_photos = pytest.mark.skipif(not PHOTOS, reason="the photographs are not here")


@pytest.fixture(scope="module")
def detector() -> YuNet:
    return YuNet(weights=WEIGHTS)


@pytest.fixture(scope="module")
def photo() -> Pixels:
    """600 x 800, reduced to 300 x 400."""
    return np.asarray(cv2.resize(read_image(PHOTOS[0]), (300, 400), interpolation=cv2.INTER_AREA), np.uint8)


@needs_network
@needs_photos
@pytest.mark.parametrize("name", NETWORKS)
def test_finds_every_face_of_the_photographs(name: str) -> None:
    detector = YuNet(weights=WEIGHTS / name)
    for path in PHOTOS:
        (face,) = detector.detect(read_image(path))
        assert face.score > 0.9 and face.points is not None
        right_eye, left_eye, nose, mouth_right, mouth_left = face.points
        assert right_eye[0] < nose[0] < left_eye[0] and mouth_right[0] < mouth_left[0]  # the subject's right first
        assert max(right_eye[1], left_eye[1]) < nose[1] < min(mouth_right[1], mouth_left[1])
        assert abs(right_eye[1] - left_eye[1]) < 20  # pixels: nobody tilts the head
        box = face.box
        assert box.left < right_eye[0] and left_eye[0] < box.left + box.width and box.top < right_eye[1]
    assert len(PHOTOS) == 20


@needs_network
@needs_photos
def test_places_follow_the_picture(detector: YuNet, photo: Pixels) -> None:
    (face,) = detector.detect(photo)
    canvas = np.full((480, 640, 3), 127, np.uint8)
    canvas[64:464, 288:588] = photo
    (moved,) = detector.detect(canvas)
    assert face.points is not None and moved.points is not None
    np.testing.assert_allclose(moved.points, face.points + np.array([288.0, 64.0]), atol=3)
    np.testing.assert_allclose(moved.box[:2], (face.box.left + 288, face.box.top + 64), atol=5)


@needs_network
@needs_photos
def test_scale_of_the_picture_does_not_matter(detector: YuNet, photo: Pixels) -> None:
    (face,) = detector.detect(photo)
    assert face.points is not None
    width = float(np.linalg.norm(face.points[1] - face.points[0]))
    for scale in (0.2, 0.5, 6.0):  # 60 to 1800 pixels wide
        mode = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        resized = np.asarray(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=mode), np.uint8)
        (again,) = detector.detect(resized)
        assert again.points is not None
        np.testing.assert_allclose((again.points + 0.5) / scale - 0.5, face.points, atol=0.12 * width)


@needs_network
@needs_photos
def test_a_tightly_cropped_face_is_looked_at_again_with_a_border(detector: YuNet) -> None:
    pixels = read_image(PHOTOS[0])
    (face,) = detector.detect(pixels)
    left, top, width, height = (round(side) for side in face.box)
    tight = pixels[top : top + height, left : left + width]
    large = np.asarray(cv2.resize(tight, None, fx=2, fy=2), np.uint8)
    assert max(large.shape) > LARGEST_FACE
    (again,) = detector.detect(large)
    assert face.points is not None and again.points is not None
    expected = (face.points - [left, top] + 0.5) * 2 - 0.5
    eyes = np.linalg.norm(expected[1] - expected[0])
    assert np.abs(again.points - expected).mean() < 0.1 * eyes


@needs_network
@needs_photos
def test_several_faces_and_grey_ones(detector: YuNet, photo: Pixels) -> None:
    small = np.asarray(cv2.resize(photo, (150, 200), interpolation=cv2.INTER_AREA), np.uint8)
    both = np.full((400, 460, 3), 127, np.uint8)
    both[:, :300], both[:200, 305:455] = photo, small
    faces = detector.detect(both)
    assert len(faces) == 2
    chosen = choose(faces, rule="largest", width=460, height=400)
    assert chosen is not None and chosen.box.left < 300
    grey = np.asarray(cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)
    assert len(detector.detect(grey)) == 1


@needs_network
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 900, 3), (3, 2, 3), (48, 48, 3), (4000, 6000, 3)])
def test_pictures_without_faces(detector: YuNet, shape: tuple[int, int, int]) -> None:
    assert detector.detect(np.full(shape, 127, np.uint8)) == []


@needs_network
def test_describes_itself(detector: YuNet) -> None:
    described = detector.describe()
    assert described["name"] == "yunet" and described["library"] == "opencv" and described["version"] == cv2.__version__
    assert described["weights"] == NETWORKS[0]
    assert described["sha256"] == "104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12"
    json.dumps(described)


@needs_network
def test_another_kind_of_network() -> None:
    with pytest.raises(DetectionError, match="yunet can run"):
        YuNet(weights=WEIGHTS / "mobileface_id_v2.onnx")


def test_missing_and_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORFACE_WEIGHTS", str(tmp_path / "none"))
    with pytest.raises(DetectionError, match="no such file or folder") as caught:
        YuNet()
    for part in ("face_detection_yunet_2026may.onnx", str(tmp_path / "none"), "opencv_zoo", "MIT", "--weights"):
        assert part in str(caught.value)
    for content in (b"", b"not a network"):
        (tmp_path / "yunet_n_dynamic.onnx").write_bytes(content)
        with pytest.raises(DetectionError, match="Copy the file again"):
            YuNet(weights=tmp_path)


class FakeNetwork:
    """``cv2.FaceDetectorYN`` at its boundary, for machines without the file."""

    def __init__(self, rows: list[list[float]] | None) -> None:
        self.rows, self.seen = rows, []  # type: ignore[var-annotated]

    def setInputSize(self, size: tuple[int, int]) -> None:
        self.size = size

    def detect(self, image: Pixels) -> tuple[int, np.ndarray | None]:
        self.seen.append((self.size, image.shape, image[0, 0].tolist()))
        return 1, None if self.rows is None else np.array(self.rows, np.float32)


def test_rows_become_detections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.onnx").write_bytes(b"any")
    points = [10, 12, 30, 12, 20, 20, 12, 28, 28, 28]
    network = FakeNetwork([[4, 2, 32, 40, *points, 1.0001], [5, 5, float("nan"), 9, *points, 0.7]])
    monkeypatch.setattr(cv2.FaceDetectorYN, "create", lambda *given: network)
    (face,) = YuNet(weights=tmp_path / "mine.onnx").detect(np.full((50, 60, 3), (10, 20, 30), np.uint8))
    assert network.seen[-1] == ((64, 64), (64, 64, 3), [30, 20, 10])  # BGR, sides a multiple of 32
    assert face.box == (4, 2, 32, 40) and face.score == 1.0
    assert face.points is not None and face.points.ravel().tolist() == points
