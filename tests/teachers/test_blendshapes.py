from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from norface.errors import AlignmentError, CheckpointError, ConfigError
from norface.imaging.alignment import Alignment, align
from norface.imaging.convert import to_tensor
from norface.imaging.files import read_image
from norface.teachers import Blendshapes
from norface.teachers.blendshapes import BLIND, read_batch
from norface.teachers.onnx_network import load_onnx

pytest.importorskip("onnx2torch")
pytest.importorskip("onnxruntime")

from teachers.tiny_onnx import blendshape_network, landmark_network


def by_onnx_runtime(folder: Path, crops: torch.Tensor) -> list[np.ndarray]:
    """All blendshapes of each crop ``(B, 3, 256, 256)`` in [-1, 1], one face after the other."""
    import onnxruntime

    landmarks = onnxruntime.InferenceSession(str(folder / "mp_face_landmarks_detector.onnx"))
    blendshapes = onnxruntime.InferenceSession(str(folder / "mp_face_blendshapes.onnx"))
    subset = json.loads((folder / "mp_face_blendshapes.json").read_text())["landmark_subset"]
    found = []
    for crop in crops:
        pixels = ((crop.movedim(0, -1) + 1) / 2).numpy()[None]
        outputs = landmarks.run(None, {landmarks.get_inputs()[0].name: pixels})
        (points,) = (output for output in outputs if output.size == 3 * 478)
        chosen = points.reshape(1, 478, 3)[:, subset, :2]
        found.append(blendshapes.run(None, {blendshapes.get_inputs()[0].name: chosen})[0])
    return found


def test_a_batch_says_what_onnx_runtime_says_of_each_face(mediapipe: Path) -> None:
    teacher = Blendshapes(str(mediapipe))
    image = torch.rand(3, 3, 64, 64) * 2 - 1
    reading = teacher(image)
    wanted = by_onnx_runtime(mediapipe, teacher.landmarks.crop(image))
    assert teacher.names == ("jawOpen", "mouthSmileLeft", "browInnerUp")
    assert float(reading.outputs.std(0).min()) > 1e-3  # the three faces differ
    np.testing.assert_allclose(reading.outputs.numpy(), np.stack(wanted)[:, 2:5], atol=1e-4)


def test_the_embedding_is_the_direction_of_outputs_and_one(mediapipe: Path) -> None:
    embedding, outputs = Blendshapes(str(mediapipe))(torch.rand(4, 3, 64, 64))
    for vector, values in zip(embedding, outputs, strict=True):
        lifted = [*values.tolist(), 1.0]
        length = sum(value**2 for value in lifted) ** 0.5
        assert vector.tolist() == pytest.approx([value / length for value in lifted], abs=1e-5)


def test_is_frozen_differentiable_and_in_full_precision(mediapipe: Path) -> None:
    teacher = Blendshapes(str(mediapipe))
    image = torch.rand(2, 3, 64, 64, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        reading = teacher.train()(image)
    assert torch.equal(reading.outputs, teacher(image).outputs)
    gradient = torch.autograd.grad(reading.outputs[0].sum(), image)[0]
    assert gradient[0].abs().sum() > 0 and gradient[1].abs().sum() == 0  # faces of a batch do not mix
    assert not any(module.training for module in teacher.modules())
    assert not any(p.requires_grad for p in teacher.parameters())


def test_emphasis_goes_by_name(mediapipe: Path) -> None:
    assert Blendshapes(str(mediapipe)).emphasis == (1.0, 1.0, 1.0)
    assert Blendshapes(str(mediapipe), emphasis={"jawOpen": 2.0, "browInnerUp": 0.0}).emphasis == (2.0, 1.0, 0.0)
    for wrong in ({"noseSneerLeft": 1.0}, {"jawOpen": -1.0}, dict.fromkeys(("jawOpen", "mouthSmileLeft"), 0.0)):
        if len(wrong) == 2:
            wrong["browInnerUp"] = 0.0
        with pytest.raises(ConfigError, match="emphasis"):
            Blendshapes(str(mediapipe), emphasis=wrong)


@pytest.mark.parametrize("text", ["{", "[]", '{"names": ["a"]}', '{"names": ["a"], "landmark_subset": [478]}'])
def test_a_vocabulary_that_is_none_is_refused(mediapipe: Path, text: str) -> None:
    (mediapipe / "mp_face_blendshapes.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"mp_face_blendshapes\.json.*landmark_subset"):
        Blendshapes(str(mediapipe))


def test_other_networks_are_refused(mediapipe: Path) -> None:
    blendshape_network(mediapipe / "mp_face_blendshapes.onnx", points=5, names=7)
    with pytest.raises(CheckpointError, match="to 6 numbers, found 7"):
        Blendshapes(str(mediapipe))
    blendshape_network(mediapipe / "mp_face_blendshapes.onnx", points=4, names=6)
    with pytest.raises(CheckpointError, match=r"points \(1, 5, 2\)"):
        Blendshapes(str(mediapipe))
    landmark_network(mediapipe / "mp_face_landmarks_detector.onnx", points=468)
    with pytest.raises(CheckpointError, match="478 points"):
        Blendshapes(str(mediapipe))


def test_a_missing_file_is_named(mediapipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (mediapipe / "mp_face_blendshapes.onnx").unlink()
    monkeypatch.setenv("NORFACE_WEIGHTS", str(mediapipe))
    with pytest.raises(CheckpointError, match=r"mp_face_blendshapes\.onnx.*Apache-2\.0"):
        Blendshapes()


def test_faces_without_landmarks_are_refused(mediapipe: Path) -> None:
    with pytest.raises(AlignmentError, match="'affectnet'"):
        Blendshapes(str(mediapipe)).aligned_as(Alignment(64, frame="affectnet"))


def drawn(folder: Path, alignment: Alignment, count: int) -> torch.Tensor:
    import pandas as pd

    frame = pd.read_csv(folder / "faces.csv")
    frame = frame.iloc[:: len(frame) // count].head(count)
    points = frame.filter(regex="_[xy]$").to_numpy().reshape(-1, 5, 2)
    faces = [align(read_image(folder / name), p, alignment) for name, p in zip(frame["image"], points, strict=True)]
    return torch.stack([to_tensor(face) for face in faces])


def test_the_real_networks_say_what_onnx_runtime_says(weights: Path, drawn_faces: Path) -> None:
    teacher = Blendshapes(str(weights))
    image = drawn(drawn_faces, Alignment(160), 4)
    points = teacher.landmarks(image)
    wanted = by_onnx_runtime(weights, teacher.landmarks.crop(image))
    np.testing.assert_allclose(teacher.blendshapes(points).numpy(), np.stack(wanted), atol=2e-3)
    assert len(teacher.names) == 52 - len(BLIND)
    spread = points[..., :2].amax(1) - points[..., :2].amin(1)
    assert ((spread > 110) & (spread < 215)).all()  # the faces fill about two thirds of the crop, as in MediaPipe


def test_the_real_blendshape_network_is_batched(weights: Path) -> None:
    network = load_onnx(weights / "mp_face_blendshapes.onnx", expected="blendshapes")
    points = torch.rand(3, 146, 2, requires_grad=True)
    found = read_batch(network, points * 256)
    one_by_one = torch.stack([network(face[None] * 256) for face in points])
    assert torch.allclose(found, one_by_one, atol=1e-5)
    assert (torch.autograd.grad(found.sum(), points)[0].abs().sum((1, 2)) > 0).all()
