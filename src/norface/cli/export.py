"""``norface export``: a trained network as an ONNX file."""

from __future__ import annotations

from pathlib import Path


def export(*, checkpoint: Path, out: Path) -> None:
    """Write a normalizer or a classifier as an ONNX file, after checking that it answers as PyTorch does.

    Args:
        checkpoint: Checkpoint of the normalizer or the classifier.
        out: File to write, such as model.onnx; docs/export.md shows how to run it.
    """
    from norface.export import TOLERANCE, export_onnx, load_graph

    graph = load_graph(checkpoint)
    difference = export_onnx(graph, out)
    reads = " and ".join(graph.inputs)
    print(f"{graph.metadata['kind']} in {out}: reads {reads}, gives {graph.output}, for any number of faces")
    print(f"largest difference to PyTorch {difference:.1e} (at most {TOLERANCE:.0e})")
