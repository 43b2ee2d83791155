from __future__ import annotations

import errno
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import norface
from norface.cli.commands import COMMANDS, TRAINING, all_commands
from norface.cli.main import FAILED, INTERRUPTED, USAGE, main, users_error
from norface.cli.usage import explain
from norface.errors import ConfigError, TableError

HEAVY = {"torch", "lightning", "pandas", "numpy", "cv2", "matplotlib", "jsonargparse", "pyarrow"}


def doing(monkeypatch: pytest.MonkeyPatch, error: BaseException | None, returns: object = None) -> None:
    """Make `norface doctor` raise or return something."""

    def doctor() -> object:
        if error is not None:
            raise error
        return returns

    monkeypatch.setattr("norface.cli.doctor.doctor", doctor)


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_command(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 0
    shown = capsys.readouterr().out
    for name, command in all_commands().items():
        assert f"  {name} " in shown
        assert command.summary in shown
    assert all(heading in shown for heading in COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"norface {norface.__version__}\n"


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_answer_at_once(option: str) -> None:
    code = f"import sys; from norface.cli.main import main; main([{option!r}]); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert not HEAVY & set(done.stderr.split())


def test_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "norface", "fot"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())
    assert done.returncode == USAGE
    assert "Did you mean fit?" in done.stderr


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(norface.__file__).parents[1])}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["fot"], "Did you mean fit?"),
        (["dotcor"], "Did you mean doctor?"),
        (["cache", "bild"], "Did you mean cache build?"),
        (["cach"], "Did you mean cache?"),
        (["xyzzy"], "`norface --help` lists the commands"),
    ],
)
def test_unknown_command_suggests_a_close_one(
    args: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(args) == USAGE
    shown = capsys.readouterr()
    assert message in shown.err
    assert not shown.out


@pytest.mark.parametrize("args", [["cache"], ["cache", "--help"]])
def test_group_lists_its_commands(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 0
    shown = capsys.readouterr().out
    assert "norface cache build" in shown
    assert "norface faces" not in shown


@pytest.mark.parametrize("name", [n for n, c in all_commands().items() if c.function != TRAINING])
def test_every_command_exists_and_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module, _, function = all_commands()[name].function.partition(":")
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not there")
    assert callable(getattr(importlib.import_module(module), function))
    assert main([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"usage: norface {name}" in " ".join(shown.split())


def test_users_error_is_one_block(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    error = TableError(
        expected="an emotion of the vocabulary", found="'hapy'", where="faces.csv, row 3", action="Correct it."
    )
    doing(monkeypatch, error)
    assert main(["doctor"]) == USAGE
    assert capsys.readouterr().err.splitlines() == [
        "norface doctor: stopped (TableError)",
        "  where     faces.csv, row 3",
        "  expected  an emotion of the vocabulary",
        "  found     'hapy'",
        "  to do     Correct it.",
    ]


def test_long_texts_are_wrapped_but_paths_stay_whole() -> None:
    path = "/data/" + "x" * 150 + "/faces.csv"
    error = ConfigError(expected="word " * 50, found="line one\nline two", where=path, action="")
    lines = explain(error, command="fit").splitlines()
    assert f"  where     {path}" in lines
    assert max(len(line) for line in lines if path not in line) <= 100
    assert "            line two" in lines


def test_interruption(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    doing(monkeypatch, KeyboardInterrupt())
    assert main(["doctor"]) == INTERRUPTED
    assert "interrupted; run the same command again to continue" in capsys.readouterr().err


def test_full_disk_is_a_users_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    doing(monkeypatch, OSError(errno.ENOSPC, "No space left on device", "runs/last.ckpt"))
    assert main(["doctor"]) == USAGE
    shown = capsys.readouterr().err
    assert "No space left on device" in shown
    assert "runs/last.ckpt" in shown


def test_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    doing(monkeypatch, ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        main(["doctor"])


def test_closed_pipe_is_no_error() -> None:
    code = "import sys; from norface.cli.main import main; sys.exit(main(['--help']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()
    ) as p:
        assert p.stdout is not None and p.stderr is not None
        p.stdout.close()
        assert b"Traceback" not in p.stderr.read()


def test_names_from_files_cannot_control_the_terminal() -> None:
    error = ConfigError(expected="\x1b]0;title\x07", found="a\x1b[2Jb\u202e", where="ä 顔.png", action="d\r\x08")
    shown = explain(error, command="fit")
    assert all(c.isprintable() or c == "\n" for c in shown)
    for part in ("\\x1b[2J", "ä 顔.png", "\\u202e"):
        assert part in shown


def test_cause_of_a_wrapped_error_is_found() -> None:
    inner = ConfigError(expected="a", found="b", where="c", action="d")
    outer = ValueError("wrapped")
    outer.__cause__ = inner
    assert users_error(outer) is inner
    assert users_error(ValueError("a bug")) is None
    assert users_error(OSError(errno.EINVAL, "odd")) is None


@pytest.mark.parametrize(("returns", "code"), [(True, 0), (None, 0), (False, FAILED)])
def test_check_that_does_not_pass_fails(returns: object, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    doing(monkeypatch, None, returns)
    assert main(["doctor"]) == code


@pytest.mark.parametrize("options", [["--timing", "{}:look"], ["--timing={}:look"]])
def test_timing_is_added_to_the_results(options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    doing(monkeypatch, None)
    results = tmp_path / "results.json"
    results.write_text(json.dumps({"schema": 1, "timing": {"other_s": 1.0}}))
    assert main(["doctor", *(option.format(results) for option in options)]) == 0
    timing = json.loads(results.read_text())["timing"]
    assert timing["other_s"] == 1.0
    assert 0 <= timing["look_s"] < 60


@pytest.mark.parametrize("value", ["results.json", ":stage", "results.json:", "results.json:two words"])
def test_timing_needs_file_and_stage(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--timing", value]) == USAGE
    assert "FILE:STAGE" in capsys.readouterr().err


def test_command_that_fails_leaves_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    doing(monkeypatch, None, returns=False)
    main(["doctor", "--timing", f"{tmp_path / 'results.json'}:look"])
    assert not (tmp_path / "results.json").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["data", "check"], "expected  table"),
        (["data", "check", "a", "b"], "found     b"),
        (["data", "split", "--seeed", "1"], "Did you mean --seed?"),
        (["data", "split", "--see", "1"], "--see"),
        (["data", "split", "--table", "a", "--out", "b", "--seed", "one"], "option --seed"),
        (["doctor", "--folder"], "expected one argument"),
    ],
)
def test_mistaken_options_get_a_short_answer(args: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == USAGE
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) < 12
