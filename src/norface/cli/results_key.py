"""Where a classifier's figures go in a results file: ``--results_key section.input``, checked before training."""

from __future__ import annotations

from norface.classifier import MultiTask
from norface.errors import ConfigError
from norface.results import INPUTS, MULTI_SECTION, SECTIONS


def check_results_key(key: str) -> None:
    """Make sure that results will find their place.

    Raises:
        ConfigError: It is not ``section.input``.
    """
    section, _, name = key.partition(".")
    known = (*(one for one in SECTIONS if not one.startswith(MULTI_SECTION)), MULTI_SECTION)
    if section not in known or name not in INPUTS:
        raise ConfigError(
            expected=f"one of {', '.join(known)}, a dot, and one of {', '.join(INPUTS)}",
            found=key,
            where="--results_key",
            action="Name the part of the results file that these figures are, such as classifier.both.",
        )


def check_section(key: str, model: object) -> None:
    """Make sure that figures of several tasks and of one alone do not stand in each other's place.

    Raises:
        ConfigError: The section is not that of the model.
    """
    if isinstance(model, MultiTask) is not (key.partition(".")[0] == MULTI_SECTION):
        raise ConfigError(
            expected=f"{MULTI_SECTION}.<input> for a classifier of several tasks, and for no other",
            found=f"{key} for {type(model).__name__}",
            where="--results_key",
            action=f"Set it to {MULTI_SECTION}.both, or to the section of the single task.",
        )
