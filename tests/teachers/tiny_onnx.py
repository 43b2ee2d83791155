"""Small ONNX networks with the inputs and outputs of the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str]


def save(
    path: Path,
    nodes: list[Any],
    constants: dict[str, NDArray[Any]],
    *,
    inputs: dict[str, Shape],
    outputs: dict[str, Shape],
) -> Path:
    """Write a graph with float inputs and outputs."""
    described = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name, shape in part.items()]
        for part in (inputs, outputs)
    ]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", described[0], described[1], initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def identity_network(path: Path, *, side: int = 112, flatten: bool = True) -> Path:
    """Pools to 4 x 4 and projects to eight numbers: ``(N, 3, side, side)`` to ``(N, 8)``, or to pooled maps."""
    weight = np.random.default_rng(0).normal(size=(48, 8)).astype(np.float32)
    pool = helper.make_node(
        "AveragePool", ["x"], ["p"], kernel_shape=[side // 4, side // 4], strides=[side // 4, side // 4]
    )
    project = [helper.make_node("Flatten", ["p"], ["f"], axis=1), helper.make_node("MatMul", ["f", "w"], ["y"])]
    outputs: dict[str, Shape] = {"y": ("N", 8)} if flatten else {"p": ("N", 3, 4, 4)}
    constants: dict[str, NDArray[Any]] = {"w": weight} if flatten else {}
    return save(
        path,
        [pool, *(project if flatten else [])],
        constants,
        inputs={"x": ("N", 3, side, side)},
        outputs=outputs,
    )


def landmark_network(path: Path, *, points: int = 478) -> Path:
    """``(N, 256, 256, 3)`` in 0..1 to a presence and to ``points`` points in pixels, as MediaPipe's."""
    random = np.random.default_rng(1)
    weight = (random.normal(size=(192, 3 * points)) * 40).astype(np.float32)
    start = random.uniform(0, 256, 3 * points).astype(np.float32)
    shape = np.array([-1, 1, 1, 3 * points])
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["t"], ["p"], kernel_shape=[32, 32], strides=[32, 32]),
        helper.make_node("Flatten", ["p"], ["f"], axis=1),
        helper.make_node("MatMul", ["f", "w"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["a"]),
        helper.make_node("Reshape", ["a", "shape"], ["points"]),
        helper.make_node("ReduceMean", ["f"], ["presence"], axes=[1], keepdims=1),
    ]
    outputs: dict[str, Shape] = {"presence": ("N", 1), "points": ("N", 1, 1, 3 * points)}
    constants = {"w": weight, "b": start, "shape": shape}
    return save(path, nodes, constants, inputs={"x": ("N", 256, 256, 3)}, outputs=outputs)


def blendshape_network(path: Path, *, points: int, names: int) -> Path:
    """``(1, points, 2)`` to ``(names,)`` in 0..1; one face is written into the graph, as in MediaPipe's."""
    weight = (np.random.default_rng(2).normal(size=(2 * points, names)) / points).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["centre"], axes=[-2], keepdims=1),
        helper.make_node("Sub", ["x", "centre"], ["c"]),
        helper.make_node("Mul", ["c", "unit"], ["u"]),
        helper.make_node("Reshape", ["u", "flat"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["m"]),
        helper.make_node("Sigmoid", ["m"], ["s"]),
        helper.make_node("Slice", ["s", "first", "last", "axis"], ["one"]),
        helper.make_node("Reshape", ["one", "vector"], ["y"]),
    ]
    constants: dict[str, NDArray[Any]] = {
        "unit": np.array([0.01], np.float32),
        "flat": np.array([1, 2 * points]),
        "w": weight,
        "first": np.array([0]),
        "last": np.array([1]),
        "axis": np.array([0]),
        "vector": np.array([names]),
    }
    return save(path, nodes, constants, inputs={"x": (1, points, 2)}, outputs={"y": (names,)})
