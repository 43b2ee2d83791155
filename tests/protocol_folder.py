"""The folder of a finished protocol that nobody has computed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from answered import leave_answers
from norface.protocol.divisions import Division
from norface.protocol.plan import Protocol
from norface.protocol.record import write_record
from norface.protocol.settings import plan_runs
from norface.protocol.summing_up import sum_up
from norface.runs.running import Outcome
from norface.runs.variants import Variant
from small_tables import small_table


def leave_protocol(
    folder: Path,
    *,
    task: Any = "fer",
    skill: Mapping[str, float] | None = None,
    people: list[int] | None = None,
    folds: Sequence[str] = ("a",),
    seeds: Sequence[int] = (0, 1),
    labels: int = 0,
    lost: Collection[str] = (),
    **options: Any,
) -> Path:
    """A variant for each skill, the first one the baseline; the runs named in `lost` have failed."""
    skills = {"raw": 0.2, "full": 0.45} if skill is None else skill
    variants = {name: Variant() for name in skills}
    given: dict[str, Any] = {"seeds": list(seeds), "people": people, "baseline": next(iter(skills)), **options}
    given = {"name": "p", "task": task, "configs": [], "table": "t", "variants": variants, **given}
    protocol = Protocol(**given)
    table = small_table(["x", "y"], split={"x": "train", "y": "test"})
    found = [Division(name, "t", {"class_path": "a.SeededFold", "init_args": {}}, table) for name in folds]
    outcomes = []
    for one in plan_runs(protocol, found, folder):
        run = one.run
        if str(run) in lost:
            outcomes.append(Outcome(one, "failed", error="<b>out of memory</b>"))
            continue
        better = skills[run.variant] + 0.01 * (run.people or 0)
        fold = labels + ord(run.fold or "-")
        leave_answers(one.folder, task, skill=min(better, 1.0), seed=run.seed + 1, labels=fold)
        outcomes.append(Outcome(one, "finished", seconds=12.0, versions={"torch": "1"}))
    write_record(folder, sum_up(protocol, outcomes, found))
    return folder
