"""One side of a comparison: a variant, with a number of people, in the folder of a protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from norface.errors import ResultsError
from norface.protocol.answers import Answers, read_answers
from norface.protocol.comparing import Comparison, compare
from norface.protocol.plan import Run
from norface.protocol.record import read_record
from norface.runs.record import Record


@dataclass(frozen=True)
class Side:
    """Finished runs of one variant.

    Args:
        variant, people: Which.
        folds: All folds of the protocol.
        folders: Folder of each finished run of the protocol.
    """

    variant: str
    people: int | None
    folds: tuple[str, ...]
    folders: Mapping[Run, Path]

    def seeds(self) -> list[int]:
        """Seeds with which every fold is finished."""
        numbers = sorted({run.seed for run in self.folders})
        return [seed for seed in numbers if all(self._run(fold, seed) in self.folders for fold in self.folds)]

    def answers(self, fold: str, seed: int) -> Answers:
        """What one run answered."""
        return read_answers(self.folders[self._run(fold, seed)])

    def _run(self, fold: str, seed: int) -> Run:
        return Run(self.variant, fold, self.people, seed)


def compare_sides(first: Side, second: Side, *, pooled: bool) -> tuple[Comparison, list[int]]:
    """Compare two sides on the seeds that both have finished; returns these too.

    Raises:
        ResultsError: They have no seed in common, or other folds, tasks or faces.
    """
    if set(first.folds) != set(second.folds):
        raise _different("folds", first.folds, second.folds)
    seeds = [seed for seed in first.seeds() if seed in second.seeds()]
    if not seeds:
        raise ResultsError(
            expected="a seed with which both sides have finished every fold",
            found=f"{first.variant}: {first.seeds() or 'none'}, {second.variant}: {second.seeds() or 'none'}",
            where="comparison",
            action="Finish the runs with `norface protocol run`.",
        )
    pairs = {
        fold: {seed: (first.answers(fold, seed), second.answers(fold, seed)) for seed in seeds} for fold in first.folds
    }
    return compare(pairs, pooled=pooled), seeds


@dataclass(frozen=True)
class Named:
    """What ``FOLDER:VARIANT@PEOPLE`` means.

    Args:
        folder: Folder of the protocol.
        record: Its results.
        variant: The variant.
        people: Numbers of people; None stands for everybody.
    """

    folder: Path
    record: Record
    variant: str
    people: tuple[int | None, ...]

    def side(self, people: int | None) -> Side:
        """The runs with a number of people."""
        folders = {
            Run(run["variant"], run["fold"], run["people"], run["seed"]): self.folder / run["folder"]
            for run in self.record["runs"]
            if run["state"] == "finished"
        }
        return Side(self.variant, people, tuple(self.record["folds"]), folders)


def named(words: str) -> Named:
    """Read ``FOLDER:VARIANT@PEOPLE``; variant and people may be left out where there is no choice.

    Raises:
        ResultsError: There is no such protocol, variant or number of people.
    """
    place, _, number = words.partition("@") if "@" in Path(words).name else (words, "", "")
    folder, variant = (place, "") if Path(place).is_dir() else _split(place)
    record = read_record(Path(folder))
    variants = record["variants"]
    if not variant and len(variants) == 1:
        variant = variants[0]
    if variant not in variants:
        raise ResultsError(
            expected=f"one of the variants {', '.join(variants)}",
            found=repr(variant) if variant else "none named",
            where=words,
            action=f"Write {folder}:{variants[0]}, for instance.",
        )
    known = [None] if record["people"] is None else list(record["people"])
    chosen = known if not number else [int(number)] if number.isdigit() else [-1]
    if not set(chosen) <= set(known):
        raise ResultsError(
            expected=f"one of the numbers of people {', '.join(map(str, known))}",
            found=number,
            where=words,
            action="Correct it, or leave it out to compare at all of them.",
        )
    return Named(Path(folder), record, variant, tuple(chosen))


def compare_named(first: Named, second: Named) -> dict[int | None, tuple[Comparison, list[int]]]:
    """Compare two variants at each number of people that both have.

    Raises:
        ResultsError: Their protocols cannot be compared.
    """
    for key, what in (("task", "task"), ("labels", "labels"), ("over_folds", "way to sum up folds")):
        if first.record[key] != second.record[key]:
            raise _different(what, first.record[key], second.record[key])
    pooled = first.record["over_folds"] == "pooled"
    if len(first.people) == len(second.people) == 1:  # the two may differ, if that is asked for
        sides = {first.people[0]: (first.side(first.people[0]), second.side(second.people[0]))}
    else:
        sides = {n: (first.side(n), second.side(n)) for n in first.people if n in second.people}
    if not sides:
        raise _different("numbers of people", first.people, second.people)
    return {number: compare_sides(*pair, pooled=pooled) for number, pair in sides.items()}


def _split(place: str) -> tuple[str, str]:
    folder, _, variant = place.rpartition(":")
    return (folder, variant) if folder else (place, "")


def _different(what: str, first: object, second: object) -> ResultsError:
    def shown(value: object) -> str:
        return ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)

    return ResultsError(
        expected=f"two protocols with the same {what}",
        found=f"{shown(first)} and {shown(second)}",
        where="comparison",
        action="Compare variants of one protocol, or protocols that differ only in what is trained.",
    )
