from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norface.errors import AlignmentError
from norface.imaging.alignment import ARCFACE_112, Alignment, Points, align, invert, similarity, transform


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
    with np.errstate(invalid="ignore"), pytest.raises(AlignmentError, match="finite"):
        similarity(points, ARCFACE_112)


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


def test_describe_is_plain() -> None:
    assert Alignment(64, 0.25, 0.1).describe() == {"template": "arcface-5", "size": 64, "margin": 0.25, "drop": 0.1}
