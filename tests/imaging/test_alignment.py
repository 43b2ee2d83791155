from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norface.errors import AlignmentError
from norface.imaging.alignment import (
    ARCFACE_112,
    Alignment,
    Points,
    align,
    invert,
    place,
    place_box,
    similarity,
    transform,
    warp,
)
from norface.imaging.pixels import Pixels


def naive_similarity(source: Points, destination: Points) -> Points:
    """Linear least squares in the four unknowns a, b, tx, ty."""
    rows, right = [], []
    for (x, y), (u, v) in zip(source, destination, strict=True):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        right += [u, v]
    a, b, tx, ty = np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)[0]
    return np.array([[a, -b, tx], [b, a, ty]])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_similarity_agrees_with_linear_least_squares(seed: int) -> None:
    rng = np.random.default_rng(seed)
    source, destination = rng.uniform(0, 200, (5, 2)), rng.uniform(-50, 100, (5, 2))
    np.testing.assert_allclose(similarity(source, destination), naive_similarity(source, destination), atol=1e-8)


@settings(max_examples=40, deadline=None)
@given(angle=st.floats(-3.1, 3.1), scale=st.floats(0.1, 5), x=st.floats(-300, 300), y=st.floats(-300, 300))
def test_a_similarity_is_found_exactly_and_inverted_exactly(angle: float, scale: float, x: float, y: float) -> None:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array([[c, -s, x], [s, c, y]])
    found = similarity(ARCFACE_112, transform(matrix, ARCFACE_112))
    np.testing.assert_allclose(found, matrix, atol=1e-9)
    np.testing.assert_allclose(transform(invert(found), transform(found, ARCFACE_112)), ARCFACE_112, atol=1e-8)


def test_never_a_reflection() -> None:
    mirrored = ARCFACE_112 * [-1, 1]
    assert np.linalg.det(similarity(ARCFACE_112, mirrored)[:, :2]) > 0


@pytest.mark.parametrize("points", [np.full((5, 2), 40.0), np.full((5, 2), np.nan), np.zeros((5, 2))])
def test_degenerate_points(points: Points) -> None:
    with pytest.raises(AlignmentError, match="expected five distinct, finite landmarks"):
        similarity(points, ARCFACE_112)


def test_one_infinite_landmark() -> None:
    points = ARCFACE_112.copy()
    points[2, 0] = np.inf
    with pytest.raises(AlignmentError, match="finite"):
        similarity(points, ARCFACE_112)


def turned(points: Points, degrees: float) -> Points:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotated: Points = points @ np.array([[c, s], [-s, c]])
    return rotated


def profile(turn: float) -> Points:
    """Five points of a head that turns by `turn` radians, seen from far away; the nose stands out."""
    x, y = (ARCFACE_112 - [56, 72]).T
    depth = np.array([0.0, 0.0, 22.0, 4.0, 4.0])
    return np.column_stack([x * np.cos(turn) + depth * np.sin(turn), y]) + 100


@pytest.mark.parametrize("degrees", [0, 45, 90, 180, -135])
@pytest.mark.parametrize("turn", [0.0, 0.8, -1.2, 1.57])
def test_faces_in_every_pose_are_placed(degrees: float, turn: float) -> None:
    matrix = place(turned(profile(turn), degrees), Alignment(112))
    rotation = np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
    assert abs((rotation + degrees + 180) % 360 - 180) < 15


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.full((5, 2), 40.0), "distinct, finite"),
        (ARCFACE_112 * 0.005, "distinct, finite"),
        (ARCFACE_112 * 1e200, "distinct, finite"),
        (np.where(np.arange(10).reshape(5, 2) == 3, np.nan, ARCFACE_112), "distinct, finite"),
        (ARCFACE_112 * [1.0, 0.0], "one line"),
        (np.column_stack([np.arange(5.0), 2 * np.arange(5.0)]), "one line"),
        (ARCFACE_112 * [-1, 1], "right eye, left eye"),  # mirrored: no rotation makes it a face
        (ARCFACE_112[[1, 0, 2, 4, 3]], "right eye, left eye"),  # the viewer's right taken for the subject's
        (ARCFACE_112[[3, 4, 2, 0, 1]], "right eye, left eye"),
    ],
)
def test_landmarks_that_are_no_faces(points: Points, message: str) -> None:
    with pytest.raises(AlignmentError, match=message):
        place(points, Alignment())


def test_landmarks_outside_the_image() -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    assert align(pixels, ARCFACE_112 - 60, Alignment()).shape == (64, 64, 3)  # half a face
    for far in (ARCFACE_112 + 200, ARCFACE_112 - [300, 0]):
        with pytest.raises(AlignmentError, match="inside the image of 100 x 100"):
            align(pixels, far, Alignment())


