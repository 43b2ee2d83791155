from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from norface.data.images import FaceReader, WhereKnown, calmest_row, frontal_rows, read_all
from norface.data.table import FaceTable
from norface.errors import AlignmentError, ConfigError, ImageError
from norface.imaging.alignment import Alignment
from norface.imaging.files import write_png
from norface.imaging.pixels import Pixels
from norface.labels import LANDMARK_COLUMNS

Write = Callable[[pd.DataFrame], Path]
ALIGNMENT = Alignment(32)


def drawn_face(size: int, landmarks: np.ndarray) -> Pixels:
    """Dark blobs at the five points on a grey ground: enough of a face to be registered."""
    y, x = np.mgrid[:size, :size]
    scale = np.linalg.norm(landmarks[1] - landmarks[0]) / 8
    dark = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * scale**2)) for px, py in landmarks)
    return np.repeat((180 - 140 * np.clip(dark, 0, 1))[..., None], 3, axis=2).astype(np.uint8)


@pytest.fixture
def unaligned(tmp_path: Path) -> Path:
    """12 faces of 96 pixels at different places; their normalized faces lie elsewhere, always at the same place."""
    rng = np.random.default_rng(0)
    template = Alignment(96, 0.25).template()
    rows = []
    for k in range(12):
        landmarks = template * (0.8 + 0.3 * rng.random()) + rng.uniform(-4, 8, 2)
        write_png(tmp_path / f"{k}.png", drawn_face(96, landmarks))
        write_png(tmp_path / f"n{k}.png", drawn_face(80, TRUE_NORMALIZED))
        points = dict(zip(LANDMARK_COLUMNS, landmarks.ravel().tolist(), strict=True))
        rows.append({"image": f"{k}.png", "normalized": f"n{k}.png", "subject": str(k), **points})
    pd.DataFrame(rows).to_csv(tmp_path / "faces.csv", index=False)
    return tmp_path / "faces.csv"


TRUE_NORMALIZED = Alignment(80, 0.25).template() * 1.2 + np.array([-5.0, -9.0])


def test_aligned_images_are_read_as_they_are(table_path: Path) -> None:
    reader = FaceReader(FaceTable.load(table_path), ALIGNMENT)
    assert reader.original(3)[0, 0].tolist() == [34, 0, 0]
    assert reader.normalized(3)[0, 0].tolist() == [0, 34, 0]


@pytest.mark.parametrize("other", [Alignment(64), Alignment(32, 0.0), Alignment(32, 0.1, 0.0)])
def test_another_alignment_is_refused(table_path: Path, other: Alignment) -> None:
    with pytest.raises(AlignmentError, match="Set the data module's image_size, margin and drop"):
        FaceReader(FaceTable.load(table_path), other)


def test_image_of_another_size_than_stated(table_path: Path) -> None:
    write_png(table_path.parent / "images/s0_0.png", np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(ImageError, match=r"s0_0.png: expected a crop of 32 x 32 pixels.*found 30 x 20"):
        FaceReader(FaceTable.load(table_path), ALIGNMENT).original(0)


def test_originals_are_aligned_by_their_landmarks(unaligned: Path) -> None:
    reader = FaceReader(FaceTable.load(unaligned), Alignment(64, 0.25))
    expected = drawn_face(64, Alignment(64, 0.25).template())
    for row in range(12):
        error = np.abs(reader.original(row).astype(int) - expected)
        assert error.mean() < 4


def test_normalized_frame_is_found_by_registration(unaligned: Path) -> None:
    reader = FaceReader(FaceTable.load(unaligned), Alignment(64, 0.25))
    assert np.abs(reader.normalized_landmarks - TRUE_NORMALIZED).max() < 0.7  # pixels of an 80 pixel image
    again = FaceReader(FaceTable.load(unaligned), Alignment(64, 0.25))
    np.testing.assert_array_equal(again.normalized_landmarks, reader.normalized_landmarks)
    large = FaceReader(FaceTable.load(unaligned), Alignment(128, 0.1))
    np.testing.assert_array_equal(large.normalized_landmarks, reader.normalized_landmarks)


@pytest.mark.parametrize("place", ["json", "columns"])
def test_stated_normalized_landmarks_are_taken(unaligned: Path, place: str) -> None:
    points = (TRUE_NORMALIZED + 3.0).round(3)
    if place == "json":
        unaligned.with_suffix(".json").write_text(json.dumps({"normalized_landmarks": points.tolist()}))
    else:
        names = [f"normalized_{name}" for name in LANDMARK_COLUMNS]
        values = dict(zip(names, points.ravel().tolist(), strict=True))
        pd.read_csv(unaligned).assign(**values).to_csv(unaligned, index=False)
    reader = FaceReader(FaceTable.load(unaligned), ALIGNMENT)
    np.testing.assert_allclose(reader.normalized_landmarks, points)


def test_registration_of_what_is_no_face(unaligned: Path) -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 255, (80, 80, 3), dtype=np.uint8)
    for k in range(12):
        write_png(unaligned.parent / f"n{k}.png", noise)
    with pytest.raises(AlignmentError, match="normalized_landmarks"):
        _ = FaceReader(FaceTable.load(unaligned), ALIGNMENT).normalized_landmarks


