from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from norface.cli.main import USAGE, main
from norface.errors import ConfigError
from norface.export import METADATA_KEY, export_onnx, load_graph
from norface.export import onnx_file as onnx_file_module
from norface.export.onnx_file import ExportError, convert, largest_difference
from toy_world import SIZE

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

DOCS = Path(__file__).parents[2] / "docs" / "export.md"


def test_command_and_the_documented_program(
    normalizer_file: Path,
    classifier_file: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, checkpoint in (("normalizer", normalizer_file), ("classifier", classifier_file())):
        assert main(["export", "--checkpoint", str(checkpoint), "--out", f"{name}.onnx"]) == 0
        shown = capsys.readouterr().out
        assert float(re.findall(r"difference to PyTorch (\S+)", shown)[0]) <= 1e-4
    assert "reads original and normalized, gives probabilities" in shown

    (program,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    crops = np.random.default_rng(0).integers(0, 256, (7, SIZE, SIZE, 3), dtype=np.uint8)
    known: dict[str, Any] = {"crops": crops}
    exec(program, known)
    original = torch.from_numpy(known["original"])
    normalized = load_graph(normalizer_file).module(original)
    assert np.abs(known["normalized"] - normalized.numpy()).max() < 1e-4
    answers = load_graph(classifier_file()).module(original, normalized)
    assert np.abs(known["answers"] - answers.numpy()).max() < 1e-4
    assert known["about"]["labels"] == ["neutral", "happy", "sad"]
    session = onnxruntime.InferenceSession("classifier.onnx")
    assert json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY]) == known["about"]
    assert [put.shape[0] for put in session.get_inputs()] == ["batch", "batch"]
    assert sorted(path.name for path in tmp_path.glob("*.onnx*")) == ["classifier.onnx", "normalizer.onnx"]


@pytest.mark.slow
@pytest.mark.parametrize("task", ["au", "au-intensity"])
def test_other_tasks_and_a_single_stream(task: str, classifier_file: Callable[..., Path], tmp_path: Path) -> None:
    graph = load_graph(classifier_file(task, "normalized"))
    assert export_onnx(graph, tmp_path / "model.onnx") < 1e-4


def test_a_network_that_answers_differently_is_not_written(
    classifier_file: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = classifier_file("fer", "original")
    graph = load_graph(path)
    data = convert(graph)
    assert largest_difference(graph, data) < 1e-5
    shifted = replace(graph, module=_Shifted(graph.module))
    assert 0.5e-3 < largest_difference(shifted, data) < 2e-3

    monkeypatch.setattr(onnx_file_module, "convert", lambda graph: data)
    with pytest.raises(ExportError, match="No file was written"):
        export_onnx(shifted, tmp_path / "model.onnx")
    monkeypatch.setattr(onnx_file_module, "largest_difference", lambda graph, data: float("nan"))
    assert main(["export", "--checkpoint", str(path), "--out", str(tmp_path / "model.onnx")]) == USAGE
    assert "ExportError" in capsys.readouterr().err
    assert not list(tmp_path.glob("*onnx*"))


class _Shifted(torch.nn.Module):
    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *images: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.module(*images) + 1e-3
        return answer


def test_missing_packages_are_named(
    classifier_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ConfigError, match=r"norface\[export\]"):
        export_onnx(load_graph(classifier_file()), tmp_path / "model.onnx")
