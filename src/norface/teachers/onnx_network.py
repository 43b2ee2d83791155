"""A network from an ONNX file as a differentiable PyTorch module."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from norface.errors import CheckpointError, ConfigError


def load_onnx(path: Path, *, expected: str) -> nn.Module:
    """Convert an ONNX file (onnx2torch, extra ``weights``).

    Args:
        path: The file.
        expected: What it should be, for the message.

    Returns:
        A module in evaluation mode with float32 weights and inputs and outputs as in the file.

    Raises:
        ConfigError: onnx2torch is not installed.
        CheckpointError: The file is damaged, no ONNX file, or uses an operator that cannot be converted.
    """
    try:
        import onnx2torch
        from onnx2torch.node_converters.activations import OnnxPReLU
        from onnx2torch.node_converters.slice import OnnxSlice
    except ImportError as error:
        raise ConfigError(
            expected="the package onnx2torch, to differentiate through a network from an ONNX file",
            found=str(error)[:200],
            where="Python environment",
            action='Install it: pip install "norface[weights]".',
        ) from error
    try:
        network: nn.Module = onnx2torch.convert(str(path))
    except Exception as error:  # protobuf, onnx and onnx2torch raise types of their own
        raise unusable(path, error, expected=expected) from error
    ours = {OnnxSlice: Slice, OnnxPReLU: PRelu}
    for name, module in list(network.named_modules()):
        if type(module) in ours:
            network.set_submodule(name, ours[type(module)]())
    return network.eval().requires_grad_(False)


def unusable(path: Path, error: Exception, *, expected: str) -> CheckpointError:
    """The error for a file that a library cannot read, or that holds something else."""
    reason = (str(error).strip().splitlines() or ["no message"])[0][:160]
    return CheckpointError(
        expected=expected,
        found=f"{type(error).__name__}: {reason}",
        where=str(path),
        action="Copy the file again from its source, or name another; `norface weights list` shows the known ones.",
    )


class Slice(nn.Module):
    """ONNX's Slice with constant bounds; onnx2torch's own indexes by a list, which PyTorch is giving up."""

    def forward(
        self, data: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None, steps: Tensor | None = None
    ) -> Tensor:
        """Any tensor, and int ``(K,)`` bounds of K of its axes; see the ONNX operator."""
        firsts, lasts = starts.tolist(), ends.tolist()
        where = range(len(firsts)) if axes is None else axes.tolist()
        strides = [1] * len(firsts) if steps is None else steps.tolist()
        index = [slice(None)] * data.ndim
        for axis, first, last, stride in zip(where, firsts, lasts, strides, strict=True):
            if stride < 0:  # PyTorch has no negative strides
                wanted = range(data.shape[axis])[first:last:stride]
                data = data.index_select(axis, torch.tensor(list(wanted), device=data.device))
            else:
                index[axis] = slice(first, last, stride)
        return data[tuple(index)]


class PRelu(nn.Module):
    """ONNX's PRelu; onnx2torch's own indexes by a mask: most of the time of a backward pass, and a GPU has to wait."""

    def forward(self, data: Tensor, slope: Tensor) -> Tensor:
        """Any tensor, and slopes that broadcast to it."""
        return torch.where(data >= 0, data, data * slope)
