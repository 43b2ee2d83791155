"""Trained networks as ONNX files, for programs that have no PyTorch."""

from norface.export.graphs import Graph, load_graph
from norface.export.onnx_file import METADATA_KEY, TOLERANCE, export_onnx

__all__ = ["METADATA_KEY", "TOLERANCE", "Graph", "export_onnx", "load_graph"]
