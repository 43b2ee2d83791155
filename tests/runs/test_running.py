from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from filelock import FileLock

from answered import leave_answers
from norface.errors import ConfigError
from norface.protocol.plan import Run
from norface.runs.planned import Planned
from norface.runs.running import Outcome, run_all

NAMES = ("raw", "full", "oracle")


def planned(folder: Path, *, lr: float = 0.1) -> list[Planned[Run]]:
    return [
        Planned(
            run=Run(name, "", None, 0),
            folder=folder / name,
            configs=([], []),
            contents=([{"model": {"lr": lr}}], []),
            base={},
            own={"seed_everything": 0},
            parents={"table": "t"},
            more=("--test_after_fit", "true", "--results", str(folder / name / "results.json")),
            leaves="test_predictions.parquet",
        )
        for name in NAMES
    ]


class Launcher:
    """Leaves answers; can be told to fail or to be interrupted in a run."""

    def __init__(self, *, fails: str = "", interrupted: str = "", silent: bool = False, late: bool = False) -> None:
        self.fails, self.interrupted, self.silent, self.late = fails, interrupted, silent, late
        self.ran: list[str] = []
        self.words: list[str] = []

    def __call__(self, words: list[str], log: Path) -> int:
        name, self.words = log.parent.name, words
        self.ran.append(name)
        if name == self.interrupted:
            if self.late:
                leave_answers(log.parent, "fer")
            return 130
        if name == self.fails:
            with log.open("a") as stream:
                stream.write("epoch 1\nnorface fit: stopped (TrainingError)\n  found     nan\n")
            return 2
        if not self.silent:
            leave_answers(log.parent, "fer")
        return 0


def go(folder: Path, launch: Callable[[list[str], Path], int], *, lr: float = 0.1) -> list[Outcome[Run]]:
    return run_all(planned(folder, lr=lr), launch, versions={"torch": "1"})


def test_what_is_finished_is_not_computed_again(tmp_path: Path) -> None:
    launch = Launcher()
    first = go(tmp_path, launch)
    assert launch.ran == list(NAMES) and [one.state for one in first] == ["finished"] * 3
    assert launch.words[:1] == ["fit"] and launch.words[-2:] == ["--results", str(tmp_path / "oracle" / "results.json")]
    assert "--ckpt_path last --test_after_fit true" in " ".join(launch.words)
    again = Launcher(fails="raw")
    second = go(tmp_path, again)
    assert again.ran == [] and [one.state for one in second] == ["finished"] * 3
    assert second[0].versions == {"torch": "1"} and second[0].seconds == first[0].seconds


def test_a_failure_is_told_and_stops_no_other(tmp_path: Path) -> None:
    outcomes = go(tmp_path, Launcher(fails="full"))
    assert [one.state for one in outcomes] == ["finished", "failed", "finished"]
    assert outcomes[1].error == "norface fit: stopped (TrainingError)\n  found     nan"
    repaired = Launcher()
    assert [one.state for one in go(tmp_path, repaired)] == ["finished"] * 3
    assert repaired.ran == ["full"]


def test_the_error_is_that_of_the_last_attempt(tmp_path: Path) -> None:
    go(tmp_path, Launcher(fails="full"))

    def killed(words: list[str], log: Path) -> int:
        with log.open("a") as stream:
            stream.write("Traceback ...\nMemoryError\n")
        return -9

    assert go(tmp_path, killed)[1].error == "MemoryError"
    assert go(tmp_path, lambda words, log: -9)[1].error == "exit code -9"


@pytest.mark.parametrize("late", [False, True])  # after the answers, before the results
def test_an_interrupted_protocol_goes_on(tmp_path: Path, late: bool) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, Launcher(interrupted="full", late=late))
    assert json.loads((tmp_path / "full" / "run.json").read_text())["finished"] is False
    launch = Launcher()
    assert [one.state for one in go(tmp_path, launch)] == ["finished"] * 3
    assert launch.ran == ["full", "oracle"]


def test_a_run_without_answers_is_not_finished(tmp_path: Path) -> None:
    assert go(tmp_path, Launcher(silent=True))[0].state == "failed"
    go(tmp_path, Launcher())
    (tmp_path / "raw" / "test_predictions.parquet").unlink()
    launch = Launcher()
    go(tmp_path, launch)
    assert launch.ran == ["raw"]


@pytest.mark.parametrize("interrupted", ["", "raw"])
def test_changed_settings_under_a_folder_are_refused(tmp_path: Path, interrupted: str) -> None:
    with suppress(KeyboardInterrupt):
        go(tmp_path, Launcher(interrupted=interrupted))
    launch = Launcher()
    with pytest.raises(ConfigError, match=r"configs\.1\.model\.lr changed"):
        go(tmp_path, launch, lr=0.2)
    assert launch.ran == []


def test_a_damaged_marker_is_told(tmp_path: Path) -> None:
    go(tmp_path, Launcher())
    for content in ("{", '{"schema": 99}'):
        (tmp_path / "raw" / "run.json").write_text(content)
        with pytest.raises(ConfigError, match=r"run\.json"):
            go(tmp_path, Launcher())


def test_a_run_that_another_process_computes_is_left_to_it(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    launch = Launcher()
    with FileLock(tmp_path / "raw" / ".lock"):
        assert [one.state for one in go(tmp_path, launch)] == ["elsewhere", "finished", "finished"]
    assert launch.ran == ["full", "oracle"]
