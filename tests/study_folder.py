"""The folder of a finished study that nobody has computed."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch

from norface.imaging.files import write_png
from norface.runs.running import Outcome
from norface.runs.variants import Variant
from norface.study.plan import Run, Study
from norface.study.record import write_record
from norface.study.settings import plan_runs
from norface.study.summing_up import sum_up
from small_tables import small_table

TABLE = small_table(["a", "b", "c", "d"], split={"a": "normalizer", "b": "train", "c": "val", "d": "test"})
CURVES = """epoch,step,val/expression_r2,normalizer/paired,normalizer/gradient_norm/generator
,0,0.01,,
0,10,,0.9,3.0
0,10,0.2,,
1,20,,0.4,2.0
1,20,0.3,,
"""


def r2_of(run: Run) -> float:
    """Of a run: more people and the later variant are better."""
    return 0.4 + 0.001 * (run.people or 0) + 0.01 * run.seed + (0.1 if run.variant == "all" else 0.0)


def leave_results(folder: Path, run: Run, *, steps: int = 20, trained_on: int = 3, probe: bool = True) -> None:
    """What the training and the gate of a run leave."""
    folder.mkdir(parents=True, exist_ok=True)
    r2 = r2_of(run)
    gate: dict[str, Any] = {
        "expression_r2": r2,
        "background_error": 0.01,
        "identity_to_target": 0.8,
        "subject_accuracy": 0.1,
    }
    gate |= {"subject_chance": 0.05, "passed": False, "checks": [], "seen": {"expression_r2": r2 + 0.2, "faces": 9}}
    results: dict[str, Any] = {"schema": 1, "gate": gate, "probe": {"gap_closed": 0.7} if probe else {}}
    results["protocol"] = {"normalizer_subjects": trained_on}
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "metrics.csv").write_text(CURVES)
    (folder / "checkpoints").mkdir(exist_ok=True)
    about = {"kind": "normalizer", "network": {}, "alignment": {}, "subjects": []}
    torch.save(
        {"state_dict": {"iteration": torch.tensor(steps)}, "norface": about}, folder / "checkpoints" / "last.ckpt"
    )
    side, columns = 8, 3
    picture = np.zeros((3 * side, columns * side, 3), np.uint8)
    picture[side : 2 * side] = 10 * run.seed + len(run.variant)
    write_png(folder / "gate" / "faces.png", picture)


def leave_study(folder: Path, *, lost: Collection[str] = (), probe: bool = True, **options: Any) -> Path:
    """Variants `none` (the baseline) and `all`; the runs named in `lost` have failed."""
    given: dict[str, Any] = {"name": "s", "configs": [], "table": "t", "seeds": [0, 1], "baseline": "none"}
    study = Study(**{**given, "variants": {"none": Variant(), "all": Variant()}, **options})
    outcomes = []
    for one in plan_runs(study, TABLE, folder):
        if str(one.run) in lost:
            outcomes.append(Outcome(one, "failed", error="<b>out of memory</b>"))
            continue
        leave_results(one.folder, one.run, probe=probe)
        outcomes.append(Outcome(one, "finished", seconds=12.0, versions={"torch": "1"}))
    write_record(folder, sum_up(study, outcomes, TABLE))
    return folder
