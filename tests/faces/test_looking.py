from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norface.faces.contract import Box, Detection
from norface.faces.looking import BORDER, LARGEST_FACE, LONGEST, SECOND_LONGEST, STRIDE, look, overlap
from norface.imaging.pixels import Pixels


def bright_boxes(pixels: Pixels) -> list[Detection]:
    """A detector that finds the one white rectangle, with its corners as first and last point."""
    rows, columns = np.nonzero(pixels[..., 0] > 127)
    if not len(rows):
        return []
    left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    points = np.array([[left, top], [right - 1, top], [left, top], [left, bottom - 1], [right - 1, bottom - 1]], float)
    return [Detection(Box(float(left), float(top), float(right - left), float(bottom - top)), points, 0.9)]


@settings(max_examples=30, deadline=None)
@given(
    width=st.integers(1, 1500),
    height=st.integers(1, 1500),
    x=st.floats(0, 0.8),
    y=st.floats(0, 0.8),
)
def test_places_come_back_to_the_picture(width: int, height: int, x: float, y: float) -> None:
    pixels = np.zeros((height, width, 3), np.uint8)
    left, top = int(x * width), int(y * height)
    side_x, side_y = max(1, width // 5), max(1, height // 5)
    pixels[top : top + side_y, left : left + side_x] = 255
    shrink = max(1.0, max(width, height) / LONGEST)
    found = look(bright_boxes, pixels)
    if min(side_x, side_y) < 2 * shrink:
        return  # thinner than two pixels of the reduced picture: it may vanish
    (face,) = found
    np.testing.assert_allclose(face.box, (left, top, side_x, side_y), atol=2.1 * shrink)
    assert face.points is not None
    corners = [[left, top], [left + side_x - 1, top + side_y - 1]]
    np.testing.assert_allclose(face.points[[0, 4]], corners, atol=2.1 * shrink)


def test_what_the_detector_gets_to_see() -> None:
    seen = []

    def nothing(pixels: Pixels) -> list[Detection]:
        seen.append(pixels.shape)
        return []

    assert look(nothing, np.zeros((1000, 2000, 3), np.uint8)) == []
    first, second = seen
    assert first == (320, 640, 3)
    border = int(BORDER * SECOND_LONGEST)
    assert second == (160 + 2 * border, SECOND_LONGEST + 2 * border, 3)
    seen.clear()
    look(nothing, np.zeros((5, 3, 3), np.uint8))
    assert seen == [(STRIDE, STRIDE, 3)] * 2  # small pictures are not enlarged


def face_of(width: float, left: float = 10.0, score: float = 0.9) -> Detection:
    return Detection(Box(left, 10.0, width, width), None, score)


def test_one_look_is_enough_for_faces_of_usual_size() -> None:
    looks = []

    def find(pixels: Pixels) -> list[Detection]:
        looks.append(pixels.shape)
        return [face_of(LARGEST_FACE - 1)]

    assert len(look(find, np.zeros((640, 640, 3), np.uint8))) == 1 and len(looks) == 1


def test_a_second_look_replaces_large_faces_and_keeps_small_ones() -> None:
    def find(pixels: Pixels) -> list[Detection]:
        if pixels.shape[0] == 640:
            return [face_of(500, 100, 0.6), face_of(50, 10)]
        border = BORDER * SECOND_LONGEST
        return [Detection(Box(50 + border, 5 + border, 250, 250), None, 0.95)]

    faces = look(find, np.zeros((640, 640, 3), np.uint8))
    assert sorted((face.box.width, face.score) for face in faces) == [(50, 0.9), (500, 0.95)]


def test_a_second_look_that_finds_nothing_changes_nothing() -> None:
    faces = look(lambda pixels: [face_of(500)] if pixels.shape[0] == 640 else [], np.zeros((640, 640, 3), np.uint8))
    assert [face.box.width for face in faces] == [500]


@pytest.mark.parametrize(
    "face",
    [
        Detection(Box(1, 1, 0, 5), None, 0.9),
        Detection(Box(1, np.inf, 5, 5), None, 0.9),
        Detection(Box(1, 1, 5, 5), np.full((5, 2), np.nan), 0.9),
        Detection(Box(1, 1, 5, 5), None, float("nan")),
        Detection(Box(50, 1, 5, 5), None, 0.9),  # in what was added to make the sides multiples of 32
    ],
)
def test_nonsense_is_left_out(face: Detection) -> None:
    assert look(lambda pixels: [face], np.zeros((40, 40, 3), np.uint8)) == []


def test_overlap() -> None:
    assert overlap(Box(0, 0, 2, 2), Box(0, 0, 2, 2)) == 1.0
    assert overlap(Box(0, 0, 2, 2), Box(1, 0, 2, 2)) == pytest.approx(1 / 3)
    assert overlap(Box(0, 0, 2, 2), Box(2, 2, 2, 2)) == overlap(Box(0, 0, 0, 0), Box(0, 0, 0, 0)) == 0.0
