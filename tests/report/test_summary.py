from __future__ import annotations

from pathlib import Path

import pytest
from pytest import CaptureFixture

from norface.errors import ResultsError
from norface.report.command import report
from norface.report.fields import constant_score, duration, gap_closed
from norface.report.summary import terminal_table, verdict
from norface.results import read_results, update_results


def test_terminal_table_fits_a_screen_and_names_everything(run_folder: Path) -> None:
    lines = terminal_table(read_results(run_folder / "results.json"), Path("out/index.html")).splitlines()
    assert len(lines) < 25
    assert all(len(line) <= 100 for line in lines)
    text = "\n".join(lines)
    assert "expression kept (R²)                             0.791  ≥ 0.750  pass" in text
    for words in ("Gate passed", "normalized alone", "gap closed", "Action unit detection (mean F1): raw 0.510"):
        assert words in text
    assert lines[-2].split() == ["Time", "in", "total", "17", "min", "13", "s"]
    assert lines[-1] == "Report: out/index.html"


def test_terminal_table_of_nothing() -> None:
    assert terminal_table({}) == "Gate not run"


def test_failed_gate_names_the_reasons() -> None:
    checks = [
        {"name": "expression_r2", "value": 0.2, "limit": 0.75, "direction": "min", "passed": False},
        {"name": "subject_accuracy", "value": 0.02, "limit": 0.05, "direction": "max", "passed": True},
    ]
    state, short, sentence = verdict({"passed": False, "checks": checks, "expression_r2": 0.2})
    assert state == "bad" and "do not build" in short
    assert sentence.endswith("Not reached: expression kept (R²).")
    assert "FAIL" in terminal_table({"gate": {"passed": False, "checks": checks}})


def test_gap_closed_is_taken_or_derived() -> None:
    blocks = {"raw": {"accuracy": 0.5}, "both": {"accuracy": 0.7}, "oracle": {"accuracy": 0.9}}
    assert gap_closed(blocks) == pytest.approx(0.5)
    assert gap_closed({**blocks, "gap_closed": 0.4}) == 0.4
    assert gap_closed({**blocks, "gap_closed": None}) is None
    assert gap_closed({**blocks, "oracle": {"accuracy": 0.505}}) is None
    assert gap_closed({"raw": {"accuracy": 0.5}}) is None


def test_constant_predictor_is_taken_or_derived() -> None:
    assert constant_score({"raw": {"confusion": [[3, 3], [2, 0]]}}) == 0.75
    assert constant_score({"raw": {"confusion": [[3, 3], [2, 0]], "constant": {"accuracy": 0.25}}}) == 0.25
    assert constant_score({"raw": {"task": "au", "f1": 0.3}}) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.7, "1 min 00 s"), (62.0, "1 min 02 s"), (3900.0, "1 h 05 min")]
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_command_writes_into_the_run_folder_unless_told(tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    update_results(tmp_path / "results.json", {"timing": {"faces_s": 3.0}})
    report(str(tmp_path))
    assert (tmp_path / "report" / "index.html").is_file()
    report(str(tmp_path), out=str(tmp_path / "elsewhere"))
    assert (tmp_path / "elsewhere" / "index.html").is_file()
    assert f"Report: {tmp_path / 'elsewhere' / 'index.html'}" in capsys.readouterr().out


def test_command_without_results_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="make demo"):
        report(str(tmp_path))
