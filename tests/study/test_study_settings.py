from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from norface.data.table import FaceTable
from norface.errors import ConfigError, SplitError, TableError
from norface.runs.planned import Planned, changed
from norface.runs.variants import Nested, Variant
from norface.study.plan import Run, Study
from norface.study.settings import open_table, plan_runs
from study_folder import TABLE
from toy_table import toy_table

LARGE = Nested({"data": {"init_args": {"batch_size": 64}}, "model": {"init_args": {"w": "{teacher}"}}})


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "n.yaml").write_text("data: {init_args: {batch_size: 8}}\n")
    for name in ("teacher", "other", "judge"):
        (tmp_path / f"{name}.ckpt").write_bytes(name.encode())
    return tmp_path


def study(files: Path, /, **options: Any) -> Study:
    given: dict[str, Any] = {"name": "s", "configs": [str(files / "n.yaml")], "table": "faces", "seeds": [5]}
    given |= {"files": {"teacher": str(files / "teacher.ckpt"), "other": str(files / "other.ckpt")}}
    given |= {"variants": {"plain": Variant(), "large": Variant([], LARGE)}, "steps": 20, "epochs": 2}
    return Study(**{**given, **options})


def plan(files: Path, /, **options: Any) -> list[Planned[Run]]:
    return plan_runs(study(files, **options), TABLE, files / "out")


def test_the_first_seed_comes_first_and_few_people_before_many(files: Path) -> None:
    runs = [str(run) for run in study(files, seeds=[0, 1], people=[2, 9], variants={"x": Variant()}).runs()]
    assert runs == [f"x, {people} people, seed {seed}" for seed in (0, 1) for people in (2, 9)]
    assert Run("x", 2, 1).folder == Path("runs/x/people-2/seed-1") and Run("x", None, 1).folder == Path("runs/x/seed-1")


def test_every_training_has_as_many_steps(files: Path) -> None:
    plain, large = plan(files)
    assert plain.own["trainer"] == {"max_epochs": 2, "limit_train_batches": 10}
    assert [one.own["data"]["init_args"]["epoch_faces"] for one in (plain, large)] == [120, 960]
    (free, _) = plan(files, steps=None)
    assert "trainer" not in free.own and "epoch_faces" not in free.own["data"]["init_args"]


@pytest.mark.parametrize("faces", [*range(1, 40), 79, 80, 81, 107, 119, 120, 121, 239, 240, 241, 1000, 5000])
def test_no_number_of_faces_makes_an_epoch_too_short(files: Path, faces: int) -> None:
    (plain, _) = plan(files)
    asked = plain.own["data"]["init_args"]["epoch_faces"]
    assert max(1, round(asked / faces)) * faces // 8 >= 10  # as the data module passes a split several times


def test_people_and_seed_are_those_of_training_and_gate(files: Path) -> None:
    (plain, _) = plan(files, people=[1])
    assert plain.own["data"]["init_args"]["few_subjects"] == {"count": 1, "seed": 5}
    assert plain.own["seed_everything"] == plain.own["data"]["init_args"]["seed"] == 5
    fit, gate = plain.steps()
    assert fit[0] == "fit" and fit[-4:] == ["--run", str(plain.folder), "--ckpt_path", "last"]
    joined = " ".join(gate)
    for words in ("--seen.split normalizer", "--seen.seed 5", "--seen.count 1", "--seed 5", "--epochs 30"):
        assert words in joined
    (everybody, _) = plan(files)
    assert "few_subjects" not in everybody.own["data"]["init_args"] and "--seen.count" not in everybody.steps()[1]


def test_of_many_people_as_many_are_measured_as_are_tested(files: Path) -> None:
    (plain, _) = plan(files, people=[9])
    gate = plain.steps()[1]
    assert gate[gate.index("--seen.count") + 1] == "1"
    everybody_tested = TABLE.with_frame(TABLE.frame.assign(split="test"))
    assert everybody_tested.frame["subject"].nunique() > 2
    (few,) = plan_runs(study(files, people=[2], variants={"x": Variant()}), everybody_tested, files / "out")
    assert few.steps()[1][few.steps()[1].index("--seen.count") + 1] == "2"


def test_files_are_filled_in_and_are_parents_where_they_are_used(files: Path) -> None:
    plain, large = plan(files)
    assert large.own["model"]["init_args"]["w"] == str(files / "teacher.ckpt")
    assert (sorted(plain.parents), sorted(large.parents)) == (["table"], ["table", "teacher"])
    common = Nested({"model": {"init_args": {"v": "{other}"}}})
    assert [sorted(one.parents) for one in plan(files, settings=common)] == [
        ["other", "table"],
        ["other", "table", "teacher"],
    ]
    (files / "teacher.ckpt").write_bytes(b"trained again")
    plain_again, large_again = plan(files)
    assert plain_again.fingerprint() == plain.fingerprint()
    assert changed(large.settings(), large_again.settings()) == ["parents.teacher"]


def test_how_it_is_judged_is_part_of_a_run(files: Path) -> None:
    (plain, _) = plan(files)
    (judged, _) = plan(files, evaluator=str(files / "judge.ckpt"), probe_epochs=0)
    assert changed(plain.settings(), judged.settings()) == ["judged.evaluator", "judged.probe_epochs"]
    assert "--evaluator" in judged.steps()[1] and "--evaluator" not in plain.steps()[1]


def test_a_missing_file_is_named(files: Path) -> None:
    (files / "other.ckpt").unlink()
    assert len(plan(files)) == 2  # nobody asks for it
    (files / "teacher.ckpt").unlink()
    with pytest.raises(ConfigError, match=r"teacher\.ckpt"):
        plan(files)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 21}, "multiple of epochs = 2"),
        ({"steps": 0}, "multiple of epochs = 2"),
        ({"epochs": 0}, "at least 1"),
        ({"probe_epochs": -1}, "at least 0"),
        ({"people": [0]}, "at least 1"),
        ({"seeds": [1, 1]}, "different whole numbers"),
        ({"baseline": "x"}, "one of plain, large"),
        ({"variants": {}}, "at least one"),
        ({"variants": {"a/b": Variant()}}, "letters, digits"),
        ({"files": {"a b": "x"}}, "letters, digits"),
    ],
)
def test_mistakes_are_refused(files: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        study(files, **options)


def test_the_table_must_have_splits_and_enough_people(tmp_path: Path) -> None:
    toy_table(tmp_path / "good", each=1)
    table = FaceTable.load(tmp_path / "good")
    made = Study(name="s", configs=[], table=str(tmp_path / "good"), variants={"x": Variant()})
    assert len(open_table(replace(made, people=[6]))) == len(table)
    with pytest.raises(ConfigError, match="at most 6 people"):
        open_table(replace(made, people=[2, 7]))
    table.with_frame(table.frame.assign(split=table.frame["split"].replace("test", "val"))).save(tmp_path / "untested")
    with pytest.raises(SplitError, match="test"):
        open_table(replace(made, table=str(tmp_path / "untested")))
    table.with_frame(table.frame.drop(columns="split")).save(tmp_path / "unsplit")
    with pytest.raises(TableError, match="column split"):
        open_table(replace(made, table=str(tmp_path / "unsplit")))