@settings(max_examples=25, deadline=None)
@given(
    box=st.tuples(st.floats(-50, 200), st.floats(-50, 200), st.floats(1, 300), st.floats(1, 300)),
    margin=st.floats(0, 0.5),
    drop=st.floats(-0.2, 0.2),
)
def test_boxes_become_squares_around_them(box: tuple[float, float, float, float], margin: float, drop: float) -> None:
    matrix = place_box(box, Alignment(100, margin, drop, "box"))
    assert matrix[0, 0] == matrix[1, 1] and matrix[0, 1] == matrix[1, 0] == 0
    left, top, width, height = box
    side = max(width, height)
    centre = np.array([[left + width / 2 - 0.5, top + height / 2 - 0.5 + drop * side]])
    np.testing.assert_allclose(transform(matrix, centre), [[49.5, 49.5]], atol=1e-6)
    assert matrix[0, 0] * side * (1 + 2 * margin) == pytest.approx(100)


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (0, 0, 5, -1), (np.nan, 0, 5, 5), (0, 0, np.inf, 5)])
def test_empty_boxes(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(AlignmentError, match="positive width"):
        place_box(box, Alignment(frame="box"))


def test_template_is_arcface_without_margin_and_scales_about_pixel_corners() -> None:
    np.testing.assert_allclose(Alignment(112, 0.0, 0.0).template(), ARCFACE_112)
    small, large = Alignment(64, 0.25).template(), Alignment(128, 0.25).template()
    np.testing.assert_allclose((small + 0.5) * 2, large + 0.5)
    bordered = Alignment(168, 0.25, 0.0).template()  # 112 plus 28 on every side
    np.testing.assert_allclose(bordered, ARCFACE_112 + 28)
    dropped = Alignment(168, 0.25, 0.125).template()  # and moved down by 14: the face moves up
    np.testing.assert_allclose(dropped, bordered - [0, 14])


def test_align_puts_landmarks_on_the_template() -> None:
    alignment = Alignment(96, 0.25)
    landmarks = transform(np.array([[1.1, -0.3, 40], [0.3, 1.1, 10]]), ARCFACE_112)
    y, x = np.mgrid[:220, :220]
    for (px, py), (tx, ty) in zip(landmarks, alignment.template(), strict=True):
        blob = 255 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 18)
        pixels = blob[..., None].repeat(3, axis=2).astype(np.uint8)
        crop = align(pixels, landmarks, alignment)[..., 0].astype(float)
        assert crop.shape == (96, 96)
        cy, cx = np.mgrid[:96, :96]
        centre = (crop * cx).sum() / crop.sum(), (crop * cy).sum() / crop.sum()
        assert centre == pytest.approx((tx, ty), abs=0.15)


def test_align_of_a_crop_on_its_own_template_changes_nothing() -> None:
    alignment = Alignment(64, 0.25)
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(align(pixels, alignment.template(), alignment), pixels)


def test_align_repeats_the_border_and_does_not_alias() -> None:
    outside = np.full((40, 40, 3), 200, np.uint8)
    assert (align(outside, ARCFACE_112, Alignment(64, 1.0)) == 200).all()
    stripes = np.zeros((448, 448, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = align(stripes, ARCFACE_112 * 4, Alignment(64, 0.0, 0.0))
    assert np.ptp(crop[8:-8, 8:-8].astype(int)) < 90  # without the low-pass: 0 and 255


def smooth_picture(scale: float) -> Pixels:
    """The same picture at any scale, pixel edges fixed."""
    side = int(112 * scale) + 40
    y, x = (np.mgrid[:side, :side] + 0.5) / scale
    waves = [np.sin(x / 9) * np.cos(y / 11), np.cos(x / 7), np.sin((x + y) / 13)]
    return np.round(127 + 100 * np.stack(waves, -1)).astype(np.uint8)


@pytest.mark.parametrize("scale", [1.3, 2.0, 3.9, 4.1, 9.3])
def test_a_crop_does_not_depend_on_the_size_of_the_picture(scale: float) -> None:
    alignment = Alignment(112, 0.0, 0.0)
    small = align(smooth_picture(1.0), ARCFACE_112, alignment).astype(int)
    large = align(smooth_picture(scale), (ARCFACE_112 + 0.5) * scale - 0.5, alignment).astype(int)
    assert np.abs(small - large)[4:-4, 4:-4].max() <= 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (7, 3), (5, 40_000)])
def test_pictures_of_any_shape(shape: tuple[int, int]) -> None:
    pixels = np.full((*shape, 3), 90, np.uint8)
    height, width = shape
    for scale in (0.05, 1.0, 60.0):
        points = (ARCFACE_112 - 56) * scale + [width / 2, height / 2]
        assert (align(pixels, points, Alignment(32)) == 90).all()
    assert (warp(pixels, place_box((0, 0, width, height), Alignment(32, frame="box")), 32) == 90).all()


def test_foreign_crops_have_no_template() -> None:
    with pytest.raises(AlignmentError, match="rafdb-aligned"):
        Alignment(100, 0.0, 0.0, "rafdb-aligned").template()


@pytest.mark.parametrize("alignment", [Alignment(), Alignment(100, 0.0, 0.25, "rafdb-aligned")])
def test_description_and_back(alignment: Alignment) -> None:
    assert Alignment.parse(alignment.describe(), where="here") == alignment
    without = {key: value for key, value in alignment.describe().items() if key != "template"}
    assert Alignment.parse(without, where="here").frame == "arcface-5"


@pytest.mark.parametrize(
    "change", [{"size": 0}, {"size": "64"}, {"margin": None}, {"drop": True}, {"template": 5}, {"template": ""}]
)
def test_descriptions_that_cannot_be_used(change: dict[str, object]) -> None:
    with pytest.raises(AlignmentError, match="here: expected an alignment"):
        Alignment.parse({**Alignment().describe(), **change}, where="here")


def test_describe_is_plain() -> None:
    assert Alignment(64, 0.25, 0.1).describe() == {"template": "arcface-5", "size": 64, "margin": 0.25, "drop": 0.1}
