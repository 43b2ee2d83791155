"""norface's crops at 112 pixels, without margin and drop, are those of insightface and facexlib."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest

from norface.faces.yunet import YuNet
from norface.imaging.alignment import ARCFACE_112, Alignment, Points, align, invert, place, similarity, transform, warp
from norface.imaging.files import read_image
from norface.imaging.pixels import Pixels

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    face_align = pytest.importorskip("insightface.utils.face_align")
    align_trans = pytest.importorskip("facexlib.detection.align_trans")

ASSETS = Path(os.environ.get("NORFACE_ASSETS", Path(__file__).parents[2].parent / "shared" / "assets"))
PHOTOS = sorted((ASSETS / "real_faces").glob("*.jpg"))
ALIGNMENT = Alignment(112, margin=0.0, drop=0.0)


def insightface_crop(pixels: Pixels, points: Points) -> Pixels:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-image's about `estimate`
        return np.asarray(face_align.norm_crop(pixels, points, 112), np.uint8)


def facexlib_crop(pixels: Pixels, points: Points) -> Pixels:
    reference = align_trans.get_reference_facial_points(default_square=True)
    return np.asarray(align_trans.warp_and_crop_face(pixels, points, reference, crop_size=(112, 112)), np.uint8)


def largest_difference(one: Pixels, other: Pixels) -> int:
    return int(np.abs(one.astype(int) - other).max())


@pytest.mark.parametrize("degrees", [0, 17, -30])
@pytest.mark.parametrize("scale", [0.8, 1.0, 1.33])
def test_same_pixels_where_the_landmarks_fit(degrees: float, scale: float) -> None:
    c, s = np.cos(np.radians(degrees)) * scale, np.sin(np.radians(degrees)) * scale
    points = transform(np.array([[c, -s, 150.3], [s, c, 120.7]]), ARCFACE_112)
    noise = np.random.default_rng(0).integers(0, 255, (400, 400, 3), dtype=np.uint8)
    pixels = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.0), np.uint8)
    ours = align(pixels, points, ALIGNMENT)
    assert largest_difference(ours, insightface_crop(pixels, points)) <= 2
    assert largest_difference(ours, facexlib_crop(pixels, points)) <= 2


@pytest.mark.skipif(not PHOTOS or not (ASSETS / "weights").is_dir(), reason="photographs or YuNet are not here")
def test_same_pixels_on_photographs() -> None:
    """Reduced to faces of about the crop's size: norface low-passes larger ones, the others alias."""
    detector = YuNet(weights=ASSETS / "weights")
    for path in PHOTOS:
        pixels = np.asarray(
            cv2.resize(read_image(path), None, fx=0.27, fy=0.27, interpolation=cv2.INTER_AREA), np.uint8
        )
        (face,) = detector.detect(pixels)
        assert face.points is not None
        matrix = place(face.points, ALIGNMENT)
        assert np.sqrt(np.linalg.det(matrix[:, :2])) >= 0.75
        corners = transform(invert(matrix), np.array([[0.0, 0], [111, 0], [0, 111], [111, 111]]))
        assert (corners >= 0).all() and (corners <= np.array(pixels.shape[1::-1]) - 1).all()  # no border in the crop
        ours = warp(pixels, matrix, 112)
        assert largest_difference(ours, insightface_crop(pixels, face.points)) <= 2
        # facexlib fits the other way round: the template to the landmarks, by least squares in the picture.
        other = invert(similarity(ARCFACE_112, face.points))
        assert largest_difference(warp(pixels, other, 112), facexlib_crop(pixels, face.points)) <= 2