def test_target_is_the_calmest_neutral_face_or_the_file(frame: pd.DataFrame, write_table: Write) -> None:
    path = write_table(frame)
    table = FaceTable.load(path)
    assert calmest_row(table) == 1
    target = FaceReader(table, ALIGNMENT).target()
    assert target[0, 0].tolist() == [0, 18, 0]
    write_png(path.parent / "target.png", np.full((32, 32, 3), 9, np.uint8))
    own = FaceReader(table, ALIGNMENT).target()
    assert (own == 9).all()


def test_without_normalized_column_there_is_no_truth(frame: pd.DataFrame, write_table: Write) -> None:
    path = write_table(frame)
    frame.drop(columns="normalized").to_csv(path, index=False)
    reader = FaceReader(FaceTable.load(path), ALIGNMENT)
    with pytest.raises(ConfigError, match=r"Put target.png beside the table"):
        reader.target()
    with pytest.raises(ConfigError, match="a column `normalized`"):
        reader.normalized(0)


def test_truths_with_gaps_are_read_where_known_and_refused_where_all_are_asked_for(
    frame: pd.DataFrame, write_table: Write
) -> None:
    path = write_table(frame)
    frame.loc[[1, 2], "normalized"] = None
    frame.to_csv(path, index=False)
    table = FaceTable.load(path)
    reader = FaceReader(table, ALIGNMENT)
    somewhere = WhereKnown(reader.truths, table.knows_normalized, 32)
    assert (somewhere(1) == 0).all()
    assert np.array_equal(somewhere(3), reader.normalized(3))
    assert np.array_equal(somewhere.many(np.array([2, 4])), np.stack([somewhere(2), somewhere(4)]))
    assert reader.truths_of(np.array([0, 3])) is reader.truths
    with pytest.raises(ConfigError, match="2 of 4 faces without"):
        reader.truths_of(np.arange(4))
    assert calmest_row(table) not in (1, 2)
    assert not {1, 2} & set(frontal_rows(table, 100).tolist())


def test_target_file_of_an_unaligned_table_needs_landmarks(unaligned: Path) -> None:
    write_png(unaligned.parent / "target.png", drawn_face(80, TRUE_NORMALIZED))
    pd.read_csv(unaligned).drop(columns="normalized").to_csv(unaligned, index=False)
    with pytest.raises(ConfigError, match=r"landmarks of target.png"):
        FaceReader(FaceTable.load(unaligned), ALIGNMENT).target()


def test_frontal_rows_prefer_those_that_look_ahead(table_path: Path) -> None:
    table = FaceTable.load(table_path)
    assert frontal_rows(table, 4).tolist() == [0, 7, 15, 23]
    turned = table.with_frame(table.frame.assign(yaw=[40.0] * 20 + [0.0] * 4, pitch=0.0))
    assert frontal_rows(turned, 10).tolist() == [20, 21, 22, 23]


def test_read_all_lists_what_cannot_be_read(table_path: Path) -> None:
    broken = table_path.parent / "images/s0_2.png"
    broken.write_bytes(broken.read_bytes()[:40])
    reader = FaceReader(FaceTable.load(table_path), ALIGNMENT)
    images, bad = read_all(reader.original, np.arange(6, dtype=np.int64), 32)
    assert images[3, 0, 0].tolist() == [34, 0, 0]
    assert (images[2] == 0).all()
    assert list(bad) == [2]
    assert "truncated" in bad[2]


def test_facekit_normalized_faces_coincide_with_aligned_originals(facekit: Path) -> None:
    alignment = Alignment(64, 0.25)
    reader = FaceReader(FaceTable.load(facekit), alignment)
    eyes_and_mouth = reader.normalized_landmarks
    # Read off a magnified mean image by hand, in pixels of 160: right and left pupil, middle of the mouth.
    np.testing.assert_allclose(eyes_and_mouth[:2], [[59, 62], [101, 62]], atol=2)
    np.testing.assert_allclose(eyes_and_mouth[3:].mean(0), [80, 110], atol=2)
