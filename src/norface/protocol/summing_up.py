"""From the answers of all runs to the figures of a protocol."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from norface.errors import ResultsError
from norface.protocol.answers import Answers, read_answers, read_validation
from norface.protocol.comparing import RESAMPLES, Comparison
from norface.protocol.divisions import Division
from norface.protocol.facts import facts_of
from norface.protocol.optimistic import EPOCH, THRESHOLD, best_epoch, sums_at_best_thresholds
from norface.protocol.plan import Protocol, Run
from norface.protocol.record import CONSTANT, SCHEMA
from norface.protocol.sides import Side, compare_sides
from norface.protocol.slices import sliced, slices_of
from norface.protocol.sums import FIGURES, MERIT, Sums, constant, figures
from norface.protocol.trust import Trust, summed_trust, trust
from norface.runs.record import Record
from norface.runs.running import RESULTS, Outcome, finished_of, versions_of
from norface.runs.spread import spread, summed

Cell = tuple[str, int | None]
"""A variant and a number of people."""


def sum_up(protocol: Protocol, outcomes: Sequence[Outcome[Run]], found: Sequence[Division]) -> Record:
    """Everything that ``protocol.json`` holds.

    Args:
        protocol: The protocol.
        outcomes: What became of its runs, finished or not.
        found: Its folds.

    Raises:
        ResultsError: No run is finished, or runs have other tasks or labels.
    """
    finished = {one.planned.run: one for one in finished_of(outcomes, name=protocol.name, kind="protocol")}
    folders = {run: one.planned.folder for run, one in finished.items()}
    reading = Reading(folders, protocol, tuple(division.name for division in found))
    return {
        "schema": SCHEMA,
        "name": protocol.name,
        "task": protocol.task,
        "labels": list(reading.names),
        "figures": list(FIGURES[protocol.task]),
        "merit": MERIT[protocol.task],
        "variants": list(protocol.variants),
        "folds": list(reading.folds),
        "seeds": list(protocol.seeds),
        "people": protocol.people,
        "over_folds": protocol.over_folds,
        "baseline": protocol.baseline,
        "facts": {**facts_of(protocol, found), "selection": reading.selection()},
        "runs": [_run(one, reading) for one in outcomes],
        "summary": reading.summary(),
        "differences": reading.differences(),
        "extra": reading.extra(),
        "trust": reading.trust(),
        "slices": reading.slices(),
        "versions": versions_of(finished.values()),
        "fingerprints": {f"table{f' {d.name}' if d.name else ''}": d.assigned.fingerprint() for d in found},
        "remarks": reading.remarks(),
    }


class Reading:
    """The answers of finished runs, reduced to sums over subjects.

    Args:
        folders: Folder of each finished run.
        protocol: The protocol.
        folds: Names of all its folds.

    Raises:
        ResultsError: Runs have another task than the protocol, or differ in their labels.
    """

    def __init__(self, folders: Mapping[Run, Path], protocol: Protocol, folds: tuple[str, ...]) -> None:
        self.folders, self.protocol, self.folds = folders, protocol, folds
        self.pooled = protocol.over_folds == "pooled"
        self.sums: dict[Run, Sums] = {}
        self.blind: dict[Run, Sums] = {}
        self.counts: dict[Run, dict[str, int]] = {}
        self.notes: dict[Run, dict[str, Any]] = {}
        self.trusts: dict[Run, Trust] = {}
        self.extras: dict[str, dict[Run, dict[str, float]]] = {EPOCH: {}, THRESHOLD: {}}
        self.names: tuple[str, ...] = ()
        for run, folder in folders.items():
            tested, validated = read_answers(folder), read_validation(folder)
            self._read(run, tested, _noted(folder))
            believed = trust(validated, tested) if validated is not None else None
            if believed is not None:
                self.trusts[run] = believed
            if (best := best_epoch(folder, protocol.task)) is not None:
                self.extras[EPOCH][run] = best
            if protocol.task == "au":
                self.extras[THRESHOLD][run] = self.figures([sums_at_best_thresholds(tested)])

    def _read(self, run: Run, tested: Answers, noted: dict[str, Any]) -> None:
        self.names = self.names or tested.names
        if (tested.task, tested.names) != (self.protocol.task, self.names):
            raise ResultsError(
                expected=f"task {self.protocol.task} with {', '.join(self.names)}",
                found=f"task {tested.task} with {', '.join(tested.names)}",
                where=str(self.folders[run]),
                action="Give all variants and folds the same task and labels.",
            )
        by_subject, subjects = tested.sums()
        majority = noted["constant"].get("label")
        self.sums[run] = by_subject.sum(0)
        self.blind[run] = constant(
            tested.task, self.sums[run], self.names.index(majority) if majority in self.names else 0
        )
        self.counts[run] = {
            "faces": int(tested.answered.sum()),
            "subjects": len(subjects),
            "unanswered": int((~tested.answered).sum()),
        }
        self.notes[run] = noted

    def figures(self, sums: Sequence[Sums]) -> dict[str, float]:
        """Figures of one or more folds as plain numbers."""
        found = figures(self.protocol.task, sums, pooled=self.pooled, labels=self.names)
        return {name: float(value) for name, value in found.items()}

    def side(self, cell: Cell) -> Side:
        """All runs of a variant with a number of people."""
        return Side(*cell, self.folds, self.folders)

    def whole(self, cell: Cell) -> dict[int, list[Run]]:
        """The runs of each seed of which all folds are finished."""
        return {seed: [Run(cell[0], fold, cell[1], seed) for fold in self.folds] for seed in self.side(cell).seeds()}

    @property
    def cells(self) -> list[Cell]:
        """All variants with each number of people, in the protocol's order."""
        people = self.protocol.people if self.protocol.people is not None else [None]
        return [(variant, number) for number in people for variant in self.protocol.variants]

    def summary(self) -> list[dict[str, Any]]:
        """Mean and spread of every figure, by people and variant; the constant predictor last."""
        found = []
        for number in dict.fromkeys(number for _, number in self.cells):
            cells = [cell for cell in self.cells if cell[1] == number and self.whole(cell)]
            found += [self._summary(cell, cell, self.sums) for cell in cells]
            found += [self._summary(cell, (CONSTANT, number), self.blind) for cell in cells[:1]]
        return found

    def _summary(self, cell: Cell, shown: Cell, sums: Mapping[Run, Sums]) -> dict[str, Any]:
        whole = self.whole(cell)
        of_seeds = [self.figures([sums[run] for run in runs]) for runs in whole.values()]
        by_fold: dict[str, list[dict[str, float]]] = defaultdict(list)
        for runs in whole.values():
            for run in runs:
                by_fold[run.fold].append(self.figures([sums[run]]))
        found = {}
        for name in of_seeds[0]:
            folds = [float(np.mean([figure[name] for figure in per_seed])) for per_seed in by_fold.values()]
            found[name] = spread([figure[name] for figure in of_seeds], folds)
        return {"variant": shown[0], "people": shown[1], "seeds": list(whole), "figures": found}

    def differences(self) -> list[dict[str, Any]]:
        """Each variant against the baseline, on the same faces."""
        baseline = self.protocol.baseline
        if baseline is None:
            return []
        found = []
        for variant, people in self.cells:
            first, second = self.side((baseline, people)), self.side((variant, people))
            if variant == baseline or not set(first.seeds()) & set(second.seeds()):
                continue
            compared = described(*compare_sides(first, second, pooled=self.pooled))
            found.append({"variant": variant, "baseline": baseline, "people": people} | compared)
        return found

    def extra(self) -> list[dict[str, Any]]:
        """What choosing on the test faces would have brought: the mean of folds, as papers report it."""
        found = []
        for rule, figures_of in self.extras.items():
            for cell in self.cells:
                whole = self.whole(cell)
                known = {seed: runs for seed, runs in whole.items() if all(run in figures_of for run in runs)}
                if known:
                    summed_up = summed([[figures_of[run] for run in runs] for runs in known.values()])
                    about = {"variant": cell[0], "people": cell[1], "rule": rule, "seeds": list(known)}
                    found.append({**about, "figures": summed_up})
        return found

    def selection(self) -> str:
        """How the tested weights were chosen."""
        rules = sorted({str(noted["selection"]) for noted in self.notes.values()})
        return f"{' or '.join(rules)}; nothing is chosen on test faces"

    def trust(self) -> list[dict[str, Any]]:
        """Calibration of every variant with each number of people, where validation subjects have been answered."""
        found = []
        for cell in self.cells:
            runs = {seed: [self.trusts.get(run) for run in folds] for seed, folds in self.whole(cell).items()}
            known = {seed: [one for one in of_seed if one] for seed, of_seed in runs.items() if all(of_seed)}
            if known:
                found.append({"variant": cell[0], "people": cell[1], "seeds": list(known), **summed_trust(known)})
        return found

    def slices(self) -> list[dict[str, Any]]:
        """Figures of merit on parts of the test faces, with the most people; differences to the first variant."""
        most = max(self.protocol.people) if self.protocol.people is not None else None
        grids = {cell[0]: self._answers(cell) for cell in self.cells if cell[1] == most}
        grids = {variant: grid for variant, grid in grids.items() if grid}
        first = self.protocol.baseline or next(iter(self.protocol.variants))
        tested = [one for grid in grids.values() for folds in grid.values() for one in folds.values()]
        found = []
        for part in slices_of(tested):
            for variant, grid in grids.items():
                baseline = None if variant == first else grids.get(first)
                one = sliced(part, grid, baseline, pooled=self.pooled, labels=self.names)
                if one is not None:
                    found.append({**asdict(part), "variant": variant, "baseline": first, "people": most, **one})
        return found

    def _answers(self, cell: Cell) -> dict[int, dict[str, Answers]]:
        whole = self.whole(cell)
        return {seed: {run.fold: read_answers(self.folders[run]) for run in runs} for seed, runs in whole.items()}

    def remarks(self) -> list[str]:
        """What a reader must know before believing the figures."""
        said = []
        leaked = sorted({str(who) for noted in self.notes.values() for who in noted["leaked"]})
        if leaked:
            said.append(f"Leakage was allowed: tested people that a network was trained on: {', '.join(leaked[:10])}.")
        unknown: dict[str, set[str]] = defaultdict(set)
        for run, counted in self.sums.items():
            merit = figures(self.protocol.task, [counted], pooled=False, labels=self.names)
            for name in self.names:
                if np.isnan(merit.get(f"{MERIT[self.protocol.task]}.{name}", merit.get(f"recall.{name}", 0.0))):
                    unknown[name].add(run.fold)
        for name, folds in unknown.items():
            where = f" of fold {', '.join(sorted(folds))}" if folds != {""} else ""
            said.append(f"{name}: no test face{where} shows it; there it is left out of means.")
        silent = max((count["unanswered"] for count in self.counts.values()), default=0)
        if silent:
            said.append(f"Up to {silent} test faces of a run have no answer: they could not be read or normalized.")
        return said


