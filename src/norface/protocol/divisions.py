"""Who trains and who is tested in each fold of a protocol, found out and checked before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import norface.data
from norface.data.crossing import cross
from norface.data.folds import Fold
from norface.data.mixing import named
from norface.data.published import protocol as published
from norface.data.splits import check_not_empty
from norface.data.table import FaceTable
from norface.errors import ConfigError, TableError
from norface.people import dataset_of
from norface.protocol.plan import CrossPlan, FoldPlan, Protocol

_COUNTED: Mapping[str, tuple[str, int]] = {"SeededFold": ("folds", 5), "OrderedFold": ("groups", 10)}
"""Kinds whose folds are numbered: the option that says how many, and its default."""


@dataclass(frozen=True)
class Division:
    """One fold, or one data set that is tested on.

    Args:
        name: Of the fold; empty where a protocol has only the table's own split.
        table: Path of the table that the run reads.
        folds: What `data.init_args.folds` is set to; None: the table's own column `split`.
        assigned: The table with its column `split`.
    """

    name: str
    table: str
    folds: dict[str, Any] | None
    assigned: FaceTable


def divisions(protocol: Protocol, out: Path) -> list[Division]:
    """All folds of a protocol.

    Args:
        protocol: The protocol.
        out: Its folder; tables that cross data sets are written into it.

    Raises:
        TableError, SplitError, ConfigError: A table, a fold or a number of people cannot work.
    """
    table = FaceTable.load(Path(protocol.table))
    if protocol.cross is not None:
        found = _crossings(protocol, protocol.cross, table, out)
    elif protocol.folds is not None:
        specs = _specs(protocol.folds, table)
        found = [Division(name, protocol.table, spec, _fold(spec).assign(table)) for name, spec in specs.items()]
    else:
        if "split" not in table.frame.columns:
            raise TableError(
                expected="a column split, because the protocol names no folds",
                found="none",
                where=protocol.table,
                action="Give the protocol folds, such as {kind: SeededFold, options: {folds: 5}}.",
            )
        found = [Division("", protocol.table, None, table)]
    for division in found:
        check_not_empty(division.assigned, ("train", "val", "test"))
        _check_people(division, protocol.people)
    return found


def _specs(plan: FoldPlan, table: FaceTable) -> dict[str, dict[str, Any]]:
    def spec(**fold: Any) -> dict[str, Any]:
        return {"class_path": f"norface.data.{plan.kind}", "init_args": {**plan.options, **fold}}

    if plan.kind == "OfficialSplit":
        return {"official": spec()}
    if plan.kind in _COUNTED:
        option, default = _COUNTED[plan.kind]
        numbers = plan.tested if plan.tested is not None else range(1, int(plan.options.get(option, default)) + 1)
        return {str(number): spec(fold=number) for number in numbers}
    dataset = plan.options.get("dataset") or dataset_of(table.meta.provenance)
    if dataset is None:
        raise ConfigError(
            expected="the name of the data set, because the table does not tell it",
            found="none",
            where="protocol: folds.options.dataset",
            action="Set it, such as dataset: disfa.",
        )
    lists = published(dataset, plan.options.get("protocol"))
    names = [lists.tested(str(fold)) for fold in plan.tested] if plan.tested is not None else list(lists.folds)
    return {name: spec(fold=name) for name in names}


def _fold(spec: dict[str, Any]) -> Fold:
    kind = getattr(norface.data, spec["class_path"].rpartition(".")[2])
    try:
        fold = kind(**spec["init_args"])
    except TypeError as error:
        raise ConfigError(
            expected=f"options of {kind.__name__}",
            found=str(error),
            where="protocol: folds.options",
            action="Correct the protocol file.",
        ) from error
    assert isinstance(fold, Fold)
    return fold


def _crossings(protocol: Protocol, plan: CrossPlan, source: FaceTable, out: Path) -> list[Division]:
    found = []
    for name, path in plan.targets.items():
        pair = named([(Path(protocol.table), source), (Path(path), FaceTable.load(Path(path)))])
        first, second = pair.items()
        table = cross(
            first,
            second,
            emotions=plan.emotions,
            aus=plan.aus,
            target_split=plan.target_splits.get(name),
            val=plan.val,
        )
        folder = out / "tables" / name
        table.save(folder)
        found.append(Division(name, str(folder), None, FaceTable.load(folder)))
    return found


def _check_people(division: Division, people: list[int] | None) -> None:
    frame = division.assigned.frame
    usable = frame[(frame["split"] == "train") & (frame["success"] != 0)]
    there = usable["subject"].nunique()
    if people is not None and max(people) > there:
        raise ConfigError(
            expected=f"at most {there} labelled people, the training subjects of {division.name or 'the table'}",
            found=str(max(people)),
            where="protocol: people",
            action="Ask for fewer, or take a table with more training subjects.",
        )
