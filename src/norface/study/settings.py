"""The settings of each run of a study."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from norface.data.splits import check_not_empty
from norface.data.table import FaceTable
from norface.errors import ConfigError, TableError
from norface.runs.planned import Files, Planned, Settings, Words, merged
from norface.study.plan import Run, Study

CHECKPOINT, RESULTS, PICTURE = "checkpoints/last.ckpt", "results.json", "gate/faces.png"
"""What a run leaves in its folder."""

BATCH_SIZE = 32
"""Where no configuration names one."""


def open_table(study: Study) -> FaceTable:
    """The table of a study.

    Raises:
        TableError, SplitError, ConfigError: It has no splits, one is empty, or there are not that many people.
    """
    table = FaceTable.load(Path(study.table))
    if "split" not in table.frame.columns:
        raise TableError(
            expected="a column split, because everybody must be trained on, or tested, in all runs alike",
            found="none",
            where=study.table,
            action="`norface data split` gives a table one.",
        )
    check_not_empty(table, (study.split, "train", "val", "test"))
    usable = table.frame[(table.frame["split"] == study.split) & (table.frame["success"] != 0)]
    there = usable["subject"].nunique()
    if study.people is not None and max(study.people) > there:
        raise ConfigError(
            expected=f"at most {there} people, those of split {study.split}",
            found=str(max(study.people)),
            where="study: people",
            action="Ask for fewer, or take a table with more people.",
        )
    return table


def plan_runs(study: Study, table: FaceTable, out: Path) -> list[Planned[Run]]:
    """Every run of a study with its settings, in the order in which they are trained.

    Args:
        study: The study.
        table: Its table.
        out: Its folder.

    Raises:
        ConfigError: A configuration, or one of the study's files, is missing.
    """
    files, planned = Files(), []
    fingerprint, tested = table.fingerprint(), table.frame.loc[table.in_split("test"), "subject"].nunique()
    base, base_files = study.filled(study.settings.plain)
    base = merged({"data": {"init_args": {"table": study.table, "train_split": study.split}}}, base)
    for run in study.runs():
        variant = study.variants[run.variant]
        own, own_files = study.filled(variant.settings.plain)
        used = base_files | own_files
        contents = (files.contents(study.configs), files.contents(variant.configs))
        parents = {"table": fingerprint, **{name: files.sha256(study.files[name]) for name in sorted(used)}}
        together: Settings = {}
        for content in (*contents[0], base, *contents[1], own):
            together = merged(together, content or {})
        folder = out / run.folder
        planned.append(
            Planned(
                run=run,
                folder=folder,
                configs=(study.configs, variant.configs),
                contents=contents,
                base=base,
                own=merged(own, _of_run(study, run, together)),
                parents=parents,
                then=(_gate(study, run, folder, tested),),
                judged={
                    "probe_epochs": study.probe_epochs,
                    "evaluator": None if study.evaluator is None else files.sha256(study.evaluator),
                },
                leaves=RESULTS,
            )
        )
    return planned


def _of_run(study: Study, run: Run, together: Settings) -> Settings:
    """Seeds, people and the length of the training, which no variant may change."""
    data: Settings = {"seed": run.seed}
    if run.people is not None:
        data["few_subjects"] = {"count": run.people, "seed": run.seed}
    settings: Settings = {"seed_everything": run.seed, "data": {"init_args": data}}
    if study.steps is not None:
        # An epoch of few or many people would end sooner or later: each is made long enough, and ended here. Passes
        # are rounded, so that half as much again is enough for every number of faces. Not `max_steps`: it counts the
        # steps of the discriminator too, which some variants do not have.
        batches = study.steps // study.epochs
        faces = batches * _batch_size(together)
        data["epoch_faces"] = math.ceil(1.5 * faces)
        settings["trainer"] = {"max_epochs": study.epochs, "limit_train_batches": batches}
    return settings


def _batch_size(together: Settings) -> int:
    found: Any = together
    for key in ("data", "init_args", "batch_size"):
        found = found.get(key) if isinstance(found, dict) else None
    return int(found) if found is not None else BATCH_SIZE


def _gate(study: Study, run: Run, folder: Path, tested: int) -> Words:
    """The command line that judges it, on test people and on at most as many of those whom it was trained on."""
    words = ["gate", "--normalizer", str(folder / CHECKPOINT), "--table", study.table]
    words += ["--cache", str(folder / "cache"), "--out", str((folder / PICTURE).parent)]
    words += ["--results", str(folder / RESULTS), "--epochs", str(study.probe_epochs), "--seed", str(run.seed)]
    words += ["--seen.split", study.split, "--seen.seed", str(run.seed)]
    if run.people is not None:
        words += ["--seen.count", str(min(run.people, tested))]
    return tuple(words if study.evaluator is None else [*words, "--evaluator", study.evaluator])
