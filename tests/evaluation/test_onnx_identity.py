from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from norface.errors import CheckpointError
from norface.imaging.alignment import ARCFACE_112, Alignment, align, similarity
from norface.imaging.convert import to_pixels, to_tensor
from norface.imaging.files import read_image

pytest.importorskip("onnxruntime")

from norface.evaluation.onnx_identity import OnnxIdentity, _sampling_grid

ASSETS = Path(os.environ.get("NORFACE_ASSETS", Path(__file__).parents[2].parent / "shared" / "assets"))
NETWORK = ASSETS / "weights" / "mobileface_id_v2.onnx"
PHOTOS = ASSETS / "real_faces"


def test_sampling_leads_from_our_crop_to_arcface_crop() -> None:
    alignment = Alignment(128)
    y, x = np.mgrid[0:128, 0:128]
    ramp = np.stack([x, y, x + y], -1).astype(np.uint8)  # a picture that says where each pixel came from
    matrix = similarity(alignment.template(), ARCFACE_112)
    wanted = cv2.warpAffine(ramp, matrix, (112, 112), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    sampled = torch.nn.functional.grid_sample(
        to_tensor(ramp)[None], _sampling_grid(alignment), padding_mode="border", align_corners=False
    )
    difference = np.abs(to_pixels(sampled[0]).astype(int) - wanted)[8:-8, 8:-8]
    assert difference.max() <= 2


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        OnnxIdentity(tmp_path / "none.onnx", alignment=Alignment())
    (tmp_path / "broken.onnx").write_bytes(b"not a network")
    with pytest.raises(CheckpointError, match=r"\(N, 3, 112, 112\)"):
        OnnxIdentity(tmp_path / "broken.onnx", alignment=Alignment())


@pytest.mark.skipif(not NETWORK.is_file(), reason="the network's file is not here")
def test_same_person_is_similar_and_others_are_not() -> None:
    embed = OnnxIdentity(NETWORK, alignment=Alignment(112), mean=0.0, scale=1.0)
    photos = sorted(PHOTOS.rglob("*.jpg"))[:6]
    assert photos
    # Frontal photographs of one studio: eyes, nose and mouth lie at nearly the same places.
    points = np.array([[241.0, 330.0], [359.0, 330.0], [300.0, 400.0], [250.0, 465.0], [350.0, 465.0]])
    faces = [align(read_image(path), points, Alignment(112)) for path in photos]
    images = torch.stack([to_tensor(face) for face in faces])
    found = embed(torch.cat([images, images.flip(3)]))
    assert torch.allclose(found.norm(dim=1), torch.ones(len(found)), atol=1e-5)
    similar = found[:6] @ found[6:].T  # a face and its mirror image are one person
    others = similar[~torch.eye(6, dtype=torch.bool)]
    assert similar.diagonal().min() > 0.5
    assert others.mean() < similar.diagonal().mean() - 0.3
