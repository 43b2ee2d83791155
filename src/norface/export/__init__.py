"""Trained networks as files for others: ONNX for programs that have no PyTorch, safetensors for norface itself."""

from norface.export.graphs import Graph, load_graph
from norface.export.onnx_file import METADATA_KEY, TOLERANCE, export_onnx
from norface.export.packed_file import export_packed

__all__ = ["METADATA_KEY", "TOLERANCE", "Graph", "export_onnx", "export_packed", "load_graph"]
