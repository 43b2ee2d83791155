"""Start an encoder from one that another norface network has trained."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from norface.checkpoints import read_state
from norface.errors import CheckpointError

ENCODER_PREFIXES = ("average.network.encoder.", "network.embed.encoder.", "network.encoder.")
"""Where checkpoints keep their encoder: normalizer (its averaged one), expression teacher, identity teacher."""


def load_encoder(encoder: nn.Module, path: str) -> None:
    """Fill `encoder` from a teacher's or a normalizer's checkpoint; strict.

    Raises:
        CheckpointError: Missing, damaged, without an encoder, or with one of another size.
    """
    state = read_state(Path(path))
    for prefix in ENCODER_PREFIXES:
        weights = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        if weights:
            break
    try:
        encoder.load_state_dict(weights)
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise CheckpointError(
            expected="an encoder of the same widths and blocks",
            found=" ".join(line.strip() for line in lines[1:2])[:300] or lines[0][:300],
            where=path,
            action="Give this encoder the widths and blocks that the checkpoint was trained with.",
        ) from error
