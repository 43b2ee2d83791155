"""What a study is: variants of a normalizer, each trained with every seed and number of people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from norface.runs.variants import Nested, Variant, check_baseline, check_names, check_numbers, filled, wrong


@dataclass(frozen=True)
class Run:
    """One normalizer and its gate.

    Args:
        variant: Name of what is trained.
        people: So many training people; None: all of the split.
        seed: Of weights, order, pairs and augmentation, and of which people.
    """

    variant: str
    people: int | None
    seed: int

    @property
    def folder(self) -> Path:
        """Where it belongs in the study's folder."""
        people = "" if self.people is None else f"people-{self.people}"
        return Path("runs", self.variant, people, f"seed-{self.seed}")

    def __str__(self) -> str:
        people = "" if self.people is None else f", {self.people} people"
        return f"{self.variant}{people}, seed {self.seed}"


@dataclass(frozen=True, kw_only=True)
class Study:
    """A whole study; the arguments are those of `norface study run`, see there."""

    name: str
    configs: list[str]
    table: str
    variants: dict[str, Variant]
    settings: Nested = field(default_factory=Nested)
    files: dict[str, str] = field(default_factory=dict)
    baseline: str | None = None
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    people: list[int] | None = None
    split: str = "normalizer"
    steps: int | None = None
    epochs: int = 6
    evaluator: str | None = None
    probe_epochs: int = 30

    def __post_init__(self) -> None:
        check_names(self.variants, "study: variants")
        if self.files:
            check_names(self.files, "study: files")
        check_numbers(self.seeds, 0, "study: seeds")
        if self.people is not None:
            check_numbers(self.people, 1, "study: people")
        check_baseline(self.baseline, self.variants, "study: baseline")
        if self.epochs < 1:
            raise wrong("a whole number of at least 1", str(self.epochs), "study: epochs")
        if self.steps is not None and (self.steps < 1 or self.steps % self.epochs):
            raise wrong(f"a multiple of epochs = {self.epochs}", str(self.steps), "study: steps")
        if self.probe_epochs < 0:
            raise wrong("a whole number of at least 0", str(self.probe_epochs), "study: probe_epochs")

    def runs(self) -> Iterator[Run]:
        """All runs; those of the first seed come first, so that a study says something early."""
        for seed in self.seeds:
            for people in self.people if self.people is not None else [None]:
                for variant in self.variants:
                    yield Run(variant, people, seed)

    def filled(self, settings: Any) -> tuple[Any, set[str]]:
        """Settings with ``{name}`` in their texts replaced by the file of that name, and the names that were."""
        used: set[str] = set()

        def fill(text: str) -> str:
            for name, path in self.files.items():
                if f"{{{name}}}" in text:
                    used.add(name)
                    text = text.replace(f"{{{name}}}", path)
            return text

        return filled(settings, fill), used
