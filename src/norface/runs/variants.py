"""What is compared: names, configurations and settings, before anything is trained."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from norface.errors import ConfigError

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")


class Nested:
    """Settings, nested as in a configuration. A type of its own: the parser leaves what is in it as it is.

    As a dict, it would make objects of every ``class_path`` in it; only `norface fit` may do that.
    """

    def __init__(self, plain: dict[str, Any] | None = None) -> None:
        self.plain = plain or {}


@dataclass(frozen=True)
class Variant:
    """One thing that is compared.

    Args:
        configs: Configurations on top of those of all runs, from left to right.
        settings: Settings on top of these, nested as in a configuration, such as
            ``{model: {init_args: {input_experts: false}}}``. Names in braces in their texts stand for things of the
            run: in a protocol ``{normalizer}``, ``{table}``, ``{cache}`` and ``{fold}``, in a study its `files`.
    """

    configs: list[str] = field(default_factory=list)
    settings: Nested = field(default_factory=Nested)


def filled(settings: Any, fill: Callable[[str], str]) -> Any:
    """Settings with all their texts passed through `fill`."""
    if isinstance(settings, dict):
        return {key: filled(value, fill) for key, value in settings.items()}
    if isinstance(settings, list):
        return [filled(value, fill) for value in settings]
    return fill(settings) if isinstance(settings, str) else settings


def check_names(names: Collection[str], where: str) -> None:
    """Refuse names that cannot be those of folders.

    Raises:
        ConfigError: There is none, or one has other signs than letters, digits and ``_ . + -``.
    """
    if not names:
        raise wrong("at least one", "none", where)
    for name in names:
        if not _NAME.match(name):  # it becomes a folder, and stands before the @ of a comparison
            raise wrong("names of letters, digits and _ . + -", repr(name), where)


def check_numbers(numbers: Sequence[int], least: int, where: str) -> None:
    """Refuse seeds and numbers of people that are no list of different ones.

    Raises:
        ConfigError: There is none, one comes twice, or one is below `least`.
    """
    if not numbers or len(set(numbers)) < len(numbers) or min(numbers) < least:
        raise wrong(f"different whole numbers of at least {least}", str(numbers), where)


def check_baseline(baseline: str | None, names: Collection[str], where: str) -> None:
    """Refuse a baseline that is no variant.

    Raises:
        ConfigError: It is none.
    """
    if baseline is not None and baseline not in names:
        raise wrong(f"one of {', '.join(names)}", repr(baseline), where)


def wrong(expected: str, found: str, where: str) -> ConfigError:
    """An error in the file of a protocol or a study; `where` begins with which."""
    kind = where.partition(":")[0]
    return ConfigError(expected=expected, found=found, where=where, action=f"Correct the {kind} file.")
