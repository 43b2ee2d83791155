"""What a normalizer starts from: an encoder that is trained already, or a whole pre-trained generator."""

from __future__ import annotations

from pathlib import Path

from norface.backbones import load_encoder
from norface.checkpoints import read_checkpoint, trained_people
from norface.errors import CheckpointError, ConfigError
from norface.normalizer.expression_reader import ExpressionReader
from norface.normalizer.generator import Generator

AVERAGED = "average.network."
"""Prefix of the averaged generator's weights in a normalizer's checkpoint."""


def start_generator(
    generator: Generator, *, encoder_weights: str | None, generator_weights: str | None
) -> tuple[str, ...]:
    """Fill a generator, or its encoder alone, from checkpoints of other runs.

    Args:
        generator: To fill.
        encoder_weights: As for `norface.backbones.load_encoder`, or None.
        generator_weights: A normalizer's checkpoint, whose averaged generator is taken, or None.

    Returns:
        The people that the other run was trained on, or the network that the encoder reads with.

    Raises:
        ConfigError: Both are given.
        CheckpointError: Missing, damaged, of another kind or of another architecture.
    """
    if encoder_weights is not None and generator_weights is not None:
        raise ConfigError(
            expected="encoder_weights or generator_weights",
            found="both",
            where="model.init_args",
            action="Leave one of them out: a pre-trained generator has an encoder of its own.",
        )
    read = generator.encoder.subjects if isinstance(generator.encoder, ExpressionReader) else ()
    if encoder_weights is not None:
        load_encoder(generator.encoder, encoder_weights)
        return trained_people(encoder_weights)
    if generator_weights is not None:
        _load_generator(generator, generator_weights)
        return trained_people(generator_weights)
    return read


def _load_generator(generator: Generator, path: str) -> None:
    state, _ = read_checkpoint(Path(path), kind="normalizer")
    weights = {name.removeprefix(AVERAGED): value for name, value in state.items() if name.startswith(AVERAGED)}
    try:
        generator.load_state_dict(weights)
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise CheckpointError(
            expected="a normalizer whose generator has the parts and sizes of this one",
            found=" ".join(line.strip() for line in lines[1:2])[:300] or lines[0][:300],
            where=path,
            action="Give model.init_args.generator what the checkpoint was trained with, image size included.",
        ) from error
