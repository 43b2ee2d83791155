"""The real insightface runs a tiny network with SCRFD's inputs and outputs: it finds bright spots."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from norface.errors import DetectionError
from norface.faces.scrfd import Scrfd
from norface.imaging.pixels import Pixels

pytestmark = pytest.mark.usefixtures("any_content")

onnx = pytest.importorskip("onnx")
pytest.importorskip("insightface")

STRIDES = (8, 16, 32)
POINTS = [-1.0, -1.0, 1.0, -1.0, 0.0, 0.0, -0.5, 1.0, 0.5, 1.0]
"""Landmarks around an anchor's centre, in strides, x and y in turn."""


def write_network(path: Path, *, side: int | None = None, points: bool = True) -> None:
    """A spot's brightness is its score; its box reaches 2 strides to the left and right, 1.5 upwards, 2.5 downwards."""
    helper, tensor = onnx.helper, onnx.TensorProto.FLOAT
    nodes, outputs, constants = [], [], []

    def constant(name: str, values: object, kind: type = np.float32) -> str:
        constants.append(onnx.numpy_helper.from_array(np.array(values, kind), name))
        return name

    axes, flat, half = constant("axes", [1], np.int64), constant("flat", [-1, 1], np.int64), constant("half", [0.5])
    scale, pair = constant("scale", [128.0 / 255.0]), constant("pair", [[1.0, 0.0]])
    nodes += [helper.make_node("ReduceMean", ["input", axes], ["grey"])]
    nodes += [helper.make_node("Mul", ["grey", scale], ["scaled"]), helper.make_node("Add", ["scaled", half], ["unit"])]
    for stride in STRIDES:
        pool = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        level = constant(f"level{stride}", [1.0 if stride == 8 else 0.0])
        nodes += [
            helper.make_node("AveragePool", ["unit"], [f"pooled{stride}"], **pool),
            helper.make_node("Mul", [f"pooled{stride}", level], [f"weighted{stride}"]),
            helper.make_node("Reshape", [f"weighted{stride}", flat], [f"column{stride}"]),
            helper.make_node("MatMul", [f"column{stride}", pair], [f"anchors{stride}"]),  # the second anchor: nothing
            helper.make_node("Reshape", [f"anchors{stride}", flat], [f"score{stride}"]),
        ]
    parts = {"box": [2.0, 1.5, 2.0, 2.5], **({"points": POINTS} if points else {})}
    for name, values in parts.items():
        zero, offset = constant(f"{name}zero", [[0.0] * len(values)]), constant(f"{name}offset", [values])
        for stride in STRIDES:
            nodes += [
                helper.make_node("MatMul", [f"score{stride}", zero], [f"{name}null{stride}"]),
                helper.make_node("Add", [f"{name}null{stride}", offset], [f"{name}{stride}"]),
            ]
    for name, width in (("score", 1), ("box", 4), ("points", 10))[: 3 if points else 2]:
        outputs += [helper.make_tensor_value_info(f"{name}{s}", tensor, [None, width]) for s in STRIDES]
    shape = [1, 3, side or "?", side or "?"]
    graph = helper.make_graph(
        nodes, "scrfd", [helper.make_tensor_value_info("input", tensor, shape)], outputs, constants
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), str(path))


def write_recognizer(path: Path) -> None:
    helper, tensor = onnx.helper, onnx.TensorProto.FLOAT
    given = helper.make_tensor_value_info("input", tensor, [1, 3, 112, 112])
    result = helper.make_tensor_value_info("output", tensor, [1, 3, 1, 1])
    graph = helper.make_graph(
        [helper.make_node("GlobalAveragePool", ["input"], ["output"])], "arcface", [given], [result]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), str(path))


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    write_network(tmp_path / "det_10g.onnx")
    write_recognizer(tmp_path / "w600k_r50.onnx")
    return tmp_path


def spots(*places: tuple[int, int], width: int = 96, height: int = 64) -> Pixels:
    pixels = np.zeros((height, width, 3), np.uint8)
    for x, y in places:
        pixels[y : y + 8, x : x + 8] = 255
    return pixels


