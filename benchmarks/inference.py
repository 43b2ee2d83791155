"""Inference: the same network run in several ways, in turns.

`eager` is what norface does: channels last. `contiguous` shows what that layout brings. `compiled` is torch.compile
with its default backend, `bf16` autocast, `ONNX` and `int8` ONNX Runtime; all with as many threads as PyTorch.
"""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.demo import SIZE, make_classifier, make_normalizer
from benchmarks.timing import Figure, figure, in_turns, rate, ratio
from norface.classifier import TrainedClassifier
from norface.export.graphs import Graph, classifier_graph, load_graph, normalizer_graph
from norface.export.onnx_file import convert, open_session
from norface.imaging.alignment import Alignment

Run = Callable[[], Tensor]
CALIBRATION_FACES = 128


def measure(*, quick: bool = False, checkpoints: tuple[Path, ...] = ()) -> list[Figure]:
    """Every way of running the demo's two networks, or those of checkpoints."""
    graphs = [load_graph(path) for path in checkpoints] or [demo_normalizer(), demo_classifier()]
    figures = []
    for graph in graphs:
        data = convert(graph)
        files = {"ONNX": data, **quantized(data, graph)}
        figures += [one for faces in ((2,) if quick else (1, 32)) for one in ways(graph, files, faces, quick)]
    return figures


def demo_normalizer() -> Graph:
    """The demo's normalizer, untrained."""
    return normalizer_graph(make_normalizer())


def demo_classifier() -> Graph:
    """The demo's classifier, untrained."""
    labels = tuple(f"label{k}" for k in range(8))
    trained = TrainedClassifier(make_classifier(), "fer", labels, dict(Alignment(SIZE).describe()), ())
    return classifier_graph(trained, where="benchmark")


def ways(graph: Graph, files: dict[str, bytes], faces: int, quick: bool) -> list[Figure]:
    """Rates of one network at one number of faces, relative to `eager`, and how far the answers are from its."""
    images = graph.example(faces)
    runs: dict[str, Run] = {"eager": lambda: graph.module(*images)}
    contiguous = copy.deepcopy(graph.module).to(memory_format=torch.contiguous_format)
    runs["contiguous"] = lambda: contiguous(*images)
    runs["bf16"] = lambda: autocast(graph.module, images)
    if not quick:
        compiled = torch.compile(copy.deepcopy(graph.module))
        runs["compiled"] = lambda: compiled(*images)
    for name, content in files.items():
        runs[name] = session_run(content, graph, images)
    repeats = 1 if quick else max(1, 64 // faces)
    with torch.inference_mode():
        answers = {name: run() for name, run in runs.items()}
        sides = {name: repeated(run, repeats) for name, run in runs.items()}
        times = in_turns(sides, rounds=1 if quick else 7)
    title = f"{graph.metadata['kind']}, {faces} faces at once" if faces > 1 else f"{graph.metadata['kind']}, one face"
    figures = [rate(f"{title}: eager", times["eager"], faces * repeats)]
    for name in runs:
        if name != "eager":
            figures.append(ratio(f"{title}: {name} / eager (time)", times, name, "eager"))
            figures.append(difference(f"{title}: {name}, largest difference", answers[name], answers["eager"]))
    return figures


def autocast(module: nn.Module, images: tuple[Tensor, ...]) -> Tensor:
    """Answer in bf16 where autocast thinks it right."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answer: Tensor = module(*images)
    return answer


def repeated(run: Run, count: int) -> Callable[[], None]:
    """The same several times."""

    def work() -> None:
        for _ in range(count):
            run()

    return work


def session_run(data: bytes, graph: Graph, images: tuple[Tensor, ...]) -> Run:
    """ONNX Runtime on the same images."""
    session = open_session(data, threads=torch.get_num_threads())
    inputs = dict(zip(graph.inputs, (image.numpy() for image in images), strict=True))
    return lambda: torch.from_numpy(session.run(None, inputs)[0])


def difference(name: str, found: Tensor, wanted: Tensor) -> Figure:
    """Largest absolute difference."""
    return figure(name, [float((found.float() - wanted.float()).abs().max())], "abs")


def quantized(data: bytes, graph: Graph) -> dict[str, bytes]:
    """The ONNX file with 8-bit weights: ranges of activations found while running, or on a few faces before."""
    import onnx
    from onnxruntime import quantization

    class Faces(quantization.CalibrationDataReader):  # type: ignore[misc]
        """Faces from which the ranges are taken, in batches of 16."""

        def __init__(self) -> None:
            parts = zip(*(image.split(16) for image in graph.example(CALIBRATION_FACES, seed=1)), strict=True)
            self.batches = iter([{n: p.numpy() for n, p in zip(graph.inputs, part, strict=True)} for part in parts])

        def get_next(self) -> dict[str, np.ndarray] | None:
            """The next batch."""
            return next(self.batches, None)

    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source, simple, out = (Path(name) / file for file in ("in.onnx", "simple.onnx", "out.onnx"))
        source.write_bytes(data)
        quantization.quant_pre_process(str(source), str(simple), skip_symbolic_shape=True)
        model = onnx.load(simple)
        del model.graph.value_info[:]  # shapes of before the simplification
        onnx.save(model, simple)
        quantization.quantize_dynamic(str(simple), str(out), weight_type=quantization.QuantType.QInt8)
        dynamic = out.read_bytes()
        quantization.quantize_static(str(simple), str(out), Faces(), op_types_to_quantize=["Conv", "Gemm", "MatMul"])
        return {"int8 dynamic": dynamic, "int8 static": out.read_bytes()}