def described(compared: Comparison, seeds: Sequence[int]) -> dict[str, Any]:
    """A comparison as plain data."""
    shown = {name: {**asdict(one), "difference": one.difference} for name, one in compared.figures.items()}
    about = {"subjects": compared.subjects, "faces": compared.faces, "unanswered": compared.unanswered}
    return {**about, "seeds": list(seeds), "resamples": RESAMPLES, "figures": shown}


def _run(outcome: Outcome[Run], reading: Reading) -> dict[str, Any]:
    run = outcome.planned.run
    about: dict[str, Any] = {
        "variant": run.variant,
        "fold": run.fold,
        "people": run.people,
        "seed": run.seed,
        "state": outcome.state,
        "error": outcome.error,
        "seconds": outcome.seconds,
        "folder": str(run.folder),
        "fingerprint": outcome.planned.fingerprint(),
    }
    if run in reading.sums:
        about |= reading.counts[run]
        about["figures"] = reading.figures([reading.sums[run]])
        about["constant"] = reading.figures([reading.blind[run]])
        about["expert_use"] = reading.notes[run]["expert_use"]
    return about


def _noted(folder: Path) -> dict[str, Any]:
    """What the test has noted beside its answers; nothing of it is needed for figures of action units."""
    try:
        results = json.loads((folder / RESULTS).read_bytes())
        block = results["classifier"]["both"]
        leaked = results.get("protocol", {}).get("leaked_subjects", [])
        selection = results.get("protocol", {}).get("selection", "weights of the last epoch")
        about = {"leaked": leaked, "selection": selection}
        return {"constant": block.get("constant") or {}, "expert_use": block.get("expert_use"), **about}
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ResultsError(
            expected="the results of a test",
            found=f"{type(error).__name__}: {error}",
            where=str(folder / RESULTS),
            action="Delete the run's folder; `norface protocol run` makes it again.",
        ) from error
