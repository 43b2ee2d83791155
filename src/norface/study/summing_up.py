"""From what the gate has found of every run to the figures of a study."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from norface.checkpoints import read_checkpoint
from norface.data.table import FaceTable
from norface.results import read_results
from norface.runs.record import Record
from norface.runs.running import Outcome, finished_of, versions_of
from norface.study.curves import read_curves
from norface.study.plan import Run, Study
from norface.study.record import FIGURES, SCHEMA
from norface.study.settings import CHECKPOINT, RESULTS

Figures = dict[str, float | None]


def sum_up(study: Study, outcomes: Sequence[Outcome[Run]], table: FaceTable) -> Record:
    """Everything that ``study.json`` holds.

    Args:
        study: The study.
        outcomes: What became of its runs, finished or not.
        table: Its table.

    Raises:
        ResultsError: No run is finished, or what one has left is damaged.
    """
    finished = finished_of(outcomes, name=study.name, kind="study")
    runs = [_run(one) for one in outcomes]
    found = {one.planned.run: run["figures"] for one, run in zip(outcomes, runs, strict=True) if "figures" in run}
    known = [name for name in FIGURES if any(figures.get(name) is not None for figures in found.values())]
    return {
        "schema": SCHEMA,
        "name": study.name,
        "variants": list(study.variants),
        "seeds": list(study.seeds),
        "people": study.people,
        "baseline": study.baseline,
        "figures": known,
        "facts": _facts(study, table),
        "runs": runs,
        "summary": _summary(found),
        "differences": _differences(found, study.baseline),
        "versions": versions_of(finished),
        "fingerprints": {"table": table.fingerprint()},
        "remarks": _remarks(runs),
    }


def figures_of(results: Mapping[str, Any]) -> Figures:
    """The figures of a run from its results file, by the names of `FIGURES`."""
    gate, probe = results["gate"], results.get("probe", {})
    found = {**{f"seen_{name}": value for name, value in gate.get("seen", {}).items()}, **gate}
    found["gap_closed"] = probe.get("gap_closed")
    unseen, seen = found.get("expression_r2"), found.get("seen_expression_r2")
    found["seen_gap"] = None if unseen is None or seen is None else seen - unseen
    return {name: found.get(name) for name in FIGURES}


def _run(outcome: Outcome[Run]) -> dict[str, Any]:
    run, folder = outcome.planned.run, outcome.planned.folder
    about: dict[str, Any] = {
        "variant": run.variant,
        "people": run.people,
        "seed": run.seed,
        "state": outcome.state,
        "error": outcome.error,
        "seconds": outcome.seconds,
        "folder": str(run.folder),
        "fingerprint": outcome.planned.fingerprint(),
    }
    if outcome.state == "finished":
        results: Any = read_results(folder / RESULTS)
        about["figures"] = figures_of(results)
        about["trained_on"] = results.get("protocol", {}).get("normalizer_subjects")
        about["chance"] = results["gate"].get("subject_chance")
        about["passed"] = results["gate"].get("passed")
        about["steps"] = _steps(folder)
        about["curves"] = read_curves(folder)
    return about


def _steps(folder: Path) -> int | None:
    """Steps of the generator; None where the checkpoint was removed."""
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    state, _ = read_checkpoint(path, kind="normalizer")
    return int(state["iteration"])


def _summary(found: Mapping[Run, Figures]) -> list[dict[str, Any]]:
    """Mean and spread over seeds of each variant and number of people."""
    summary = []
    for variant, people in dict.fromkeys((run.variant, run.people) for run in found):
        of_cell = {
            run.seed: figures for run, figures in found.items() if (run.variant, run.people) == (variant, people)
        }
        figures = {name: _spread(one[name] for one in of_cell.values()) for name in FIGURES}
        summary.append({"variant": variant, "people": people, "seeds": sorted(of_cell), "figures": figures})
    return summary


def _differences(found: Mapping[Run, Figures], baseline: str | None) -> list[dict[str, Any]]:
    """How much larger each variant's figures are than those of the baseline with the same people and seed."""
    differences = []
    for variant, people in dict.fromkeys((run.variant, run.people) for run in found):
        if baseline is None or variant == baseline:
            continue
        both = {
            run.seed: (found[Run(baseline, people, run.seed)], figures)
            for run, figures in found.items()
            if (run.variant, run.people) == (variant, people) and Run(baseline, people, run.seed) in found
        }
        if not both:
            continue
        figures = {}
        for name in FIGURES:
            pairs = [(first[name], second[name]) for first, second in both.values()]
            by_seed = [None if one is None or other is None else other - one for one, other in pairs]
            spread = _spread(by_seed)
            figures[name] = {"difference": spread["mean"], "std": spread["std"], "by_seed": by_seed}
        about = {"variant": variant, "baseline": baseline, "people": people, "seeds": list(both)}
        differences.append({**about, "figures": figures})
    return differences


def _spread(values: Iterable[float | None]) -> dict[str, Any]:
    """Mean, and standard deviation of a sample, of what is known."""
    known = [value for value in values if value is not None]
    return {
        "mean": statistics.fmean(known) if known else None,
        "std": statistics.stdev(known) if len(known) > 1 else None,
        "seeds": len(known),
    }


def _facts(study: Study, table: FaceTable) -> dict[str, Any]:
    frame = table.frame
    people = {name: frame.loc[table.in_split(name), "subject"].nunique() for name in (study.split, "train", "test")}
    length = f"{study.steps} steps of the generator" if study.steps else "as the configurations say"
    facts: dict[str, Any] = {
        "table": study.table,
        "configurations": list(study.configs),
        "length of a training": length,
        "training people": f"of split {study.split}, drawn by seed; fewer are among more" if study.people else "all",
        "people of the splits": people,
        "files": dict(study.files),
        "evaluator": study.evaluator or "none: identity is not measured",
        "probes": f"{study.probe_epochs} passes" if study.probe_epochs else "none: the gap closed is not measured",
        "dataset": table.meta.provenance.get("dataset"),
    }
    return {name: fact for name, fact in facts.items() if fact}


def _remarks(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a reader must know before believing the figures."""
    said = []
    steps = sorted({run["steps"] for run in runs if run.get("steps") is not None})
    if len(steps) > 1:
        said.append(f"Trainings differ in length: from {steps[0]} to {steps[-1]} steps.")
    more = [run for run in runs if run.get("people") is not None and (run.get("trained_on") or 0) > run["people"]]
    if more:
        names = ", ".join(dict.fromkeys(run["variant"] for run in more))
        most = max(run["trained_on"] for run in more)
        said.append(
            f"{names}: teachers or the encoder's start have learned from up to {most} people, more than the normalizer "
            "itself was shown."
        )
    return said
