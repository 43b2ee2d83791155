"""A trained network packed for others: one safetensors file of weights, description and checksum, and no code.

What `read_packed` gives has the form of an opened checkpoint, so whatever reads checkpoints reads packed files too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

SUFFIX = ".safetensors"

DEFAULT = "default"
"""The word that stands for the shipped normalizer wherever a checkpoint of a normalizer is asked for."""

SHIPPED = Path(__file__).parent / "normalizer" / "default" / f"normalizer{SUFFIX}"
"""The shipped normalizer; its model card lies beside it."""


def pack(state: Mapping[str, Tensor], about: Mapping[str, Any]) -> bytes:
    """The content of a packed file.

    Args:
        state: Weights by name, in the precision in which they shall be kept.
        about: Plain data: what a checkpoint of norface has under ``"norface"``, and more.
    """
    from safetensors.torch import save

    tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    described = json.dumps(about, sort_keys=True)
    return _ordered(save(tensors, {"norface": described, "sha256": _digest(tensors, described)}))


def _ordered(content: bytes) -> bytes:
    """The same file with its header in order: that of safetensors is in a random one, so no two files were equal."""
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:start]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # the values stay aligned, as the format asks
    return len(header).to_bytes(8, "little") + header + content[start:]


def read_packed(path: Path) -> dict[str, Any]:
    """A packed file as an opened checkpoint: ``state_dict`` with floats in single precision, and ``norface``.

    Raises:
        SafetensorError, LookupError, ValueError, ...: It is truncated, altered, or was not packed by norface.
    """
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:  # compares all sizes with the file's
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118  # no mapping
    if "norface" not in metadata:
        raise ValueError("a safetensors file that norface did not write")
    if metadata.get("sha256") != _digest(tensors, metadata["norface"]):
        raise ValueError("another content than its sha256 says")
    state = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    return {"state_dict": state, "norface": json.loads(metadata["norface"])}


def _digest(tensors: Mapping[str, Tensor], described: str) -> str:
    """sha256 (hex) over the description and each tensor's name, type, shape and values."""
    digest = hashlib.sha256(described.encode())
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode() + value.numpy().tobytes())
    return digest.hexdigest()
