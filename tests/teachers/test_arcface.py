from __future__ import annotations

from pathlib import Path

import pytest
import torch

from norface.errors import AlignmentError, CheckpointError
from norface.evaluation.onnx_identity import OnnxIdentity
from norface.imaging.alignment import Alignment
from norface.imaging.convert import to_tensor
from norface.imaging.files import read_image
from norface.teachers import ArcFaceIRSE50, ArcFaceOnnx

pytest.importorskip("onnx2torch")
pytest.importorskip("onnxruntime")

from teachers.tiny_onnx import identity_network


def test_says_what_onnx_runtime_says(tmp_path: Path) -> None:
    path, alignment = identity_network(tmp_path / "n.onnx"), Alignment(96, margin=0.2, drop=0.05)
    teacher = ArcFaceOnnx(str(path))
    teacher.aligned_as(alignment)
    image = torch.rand(4, 3, 96, 96) * 2 - 1
    wanted = OnnxIdentity(path, alignment=alignment)(image)  # clips what bicubic sampling overshoots
    assert torch.allclose(teacher(image), wanted, atol=0.02)
    smooth = torch.nn.functional.interpolate(torch.rand(4, 3, 3, 3) - 0.5, size=(96, 96), mode="bilinear")
    assert torch.allclose(teacher(smooth), OnnxIdentity(path, alignment=alignment)(smooth), atol=1e-5)


def test_is_frozen_differentiable_and_in_full_precision(tmp_path: Path) -> None:
    teacher = ArcFaceOnnx(str(identity_network(tmp_path / "n.onnx")))
    image = torch.rand(2, 3, 64, 64, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        embedding = teacher.train()(image)
    assert embedding.dtype == torch.float32
    assert torch.equal(embedding, teacher(image))
    assert torch.allclose(embedding.norm(dim=1), torch.ones(2), atol=1e-5)
    assert torch.autograd.grad(embedding[:, 0].sum(), image)[0].abs().sum() > 0
    assert not any(module.training for module in teacher.modules())
    assert not any(p.requires_grad for p in teacher.parameters())


def test_pixels_are_scaled_as_the_network_wants_them(tmp_path: Path, any_content: None) -> None:
    itself = ArcFaceOnnx(str(identity_network(tmp_path / "mobileface_id_v2.onnx")))
    assert (itself.mean, itself.scale) == (0.0, 1.0)
    (tmp_path / "mobileface_id_v2.onnx").rename(tmp_path / "other.onnx")
    same = ArcFaceOnnx(str(tmp_path / "other.onnx"), mean=0.0, scale=1.0)
    insightface = ArcFaceOnnx(str(tmp_path / "other.onnx"))
    image = torch.rand(1, 3, 64, 64)
    assert torch.equal(itself(image), same(image))
    assert not torch.allclose(itself(image), insightface(image), atol=1e-3)


def test_other_networks_are_refused(tmp_path: Path) -> None:
    for name, network in {"side": {"side": 64}, "maps": {"flatten": False}}.items():
        path = identity_network(tmp_path / f"{name}.onnx", **network)  # type: ignore[arg-type]
        with pytest.raises(CheckpointError, match=r"\(N, 3, 112, 112\)"):
            ArcFaceOnnx(str(path))


def test_a_known_name_needs_the_known_content(tmp_path: Path) -> None:
    identity_network(tmp_path / "w600k_r50.onnx")
    with pytest.raises(CheckpointError, match="4c06341c33c2"):
        ArcFaceOnnx(str(tmp_path))


def test_a_missing_file_is_named_with_its_licence_and_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORFACE_WEIGHTS", str(tmp_path))
    with pytest.raises(CheckpointError) as caught:
        ArcFaceOnnx()
    for part in (
        str(tmp_path),
        "w600k_r50.onnx",
        "non-commercial",
        "https://github.com/deepinsight",
        "NORFACE_WEIGHTS",
    ):
        assert part in str(caught.value)
    with pytest.raises(CheckpointError, match=r"recognition_arcface_ir_se50\.pth"):
        ArcFaceIRSE50()


def test_faces_without_landmarks_are_refused(tmp_path: Path) -> None:
    teacher = ArcFaceOnnx(str(identity_network(tmp_path / "n.onnx")))
    with pytest.raises(AlignmentError, match="'box'"):
        teacher.aligned_as(Alignment(64, frame="box"))


def test_the_real_network_says_what_onnx_runtime_says(weights: Path, drawn_faces: Path) -> None:
    path, alignment = weights / "mobileface_id_v2.onnx", Alignment(160)
    teacher = ArcFaceOnnx(str(path))
    teacher.aligned_as(alignment)
    paths = sorted((drawn_faces / "normalized").glob("*.jpg"))[:2]
    image = torch.stack([to_tensor(read_image(path)) for path in paths])
    smooth = torch.nn.functional.avg_pool2d(image, 5, 1, 2)  # nothing to overshoot
    wanted = OnnxIdentity(path, alignment=alignment, mean=0.0, scale=1.0)(smooth)
    assert float((teacher(smooth) * wanted).sum(1).min()) > 0.98
