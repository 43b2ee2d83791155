"""Start an encoder from one that another norface network has trained."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from norface.backbones.contract import Backbone
from norface.checkpoints import read_state
from norface.errors import CheckpointError

ENCODER_PREFIXES = ("average.network.encoder.", "network.embed.encoder.", "network.encoder.")
"""Where checkpoints keep their encoder: normalizer (its averaged one), expression teacher, identity teacher and masked
autoencoder."""


def load_encoder(encoder: nn.Module, path: str) -> None:
    """Fill `encoder`, a `Backbone`, from the checkpoint of a teacher, a masked autoencoder or a normalizer; strict.

    Only the positions of a vision transformer may be of another grid, see `TimmEncoder.adapted`.

    Raises:
        CheckpointError: Missing, damaged, without an encoder, or with one of another kind or size.
    """
    assert isinstance(encoder, Backbone), type(encoder).__name__
    state = read_state(Path(path))
    for prefix in ENCODER_PREFIXES:
        weights = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        if weights:
            break
    try:
        encoder.load_state_dict(encoder.adapted(weights))
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise CheckpointError(
            expected="an encoder of the same widths and blocks, or the same network of timm",
            found=" ".join(line.strip() for line in lines[1:2])[:300] or lines[0][:300],
            where=path,
            action="Give this encoder the class and the arguments that the checkpoint was trained with.",
        ) from error
