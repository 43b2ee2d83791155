from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from norface.cli.commands import all_commands
from norface.labels import TASKS

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*args: str) -> subprocess.CompletedProcess[str]:
    # Not the settings of the `make test` that this may run under.
    environment = {
        k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"}
    }
    return subprocess.run(["make", *args], cwd=ROOT, capture_output=True, text=True, check=False, env=environment)


def commands(*args: str) -> list[list[str]]:
    """The norface commands that a target would run."""
    done = make("-n", *args)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith(".venv/bin/norface ")]


def names(found: list[list[str]]) -> list[str]:
    known = all_commands()
    return [" ".join(words[:2]) if " ".join(words[:2]) in known else words[0] for words in found]


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def test_help_lists_the_targets() -> None:
    shown = make("help").stdout
    for target in ("demo", "faces", "train-normalizer", "cache", "train-classifier", "report", "test", "clean-demo"):
        assert f"  {target} " in shown
    assert make().stdout == shown


def test_demo_is_a_list_of_commands(tmp_path: Path) -> None:
    found = commands("demo", f"RUN={tmp_path}/run")
    assert names(found) == ["faces draw", *["fit"] * 3, "cache build", *["fit"] * 5, "gate", "report"]
    timed = [option(words, "--timing").rpartition(":")[2] for words in found if "--timing" in words]
    assert len(timed) == len(set(timed)) == len(found) - 1
    keys = [option(words, "--results_key") for words in found if "--results_key" in words]
    assert keys == ["classifier.both", "classifier.raw", "classifier.raw_pretrained", "classifier.oracle"]
    assert all(option(words, "--ckpt_path") == "last" for words in found if words[0] == "fit")


def test_finished_stages_are_skipped(tmp_path: Path) -> None:
    done = tmp_path / "run" / ".done"
    done.mkdir(parents=True)
    (done / "settings").write_text("SEED=0 FAST= DATA= SIZE=64\n")
    for stage in ("faces", "identity", "expression", "normalizer"):
        (done / stage).touch()
    assert names(commands("demo", f"RUN={tmp_path}/run"))[0] == "cache build"


def test_own_table_is_split_instead_of_drawing(tmp_path: Path) -> None:
    found = commands("faces", f"RUN={tmp_path}/run", "DATA=some/faces.csv")
    assert names(found) == ["data split"]
    assert option(found[0], "--table") == "some/faces.csv"


@pytest.mark.parametrize(("settings", "weight"), [([], None), (["DATA=some/faces.csv"], "0.5")])
def test_own_data_may_lack_right_answers_and_lean_on_the_expression_teacher(
    settings: list[str], weight: str | None
) -> None:
    found = commands("--always-make", "train-normalizer", *settings)
    (words,) = [words for words in found if "configs/normalizer/demo.yaml" in words]
    assert (option(words, "--model.weights.expression") if "--model.weights.expression" in words else None) == weight


def test_settings_choose_their_own_folder() -> None:
    def folder(*settings: str) -> str:
        # All stages, also those that an earlier `make demo` in this checkout has finished.
        return option(commands("--always-make", "faces", *settings)[0], "--out")

    assert folder() == "runs/demo/faces"
    runs = {folder(), folder("FAST=1"), folder("SEED=1"), folder("DATA=x/y.csv"), folder("FAST=1", "SEED=2")}
    assert len(runs) == 5


def test_other_settings_in_the_same_folder_are_refused(tmp_path: Path) -> None:
    done = tmp_path / "run" / ".done"
    done.mkdir(parents=True)
    (done / "settings").write_text("SEED=0 FAST= DATA= SIZE=64\n")
    result = make("same-settings", f"RUN={tmp_path}/run", "SEED=1")
    assert result.returncode == 2
    assert "was made with SEED=0" in result.stderr
    assert make("same-settings", f"RUN={tmp_path}/run", "SEED=0").returncode == 0


@pytest.mark.parametrize("task", [*TASKS, "multi"])
def test_classifier_of_each_task(task: str, tmp_path: Path) -> None:
    found = commands("train-classifier", f"TASK={task}", f"RUN={tmp_path}/run")
    assert f"configs/classifier/{task}.yaml" in found[-1]
    assert (
        option(found[-1], "--results_key") == f"classifier{'' if task == 'fer' else '_' + task.replace('-', '_')}.both"
    )


def test_unknown_task_names_the_allowed_ones() -> None:
    result = make("train-classifier", "TASK=emotion")
    assert result.returncode == 2
    assert "unknown TASK 'emotion'" in result.stderr
    assert "fer au au-intensity" in result.stderr


def test_old_python_is_refused(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(ROOT / "constraints.txt", tmp_path)
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.1\nexit 1\n')
    old.chmod(0o755)
    result = subprocess.run(
        ["make", "install", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "needs Python 3.11 or newer" in result.stderr
    assert not (tmp_path / ".venv").exists()


def test_clean_removes_runs_only(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    assert "there is no run" in make("clean-demo", f"RUN={tmp_path}/precious").stdout
    assert (tmp_path / "precious").is_dir()
    (tmp_path / "run" / ".done").mkdir(parents=True)
    assert make("clean-demo", f"RUN={tmp_path}/run").returncode == 0
    assert not (tmp_path / "run").exists()


def test_constraints_pin_every_dependency() -> None:
    import re
    import tomllib

    def package(requirement: str) -> str:
        match = re.match(r"[\w.-]+", requirement)
        assert match
        return re.sub(r"[-_.]+", "-", match[0]).lower()

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for extra in project["optional-dependencies"].values() for line in extra]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.partition("==")[0] for line in lines if "==" in line}
    assert {package(line) for line in [*project["dependencies"], *extras]} - {"norface"} <= pinned
    assert all(re.fullmatch(r"#.*|[a-z0-9-]+==[0-9][0-9a-z.]*", line) for line in lines)
