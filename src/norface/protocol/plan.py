"""What a protocol is: variants, each trained and tested on every fold, with every seed and number of people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from norface.errors import ConfigError
from norface.runs.variants import Nested, Variant, check_baseline, check_names, check_numbers, filled, wrong

OverFolds = Literal["mean", "pooled"]
_PLACES = ("fold", "table", "normalizer", "cache")


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
        check_names(self.variants, "protocol: variants")
        if self.cross is not None:
            check_names(self.cross.targets, "protocol: cross.targets")
        check_numbers(self.seeds, 0, "protocol: seeds")
        if self.people is not None:
            check_numbers(self.people, 1, "protocol: people")
        check_baseline(self.baseline, self.variants, "protocol: baseline")
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
        known = {"fold": fold, "table": table, "normalizer": self.normalizer, "cache": self.cache}

        def fill(text: str) -> str:
            for place in _PLACES:
                if f"{{{place}}}" in text:
                    value = known[place]
                    if not value:
                        raise _wrong(f"a {place}, because the settings ask for {{{place}}}", "none", text)
                    # {fold} may stand inside the normalizer and the cache.
                    text = text.replace(f"{{{place}}}", value.replace("{fold}", fold))
            return text

        return filled(settings, fill)


def _wrong(expected: str, found: str, where: str) -> ConfigError:
    return wrong(expected, found, f"protocol: {where}")
