from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from norface.errors import ConfigError, SplitError, TableError
from norface.imaging.files import write_png
from norface.protocol.divisions import divisions
from norface.protocol.plan import CrossPlan, FoldPlan, Protocol
from norface.runs.variants import Variant
from small_tables import sides, small_table

PEOPLE = [f"p{k}" for k in range(12)]
SPLIT = {name: ("test", "val", "train", "train")[k % 4] for k, name in enumerate(PEOPLE)}


def saved(folder: Path, **options: Any) -> str:
    import numpy as np

    table = small_table(options.pop("subjects", PEOPLE), root=folder, faces=2, **options)
    for image in table.frame["image"]:
        write_png(folder / image, np.zeros((32, 32, 3), np.uint8))
    table.save(folder)
    return str(folder)


def make(table: str, **options: Any) -> Protocol:
    return Protocol(name="p", task="fer", configs=[], table=table, variants={"raw": Variant()}, **options)


def test_without_folds_the_tables_own_split(tmp_path: Path) -> None:
    (one,) = divisions(make(saved(tmp_path, split=SPLIT), people=[3, 6]), tmp_path / "out")
    assert (one.name, one.folds) == ("", None)
    with pytest.raises(ConfigError, match="at most 6 labelled people"):
        divisions(make(str(tmp_path), people=[7]), tmp_path / "out")


def test_without_either_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="a column split"):
        divisions(make(saved(tmp_path)), tmp_path / "out")


def test_numbered_folds_are_all_of_them_unless_named(tmp_path: Path) -> None:
    table = saved(tmp_path)
    plan = FoldPlan("SeededFold", {"folds": 3, "val": 2})
    found = divisions(make(table, folds=plan), tmp_path / "out")
    assert [one.name for one in found] == ["1", "2", "3"]
    assert found[1].folds == {"class_path": "norface.data.SeededFold", "init_args": {"folds": 3, "val": 2, "fold": 2}}
    tested = [sides(one.assigned)["test"] for one in found]
    assert set.union(*tested) == set(PEOPLE) and sum(map(len, tested)) == len(PEOPLE)
    ordered = FoldPlan("OrderedFold", {"groups": 4}, tested=[2])
    assert [one.name for one in divisions(make(table, folds=ordered), tmp_path / "out")] == ["2"]


def test_published_folds_by_their_own_name(tmp_path: Path) -> None:
    people = ["SN001", "SN002", "SN006", "SN011", "SN003", "SN004"]
    table = saved(tmp_path, subjects=people, provenance={"dataset": "disfa"})
    found = divisions(make(table, folds=FoldPlan("PublishedFold", {"val": 1})), tmp_path / "out")
    assert {one.name: sides(one.assigned)["test"] for one in found} == {
        "part1": {"SN001", "SN002"},
        "part2": {"SN006", "SN011"},
        "part3": {"SN003", "SN004"},
    }
    renamed = FoldPlan("PublishedFold", {"val": 1}, tested=["me-graphau-1"])
    assert [one.name for one in divisions(make(table, folds=renamed), tmp_path / "out")] == ["part3"]


def test_official_split(tmp_path: Path) -> None:
    table = saved(tmp_path, split=SPLIT)
    (one,) = divisions(make(table, folds=FoldPlan("OfficialSplit", {"test": "test"})), tmp_path / "out")
    assert one.name == "official" and one.folds is not None


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (FoldPlan("SeededFold", {"fold_count": 3}), "options of SeededFold"),
        (FoldPlan("SeededFold", {"folds": 99}), "at least one subject"),
        (FoldPlan("SeededFold", {"folds": 3}, tested=[4]), "fold 4 of 3"),
        (FoldPlan("PublishedFold", {}), "the name of the data set"),
        (FoldPlan("PublishedFold", {"dataset": "disfa"}, tested=[1]), "a bare number is none"),
    ],
)
def test_folds_that_cannot_work_are_refused_before_training(tmp_path: Path, plan: FoldPlan, message: str) -> None:
    with pytest.raises((ConfigError, SplitError), match=message):
        divisions(make(saved(tmp_path), folds=plan), tmp_path / "out")


def test_a_data_set_to_train_on_and_others_to_test_on(tmp_path: Path) -> None:
    source = saved(tmp_path / "source")
    targets = {name: saved(tmp_path / name, subjects=["x", "y"], seed=1) for name in ("one", "two")}
    plan = CrossPlan(targets, emotions=["happy", "sad"], val=2)
    found = divisions(make(source, cross=plan), tmp_path / "out")
    assert [one.name for one in found] == ["one", "two"]
    for one in found:
        assert one.folds is None and one.table == str(tmp_path / "out" / "tables" / one.name)
        assert one.assigned.meta.emotions == ("happy", "sad")
        assert {name.rpartition(":")[2] for name in sides(one.assigned)["test"]} == {"x", "y"}