def test_finds_what_the_network_says_where_it_says_it(pack: Path) -> None:
    (face,) = Scrfd(weights=pack, score=0.9).detect(spots((40, 24)))
    np.testing.assert_allclose(face.box, (40 - 16, 24 - 12, 32, 32), atol=1e-3)
    assert face.points is not None
    np.testing.assert_allclose(face.points[0], (40 - 8, 24 - 8), atol=1e-3)
    np.testing.assert_allclose(face.points[4], (40 + 4, 24 + 8), atol=1e-3)
    assert face.score == pytest.approx(1.0, abs=1e-3)


def test_no_face_and_several_faces(pack: Path) -> None:
    detector = Scrfd(weights=pack, score=0.9)
    assert detector.detect(spots()) == []
    assert len(detector.detect(spots((8, 24), (72, 24)))) == 2


def test_a_large_picture_is_reduced_and_mapped_back(pack: Path) -> None:
    pixels = np.zeros((1600, 2560, 3), np.uint8)
    pixels[800:832, 1280:1312] = 255  # 8 pixels once the picture is 640 wide
    (face,) = Scrfd(weights=pack, score=0.9).detect(pixels)
    np.testing.assert_allclose(face.box, (1280 - 64, 800 - 48, 128, 128), atol=1e-2)
    assert face.points is not None
    np.testing.assert_allclose(face.points[2], ((320 + 0.5) * 4 - 0.5, (200 + 0.5) * 4 - 0.5), atol=1e-2)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 700, 3), (48, 48, 3)])
def test_tiny_pictures(pack: Path, shape: tuple[int, int, int]) -> None:
    assert Scrfd(weights=pack, score=0.9).detect(np.zeros(shape, np.uint8)) == []


def test_network_of_a_fixed_size(tmp_path: Path) -> None:
    write_network(tmp_path / "scrfd_10g.onnx", side=128)
    (face,) = Scrfd(weights=tmp_path, score=0.9).detect(spots((40, 32), width=128, height=128))
    np.testing.assert_allclose(face.box, (24, 20, 32, 32), atol=1e-3)


def test_network_without_landmarks(tmp_path: Path) -> None:
    write_network(tmp_path / "det.onnx", points=False)
    (face,) = Scrfd(weights=tmp_path / "det.onnx", score=0.9).detect(spots((40, 24)))
    assert face.points is None and face.box.width == pytest.approx(32, abs=1e-3)


def test_pack_with_a_manifest(tmp_path: Path) -> None:
    write_network(tmp_path / "detector.onnx")
    tasks = {"detection": {"file": "detector.onnx"}}
    manifest = {"manifest_version": 2, "model_id": "tiny", "tasks": tasks, "license": "MODEL.LICENSE"}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    detector = Scrfd(weights=tmp_path, score=0.9)
    assert len(detector.detect(spots((40, 24)))) == 1
    assert detector.describe()["weights"] == "detector.onnx"


def test_describes_itself(pack: Path) -> None:
    described = Scrfd(weights=pack, score=0.7).describe()
    assert described["name"] == "scrfd" and described["library"] == "insightface" and described["version"]
    assert described["weights"] == "det_10g.onnx" and described["score"] == 0.7 and len(str(described["sha256"])) == 64
    json.dumps(described)


def test_folder_from_the_environment(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORFACE_WEIGHTS", str(pack))
    assert Scrfd().path == pack / "det_10g.onnx"


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(DetectionError, match=r"det_10g\.onnx.*non-commercial") as caught:
        Scrfd(weights=tmp_path / "buffalo_l")
    assert "insightface" in str(caught.value) and "no such file or folder" in caught.value.found
    with pytest.raises(DetectionError, match="no such file"):
        Scrfd(weights=tmp_path)


def test_several_candidates_and_other_networks(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(DetectionError, match="recognition, no detector"):
        Scrfd(weights=pack / "w600k_r50.onnx")
    shutil.move(pack / "det_10g.onnx", pack / "det_a.onnx")
    assert Scrfd(weights=pack).path.name == "det_a.onnx"
    shutil.copy(pack / "det_a.onnx", pack / "det_b.onnx")
    with pytest.raises(DetectionError, match="several that may be meant"):
        Scrfd(weights=pack)


@pytest.mark.parametrize("content", [b"", b"not a network"])
def test_damaged_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "det_10g.onnx").write_bytes(content)
    with pytest.raises(DetectionError, match="Copy the file again"):
        Scrfd(weights=tmp_path)


def test_no_cuda_here(pack: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("ONNX Runtime has CUDA here")
    with pytest.raises(DetectionError, match="CUDA"):
        Scrfd(weights=pack, device="cuda")
