"""Write a network as an ONNX file that was seen to give PyTorch's answers."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from norface.cache.durable import write_durably
from norface.errors import ConfigError, NorfaceError
from norface.export.graphs import Graph

if TYPE_CHECKING:
    import onnxruntime

METADATA_KEY = "norface"
"""Entry of the file's metadata that holds, as JSON, what a program must know."""

OPSET = 20
"""Read by ONNX Runtime since 1.17 and by every larger runtime of that age."""

TOLERANCE = 1e-4
"""Largest difference to PyTorch's answer with which a file is written."""

CHECKED_BATCHES = (1, 2, 5)
"""Faces at once in the comparison; none is the number that the graph was traced with."""

TRACED_BATCH = 3


class ExportError(NorfaceError):
    """A network could not be exported, or the exported one answers differently."""


def export_onnx(graph: Graph, path: Path) -> float:
    """Export, compare with PyTorch, then write; a network that differs is never written.

    Args:
        graph: What to export.
        path: File to write.

    Returns:
        Largest absolute difference to PyTorch's answer.

    Raises:
        ConfigError: The packages of the extra ``export`` are missing.
        ExportError: The file would answer differently.
        OutputError: The file cannot be written.
    """
    data = convert(graph)
    difference = largest_difference(graph, data)
    if not difference <= TOLERANCE:  # NaN too
        raise ExportError(
            expected=f"the answers of PyTorch within {TOLERANCE:g}",
            found=f"a difference of {difference:.3g}",
            where=f"ONNX graph for {path}",
            action="No file was written. Try the versions of constraints.txt, and report it if that does not help.",
        )
    write_durably(path, data)
    return difference


def convert(graph: Graph) -> bytes:
    """The ONNX file of a graph: any number of faces at once, `METADATA_KEY` in its metadata."""
    try:
        import onnx  # noqa: F401  # what the exporter needs: missing, it fails with a page of trace
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise _missing(error) from error
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    module, example = graph.module, graph.example(TRACED_BATCH)
    shapes = torch.export.ShapesCollection()
    shapes[example[0]] = {0: torch.export.Dim("batch")}
    for images in example[1:]:  # found to be the same; named once more, the exporter warns
        shapes[images] = {0: torch.export.Dim.DYNAMIC}
    program = torch.onnx.export(
        module,
        example,
        dynamo=True,
        dynamic_shapes=shapes.dynamic_shapes(module, example),
        input_names=list(graph.inputs),
        output_names=[graph.output],
        opset_version=OPSET,
        verbose=False,
    )
    assert program is not None  # None is what the exporter before `dynamo` returned
    model = program.model_proto
    for value in (*model.graph.input, *model.graph.output):  # the exporter does not always see that they are the same
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, json.dumps(graph.metadata)
    content: bytes = model.SerializeToString()
    return content


def largest_difference(graph: Graph, data: bytes) -> float:
    """Largest absolute difference between PyTorch's and ONNX Runtime's answers, over several numbers of faces."""
    session = open_session(data)
    differences = []
    for faces in CHECKED_BATCHES:
        images = graph.example(faces, seed=faces)
        with torch.inference_mode():
            wanted = graph.module(*images).numpy()
        (found,) = session.run(None, dict(zip(graph.inputs, (image.numpy() for image in images), strict=True)))
        differences.append(float(np.abs(wanted - found).max()))
    return float(np.max(differences))


def open_session(data: bytes, *, threads: int = 0) -> onnxruntime.InferenceSession:
    """Run an ONNX file on the CPU.

    Args:
        data: Content of the file.
        threads: How many it may use; 0: as many as there are cores.

    Raises:
        ConfigError: ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise _missing(error) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _missing(error: ImportError) -> ConfigError:
    return ConfigError(
        expected="the packages that write and run ONNX files",
        found=f"{error.name} is not installed",
        where="norface export",
        action='Install them: pip install "norface[export]".',
    )
