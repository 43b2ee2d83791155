"""What a protocol is: variants, each trained and tested on every fold, with every seed and number of people."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from norface.errors import ConfigError

OverFolds = Literal["mean", "pooled"]
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")
_PLACES = ("fold", "table", "normalizer", "cache")


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
        configs: Configurations on top of the protocol's own, from left to right.
        settings: Settings on top of these, nested as in a configuration, such as
            ``{model: {init_args: {input_experts: false}}}``. ``{normalizer}``, ``{table}``, ``{cache}`` and ``{fold}``
            in their texts stand for those of the run.
    """

    configs: list[str] = field(default_factory=list)
    settings: Nested = field(default_factory=Nested)


@dataclass(frozen=True)
class FoldPlan:
    """Folds of one table.

    Args:
        kind: Class in `norface.data`.
        options: Its other arguments, such as ``{val: 0.15}`` or ``{folds: 3, seed: 0}``.
        tested: Which folds; None: all of them.
    """

    kind: Literal["PublishedFold", "OfficialSplit", "OrderedFold", "SeededFold"]
    options: dict[str, Any] = field(default_factory=dict)
    tested: list[int | str] | None = None


@dataclass(frozen=True)
class CrossPlan:
    """Train on one data set, test on others, on the labels that both have.

    Args:
        targets: Name of each data set that is tested on, and its table.
        emotions, aus: What is compared; None: what the known protocol of the pair says.
        target_splits: The part that is tested, by name of the target, where it is not all of it.
        val: Validation subjects of the source, where its table has none: a number, or a share.
    """

    targets: dict[str, str]
    emotions: list[str] | None = None
    aus: list[int] | None = None
    target_splits: dict[str, str] = field(default_factory=dict)
    val: int | float = 0.1


@dataclass(frozen=True)
class Run:
    """One training and its test.

    Args:
        variant: Name of what is trained.
        fold: Name of the fold, or of the data set that is tested on; empty where there is only one.
        people: Labelled training subjects; None: all.
        seed: Of weights, order, augmentation, dropout, and of which people.
    """

    variant: str
    fold: str
    people: int | None
    seed: int

    @property
    def folder(self) -> Path:
        """Where it belongs in the protocol's folder."""
        fold = f"fold-{self.fold}" if self.fold else ""
        people = "" if self.people is None else f"people-{self.people}"
        return Path("runs", self.variant, fold, people, f"seed-{self.seed}")

    def __str__(self) -> str:
        fold = f", fold {self.fold}" if self.fold else ""
        people = "" if self.people is None else f", {self.people} people"
        return f"{self.variant}{fold}{people}, seed {self.seed}"


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A whole protocol; the arguments are those of `norface protocol run`, see there."""

    name: str
    task: Literal["fer", "au", "au-intensity"]
    configs: list[str]
    table: str
    variants: dict[str, Variant]
    settings: Nested = field(default_factory=Nested)
    baseline: str | None = None
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    people: list[int] | None = None
    folds: FoldPlan | None = None
    cross: CrossPlan | None = None
    over_folds: OverFolds = "mean"
    normalizer: str | None = None
    cache: str | None = None

    def __post_init__(self) -> None:
        _check_names(self.variants, "variants")
        if self.cross is not None:
            _check_names(self.cross.targets, "cross.targets")
        _check_numbers(self.seeds, 0, "seeds")
        if self.people is not None:
            _check_numbers(self.people, 1, "people")
        if self.baseline is not None and self.baseline not in self.variants:
            raise _wrong(f"one of {', '.join(self.variants)}", repr(self.baseline), "baseline")
        if self.folds is not None and self.cross is not None:
            raise _wrong("folds of one table, or cross", "both", "folds and cross")
        if (self.normalizer is None) != (self.cache is None):
            raise _wrong("normalizer and cache, or neither", "one of them", "normalizer and cache")

    def runs(self, folds: Sequence[str]) -> Iterator[Run]:
        """All runs; those of the first seed come first, so that a protocol says something early."""
        for seed in self.seeds:
            for fold in folds:
                for people in self.people if self.people is not None else [None]:
                    for variant in self.variants:
                        yield Run(variant, fold, people, seed)

    def filled(self, settings: Any, fold: str, table: str) -> Any:
        """Settings with the places in their texts filled."""
        if isinstance(settings, dict):
            return {key: self.filled(value, fold, table) for key, value in settings.items()}
        if isinstance(settings, list):
            return [self.filled(value, fold, table) for value in settings]
        if not isinstance(settings, str):
            return settings
        known = {"fold": fold, "table": table, "normalizer": self.normalizer, "cache": self.cache}
        for place in _PLACES:
            if f"{{{place}}}" in settings:
                value = known[place]
                if not value:
                    raise _wrong(f"a {place}, because the settings ask for {{{place}}}", "none", settings)
                # {fold} may stand inside the normalizer and the cache.
                settings = settings.replace(f"{{{place}}}", value.replace("{fold}", fold))
        return settings


def _check_names(names: Collection[str], where: str) -> None:
    if not names:
        raise _wrong("at least one", "none", where)
    for name in names:
        if not _NAME.match(name):  # it becomes a folder, and stands before the @ of a comparison
            raise _wrong("names of letters, digits and _ . + -", repr(name), where)


def _check_numbers(numbers: Sequence[int], least: int, where: str) -> None:
    if not numbers or len(set(numbers)) < len(numbers) or min(numbers) < least:
        raise _wrong(f"different whole numbers of at least {least}", str(numbers), where)


def _wrong(expected: str, found: str, where: str) -> ConfigError:
    return ConfigError(expected=expected, found=found, where=f"protocol: {where}", action="Correct the protocol file.")
