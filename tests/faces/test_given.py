from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from norface.errors import AlignmentError, DetectionError
from norface.faces.given import GivenFaces, WholePicture
from norface.imaging.alignment import ARCFACE_112, Alignment, transform
from norface.labels import BOX_COLUMNS, LANDMARK_COLUMNS

PIXELS = np.zeros((112, 112, 3), np.uint8)
BOX = dict(zip(BOX_COLUMNS, (3.0, 4.0, 50.0, 60.0), strict=True))
POINTS = dict(zip(LANDMARK_COLUMNS, ARCFACE_112.ravel().tolist(), strict=True))


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    frame = pd.DataFrame(rows)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_looked_up_in_a_file(tmp_path: Path, suffix: str) -> None:
    rows = [
        {"face_id": "007", **BOX, **POINTS},
        {"face_id": "8", **BOX, **dict.fromkeys(LANDMARK_COLUMNS)},
        {"face_id": "9", **dict.fromkeys(BOX_COLUMNS), **POINTS},
        {"face_id": "10", **dict.fromkeys(BOX_COLUMNS), **dict.fromkeys(LANDMARK_COLUMNS)},
    ]
    detector = GivenFaces(file=write(tmp_path / f"faces{suffix}", [dict(row) for row in rows]))
    (both,) = detector.find(PIXELS, {"face_id": "007", "image": "a.jpg"})
    assert both.box == (3, 4, 50, 60) and both.score == 1.0 and both.points is not None
    np.testing.assert_allclose(both.points, ARCFACE_112)
    (box_only,) = detector.find(PIXELS, {"face_id": "8"})
    assert box_only.box == (3, 4, 50, 60) and box_only.points is None
    (points_only,) = detector.find(PIXELS, {"face_id": "9"})
    assert points_only.points is not None
    box = points_only.box
    assert box.left < 38 and box.left + box.width > 74 and box.top < 51 and box.top + box.height > 93
    assert detector.find(PIXELS, {"face_id": "10"}) == detector.find(PIXELS, {"face_id": "unknown"}) == []


def test_several_faces_of_one_image(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"image": "a/b.jpg", **BOX}, {"image": "a/b.jpg", **BOX, "box_left": 90.0}]
    detector = GivenFaces(file=write(tmp_path / "boxes.csv", rows))
    faces = detector.find(PIXELS, {"face_id": "x", "image": "a/b.jpg"})
    assert [face.box.left for face in faces] == [3, 90]


def test_from_the_rows_themselves() -> None:
    detector = GivenFaces()
    (face,) = detector.find(PIXELS, {"face_id": "x", **BOX})
    assert face.box == (3, 4, 50, 60) and face.points is None
    assert len(detector.find(PIXELS, POINTS)) == 1
    assert detector.find(PIXELS, {**BOX, "box_width": np.nan}) == []
    assert detector.find(PIXELS, {**BOX, "box_width": 0.0}) == []
    with pytest.raises(DetectionError, match="box_left"):
        detector.find(PIXELS, {"face_id": "x"})
    with pytest.raises(DetectionError, match="a row of a table"):
        detector.detect(PIXELS)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "No columns"),
        ("face_id,left\nx,1\n", "face_id, left"),
        (",".join(BOX_COLUMNS) + "\n1,2,3,4\n", "box_left"),
        ('face_id,"box_left\n', ""),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "boxes.csv").write_text(text)
    with pytest.raises(DetectionError, match=r"boxes\.csv") as caught:
        GivenFaces(file=tmp_path / "boxes.csv")
    assert found in caught.value.found


def test_missing_files_and_text_in_number_columns(tmp_path: Path) -> None:
    for name in ("none.csv", "none.parquet"):
        with pytest.raises(DetectionError, match="none"):
            GivenFaces(file=tmp_path / name)
    rows: list[dict[str, object]] = [{"image": "a.jpg", **BOX, "box_left": "left"}]
    assert GivenFaces(file=write(tmp_path / "boxes.csv", rows)).find(PIXELS, {"image": "a.jpg"}) == []


def test_describes_itself(tmp_path: Path) -> None:
    described = GivenFaces(file=write(tmp_path / "boxes.csv", [{"image": "a.jpg", **BOX}])).describe()
    assert described["source"] == "boxes.csv" and len(str(described["sha256"])) == 64
    for each in (described, GivenFaces().describe(), WholePicture().describe()):
        json.dumps(each)


def test_whole_picture_is_only_resized() -> None:
    (face,) = WholePicture().detect(np.zeros((100, 100, 3), np.uint8))
    assert face.box == (0, 0, 100, 100) and face.points is None
    matrix = face.placement(Alignment(100, 0.0, 0.0, "rafdb-aligned"))
    np.testing.assert_allclose(matrix, [[1, 0, 0], [0, 1, 0]])
    half = face.placement(Alignment(50, 0.0, 0.0, "rafdb-aligned"))
    np.testing.assert_allclose(transform(half, np.array([[-0.5, -0.5], [99.5, 99.5]])), [[-0.5, -0.5], [49.5, 49.5]])


def test_boxes_alone_cannot_be_aligned_by_landmarks() -> None:
    (face,) = GivenFaces().find(PIXELS, BOX)
    with pytest.raises(AlignmentError, match="only a box"):
        face.placement(Alignment())
    assert face.placement(Alignment(frame="box")).shape == (2, 3)
