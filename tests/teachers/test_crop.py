from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from norface.errors import AlignmentError
from norface.imaging.alignment import ARCFACE_112, Alignment, similarity
from norface.imaging.convert import to_pixels, to_tensor
from norface.teachers.crop import TemplateCrop, resize


@pytest.mark.parametrize("alignment", [Alignment(128), Alignment(96, margin=0.3, drop=0.0)])
def test_the_five_points_land_where_the_other_network_wants_them(alignment: Alignment) -> None:
    y, x = np.mgrid[0 : alignment.size, 0 : alignment.size]
    ramp = np.stack([x, y, x + y], -1).astype(np.uint8)  # a picture that says where each pixel came from
    matrix = similarity(alignment.template(), ARCFACE_112)
    wanted = cv2.warpAffine(ramp, matrix, (112, 112), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    crop = TemplateCrop(ARCFACE_112, 112)
    crop.aligned_as(alignment)
    difference = np.abs(to_pixels(crop(to_tensor(ramp)[None])[0]).astype(int) - wanted)[8:-8, 8:-8]
    assert difference.max() <= 2


def test_a_larger_crop_repeats_the_border() -> None:
    points = (ARCFACE_112 + 100) * 0.5  # a frame with much room around the face
    crop = TemplateCrop(points, 156)
    image = torch.zeros(1, 3, 64, 64)
    image[..., :8, :8], image[..., -8:, -8:] = 0.5, -0.5  # two corners of a plain picture
    found = crop(image)
    assert found.shape == (1, 3, 156, 156)
    assert torch.allclose(found[..., 0, 0], torch.full((1, 3), 0.5), atol=1e-4)
    assert torch.allclose(found[..., -1, -1], torch.full((1, 3), -0.5), atol=1e-4)
    assert float(found[..., 78, 78].abs().max()) < 1e-4


def test_fine_stripes_do_not_alias() -> None:
    stripes = torch.ones(1, 3, 448, 448)
    stripes[..., ::2] = -1
    assert float(TemplateCrop(ARCFACE_112, 112)(stripes).abs().max()) < 0.1  # grey, not wide stripes


def test_gradients_reach_every_pixel_that_is_seen() -> None:
    image = torch.zeros(1, 3, 64, 64, requires_grad=True)
    TemplateCrop(ARCFACE_112, 112)(image).sum().backward()
    assert image.grad is not None and (image.grad[0, :, 8:-16, 8:-8] != 0).all()


def test_crops_without_landmarks_are_refused() -> None:
    crop = TemplateCrop(ARCFACE_112, 112)
    with pytest.raises(AlignmentError, match="rafdb-aligned"):
        crop.aligned_as(Alignment(100, frame="rafdb-aligned"))


def test_resize_leaves_what_fits() -> None:
    image = torch.rand(1, 3, 32, 32)
    assert resize(image, 32) is image
    assert resize(image, 16).shape == (1, 3, 16, 16)
