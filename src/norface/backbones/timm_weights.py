"""Weights for networks of timm from files: timm's own layout, and that of published masked autoencoders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from norface.errors import CheckpointError

AUTOENCODER_KEYS = ("decoder_", "mask_token")
"""What a masked autoencoder's checkpoint holds beside its encoder (He et al. 2022, their published files)."""

POSITIONS = "pos_embed"


def load_timm_weights(network: Any, path: Path, *, head: str) -> None:
    """Fill a network of timm from a file; strict, but for positions of another grid, see `resampled`.

    Args:
        network: Of timm, without a head.
        path: ``.safetensors``, or what `torch.save` wrote: weights by name, bare or under ``state_dict`` or ``model``.
            A masked autoencoder's decoder and a classification head in it are left out.
        head: Name of the head in this network's published files.

    Raises:
        CheckpointError: The file cannot be read, or does not fit.
    """
    own = network.state_dict()
    beside = (f"{head}.", *AUTOENCODER_KEYS)
    state = {name: value for name, value in _read(path).items() if name in own or not name.startswith(beside)}
    state = resampled(network, state)
    shapes = {name: tuple(value.shape) for name, value in own.items()}
    wrong = [name for name in shapes if name not in state]
    unknown = [name for name in state if name not in shapes]
    other = [name for name, shape in shapes.items() if name in state and tuple(state[name].shape) != shape]
    if not wrong and not unknown and not other:
        network.load_state_dict(state)
        return
    found = [f"{len(wrong)} of its weights are missing ({wrong[0]}, ...)"] if wrong else []
    found += [f"{len(unknown)} are of another network ({unknown[0]}, ...)"] if unknown else []
    found += [f"{name} is {tuple(state[name].shape)}, not {shapes[name]}" for name in other[:1]]
    raise CheckpointError(
        expected=f"the {len(own)} weights of this network",
        found="; ".join(found),
        where=str(path),
        action="Give the name and the patch size of the network that the file belongs to, or the file of this network.",
    )


def resampled(network: Any, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights with a vision transformer's positions on the grid of `network`.

    Positions of a square grid of another size are resampled like a picture, bicubic with antialiasing; those of the
    class token and its like stay as they are. So does timm with images of another size, and so did DeiT (Touvron et al.
    2021, section 6) when it fine-tuned at a higher resolution.

    Args:
        network: Of timm.
        state: Weights by its names.
    """
    state = dict(state)
    there, here = state.get(POSITIONS), getattr(network, POSITIONS, None)
    if there is None or here is None or there.shape == here.shape or there.ndim != 3 or there.shape[2] != here.shape[2]:
        return state
    before = 0 if network.no_embed_class else network.num_prefix_tokens
    side = round(max(there.shape[1] - before, 0) ** 0.5)
    if there.shape[0] != 1 or side == 0 or side * side + before != there.shape[1]:
        return state  # no square grid: `load_state_dict` says which shape was found
    from timm.layers.pos_embed import resample_abs_pos_embed

    grid = [int(n) for n in network.patch_embed.grid_size]
    state[POSITIONS] = resample_abs_pos_embed(there, grid, [side, side], num_prefix_tokens=before)
    return state


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
        for key in ("state_dict", "model"):  # how training scripts wrap them
            state = state[key] if isinstance(state, dict) and isinstance(state.get(key), dict) else state
        if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
            raise ValueError("no weights by name")
        return {str(name): value for name, value in state.items()}
    except Exception as error:  # torch and safetensors raise many types here: pickle, zip, header, runtime
        raise CheckpointError(
            expected="a file of weights",
            found=f"{type(error).__name__}: {str(error).splitlines()[0][:160]}" if path.is_file() else "no such file",
            where=str(path),
            action="Correct the path; .safetensors and files of torch.save are read, files that hold code are not.",
        ) from error
