from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnx2torch")
pytest.importorskip("onnxruntime")

from norface.errors import CheckpointError, ConfigError
from norface.teachers.onnx_network import PRelu, Slice, load_onnx
from teachers.tiny_onnx import identity_network, save

I64 = np.int64


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps"),
    [
        ([1], [3], [0], [1]),
        ([0, 1], [2**31, -1], [1, 2], [2, 1]),
        ([-2], [2**62], [-1], [1]),
        ([-1], [-(2**62)], [1], [-1]),
        ([3, 2], [0, 0], [2, 0], [-2, -1]),
    ],
)
def test_slices_are_those_of_onnx_runtime(
    tmp_path: Path, starts: list[int], ends: list[int], axes: list[int], steps: list[int]
) -> None:
    import onnxruntime
    from onnx import helper

    constants = {name: np.array(value, I64) for name, value in {"s": starts, "e": ends, "a": axes, "t": steps}.items()}
    node = helper.make_node("Slice", ["x", "s", "e", "a", "t"], ["y"])
    path = save(tmp_path / "slice.onnx", [node], constants, inputs={"x": (4, 5, 6)}, outputs={"y": ("A", "B", "C")})
    x = np.arange(120, dtype=np.float32).reshape(4, 5, 6)
    (wanted,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})
    network = load_onnx(path, expected="a slice")
    assert any(isinstance(module, Slice) for module in network.modules())
    np.testing.assert_array_equal(network(torch.from_numpy(x)).numpy(), wanted)


@pytest.mark.parametrize("shape", [(1,), (1, 5, 1), (4, 5, 6)])
def test_leaky_units_are_those_of_onnx_runtime(tmp_path: Path, shape: tuple[int, ...]) -> None:
    import onnxruntime
    from onnx import helper

    slope = np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)
    node = helper.make_node("PRelu", ["x", "slope"], ["y"])
    path = save(tmp_path / "p.onnx", [node], {"slope": slope}, inputs={"x": (4, 5, 6)}, outputs={"y": (4, 5, 6)})
    x = np.random.default_rng(1).normal(size=(4, 5, 6)).astype(np.float32)
    (wanted,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})
    network = load_onnx(path, expected="a leaky unit")
    assert any(isinstance(module, PRelu) for module in network.modules())
    np.testing.assert_allclose(network(torch.from_numpy(x)).numpy(), wanted, rtol=1e-6)


def test_networks_are_frozen_and_compute_the_same(tmp_path: Path) -> None:
    import onnxruntime

    path = identity_network(tmp_path / "n.onnx")
    network = load_onnx(path, expected="a network")
    image = torch.randn(3, 3, 112, 112, requires_grad=True)
    (wanted,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": image.detach().numpy()})
    found = network(image)
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-4, atol=1e-5)
    assert torch.autograd.grad(found.sum(), image)[0].abs().sum() > 0
    assert not network.training and not any(p.requires_grad for p in network.parameters())


def test_damaged_files_and_unknown_operators_are_told(tmp_path: Path) -> None:
    from onnx import helper

    whole = identity_network(tmp_path / "n.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"cut\.onnx: expected a face network"):
        load_onnx(tmp_path / "cut.onnx", expected="a face network")
    node = helper.make_node("Det", ["x"], ["y"])
    save(tmp_path / "det.onnx", [node], {}, inputs={"x": (2, 2)}, outputs={"y": ()})
    with pytest.raises(CheckpointError, match="Det"):
        load_onnx(tmp_path / "det.onnx", expected="a face network")


def test_the_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = identity_network(tmp_path / "n.onnx")
    monkeypatch.setitem(sys.modules, "onnx2torch", None)
    with pytest.raises(ConfigError, match=r"onnx2torch.*norface\[weights\]"):
        load_onnx(path, expected="a network")
