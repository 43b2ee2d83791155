"""What of the generator learns, and how fast."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from norface.errors import ConfigError
from norface.normalizer.generator import Generator
from norface.training import decay_groups


def check_rate(rate: float) -> None:
    """Refuse a rate of the encoder that is no share.

    Raises:
        ConfigError: It is below 0 or above 1.
    """
    if not 0.0 <= rate <= 1.0:
        raise ConfigError(
            expected="a share of `lr` from 0 (frozen) to 1",
            found=f"{rate:g}",
            where="model.init_args.encoder_rate",
            action="Correct it; to train everything faster raise `lr`.",
        )


def generator_groups(
    generator: Generator, others: Iterable[nn.Parameter], *, lr: float, encoder_rate: float, weight_decay: float
) -> list[dict[str, object]]:
    """Groups of parameters for an optimiser, each with its peak rate; without what is frozen.

    Args:
        generator: Its encoder learns at ``encoder_rate * lr``, the rest at `lr`.
        others: Learn at `lr` as well.
        lr: Peak rate.
        encoder_rate: From 0 to 1. An encoder that has seen far more faces than the normalizer ever will forgets them at
            the rate that a random decoder needs (Howard and Ruder 2018, "ULMFiT", section 3.2).
        weight_decay: As for `norface.training.decay_groups`.
    """
    if encoder_rate == 1.0:
        groups = decay_groups([*generator.parameters(), *others], weight_decay)
    else:
        slow = decay_groups(generator.encoder.parameters(), weight_decay)
        fast = [*generator.merging.parameters(), *generator.decoder.parameters(), *others]
        groups = [
            *decay_groups(fast, weight_decay),
            *({**group, "lr": encoder_rate * lr} for group in slow if group["params"]),
        ]
    return [{"lr": lr, **group} for group in groups]
