"""Networks of facexlib, built directly: its own loaders download, and one of them wants a GPU."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from norface.checkpoints import check_contents
from norface.errors import ConfigError
from norface.teachers.onnx_network import unusable


def load_facexlib(path: Path, module: str, name: str, *arguments: Any, **options: Any) -> nn.Module:
    """Build a network and load its weights.

    Args:
        path: The file: a state dict, or one under ``params``.
        module, name: Where facexlib has the class.
        arguments, options: Its constructor's.

    Raises:
        ConfigError: facexlib is not installed.
        CheckpointError: The file is damaged, holds code, or the weights of another network.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its dependencies, about their own future
            make = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise ConfigError(
            expected="the package facexlib, for the class of this network",
            found=str(error)[:200],
            where="Python environment",
            action='Install it: pip install "norface[weights]".',
        ) from error
    network: nn.Module = make(*arguments, **options)
    try:
        check_contents(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state["params"] if isinstance(state, Mapping) and "params" in state else state)
    except Exception as error:  # torch raises many types here: pickle, zip, runtime, end of file
        raise unusable(path, error, expected=f"the weights of facexlib's {name}") from error
    return network.eval().requires_grad_(False)
