"""A protocol from the command line to its report, on a table like that of a prepared DISFA."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from norface.cli.main import main
from norface.data.table import FaceTable, TableMeta
from norface.imaging.alignment import Alignment
from norface.imaging.files import write_png
from protocol_folder import leave_protocol

ROOT = Path(__file__).parents[2]
PEOPLE = ("SN001", "SN002", "SN009", "SN006", "SN011", "SN003", "SN004")
SMALL = (
    "{model: {init_args: {features: 8, hidden: 8, grid: 2, backbone: {class_path: norface.backbones.ConvEncoder, "
    "init_args: {widths: [8, 16]}}}}, trainer: {max_epochs: 1, callbacks: [{class_path: "
    "lightning.pytorch.callbacks.ModelCheckpoint, init_args: {filename: last, enable_version_counter: false}}], "
    "enable_progress_bar: false}, data: {init_args: {source: none, normalizer: null, cache_dir: null}}}"
)
VARIANTS = (
    "{raw: {configs: [configs/classifier/raw.yaml]}, dense: {configs: [configs/classifier/raw.yaml], "
    "settings: {model: {init_args: {input_experts: false, output_experts: false}}}}}"
)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames of seven people of DISFA."""
    folder, random = tmp_path_factory.mktemp("disfa"), np.random.default_rng(0)
    rows = []
    for number, subject in enumerate(PEOPLE):
        for k in range(6):
            shown = (k + number) % 6
            image = random.integers(0, 60, (32, 32, 3)).astype(np.uint8)
            image[:12] += 30 * np.uint8(shown)
            write_png(folder / "images" / f"{subject}_{k}.png", image)
            rows.append(
                {
                    "face_id": f"{subject}_{k}",
                    "image": f"images/{subject}_{k}.png",
                    "subject": subject,
                    "success": 1.0,
                    "AU01_r": float(shown),
                    "AU12_r": float(5 - shown),
                    "AU01_c": float(shown >= 2),
                    "AU12_c": float(5 - shown >= 2),
                }
            )
    meta = TableMeta((), (1, 12), Alignment(32), {"dataset": "disfa"})
    FaceTable(pd.DataFrame(rows), folder, meta).save(folder)
    return folder


def words(table: Path, out: Path, *more: str) -> list[str]:
    shown = ["--config", "configs/protocol/disfa_3fold.yaml", "--table", str(table), "--out", str(out)]
    shown += ["--normalizer", "null", "--cache", "null", "--seeds", "[0]", "--settings", SMALL, "--variants", VARIANTS]
    return ["protocol", "run", *shown, "--folds.tested", "[part1, part3]", "--folds.options.val", "1", *more]


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs train in this process: starting one takes longer than such a run. Returns the folders that have trained."""
    started: list[str] = []

    def launch(words: list[str], log: Path) -> int:
        started.append(str(log.parent.name))
        return main(words)

    monkeypatch.setattr("norface.cli.child.launch", launch)
    monkeypatch.chdir(ROOT)
    return started


def test_from_a_table_to_a_report_and_a_comparison(
    table: Path, tmp_path: Path, in_process: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p"
    assert main(words(table, out)) == 0
    assert len(in_process) == 4
    record = json.loads((out / "protocol.json").read_text())
    assert (record["folds"], record["labels"], record["merit"]) == (["part1", "part3"], ["AU01", "AU12"], "f1")
    by_fold = {run["fold"]: run["subjects"] for run in record["runs"]}
    assert by_fold == {"part1": 3, "part3": 2}
    first = record["runs"][0]
    results = json.loads((out / first["folder"] / "results.json").read_text())["classifier"]["both"]
    assert first["figures"]["f1"] == pytest.approx(results["f1"])  # as the test itself has measured
    assert first["constant"]["f1"] == pytest.approx(results["constant"]["f1"])
    dense = next(run for run in record["runs"] if run["variant"] == "dense")
    assert dense["expert_use"] == {} and set(first["expert_use"]) == {"input", "input_by_stream", "output"}
    assert (out / "report" / "index.html").is_file()
    printed = capsys.readouterr().out
    assert "| variant | AU01 | AU12 | mean |" in printed

    assert main(words(table, out)) == 0
    assert len(in_process) == 4  # nothing was computed again
    comparison = tmp_path / "difference.json"
    assert main(["protocol", "compare", f"{out}:raw", f"{out}:dense", "--out", str(comparison)]) == 0
    assert "30 faces of 5 people, seeds 0" in capsys.readouterr().out
    (difference,) = json.loads(comparison.read_text())["differences"]
    del difference["people"]
    assert difference.items() <= record["differences"][0].items()

    changed = words(table, out, "--folds.options.seed", "1")
    assert main(changed) == 2
    assert "base.data.init_args.folds.init_args.seed" in capsys.readouterr().err


def test_a_run_that_fails_is_listed_and_the_others_are_summed_up(
    table: Path, tmp_path: Path, in_process: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    broken = "{raw: {configs: [configs/classifier/raw.yaml]}, oracle: {configs: [configs/classifier/oracle.yaml]}}"
    options = words(table, tmp_path, "--folds.tested", "[part1]")
    options[options.index("--variants") + 1] = broken
    assert main(options) == 1
    assert len(in_process) == 2
    captured = capsys.readouterr()
    assert "1 of 2 runs are not finished" in captured.out and "oracle, fold part1, seed 0" in captured.out
    runs = {run["variant"]: run["state"] for run in json.loads((tmp_path / "protocol.json").read_text())["runs"]}
    assert runs == {"raw": "finished", "oracle": "failed"}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--task", "fer", "a model for task fer"),
        ("--variants", "{raw: {settings: {model: {init_args: {input_expert: false}}}}}", "input_expert"),
        ("--variants", "{raw: {config: []}}", "config"),
        ("--folds.kind", "SeedFold", "SeededFold"),
        ("--baseline", "both", "one of raw, dense"),
        ("--people", "[50]", "at most"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(
    table: Path,
    tmp_path: Path,
    in_process: list[str],
    capsys: pytest.CaptureFixture[str],
    option: str,
    value: str,
    message: str,
) -> None:
    assert main(words(table, tmp_path, option, value)) == 2
    assert message in capsys.readouterr().err and in_process == []


def test_interruption_says_how_to_go_on(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("norface.cli.child.launch", lambda words, log: 130)
    assert main(words(table, tmp_path)) == 130
    said = capsys.readouterr().err
    assert "0 of 4 runs are finished" in said and "run the same command again" in said


def test_different_protocols_are_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(leave_protocol(tmp_path / task, task=task)) for task in ("fer", "au")]
    assert main(["protocol", "compare", f"{folders[0]}:raw", f"{folders[1]}:raw"]) == 2
    assert "the same task" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_the_run_ends_with_the_protocol_and_the_next_start_goes_on_from_its_last_epoch(
    table: Path, tmp_path: Path, sent: signal.Signals
) -> None:
    """With processes of their own, as users have them."""
    options = words(table, tmp_path / "p", "--folds.tested", "[part1]")
    many = SMALL.replace("max_epochs: 1", "max_epochs: 60")
    options[options.index("--settings") + 1] = many
    command = [sys.executable, "-m", "norface", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    last = tmp_path / "p" / "runs" / "raw" / "fold-part1" / "seed-0" / "checkpoints" / "last.ckpt"
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        _wait(last.is_file, process)
        process.send_signal(sent)
        _, said = process.communicate(timeout=400)
    assert process.returncode == 130 and "0 of 2 runs are finished" in said
    assert not (last.parents[1] / "test_predictions.parquet").exists()
    assert subprocess.run(command, cwd=ROOT, env=environment, check=False, timeout=900).returncode == 0
    assert "resuming from" in (last.parents[1] / "log.txt").read_text()


def _wait(ready: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not ready():
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.2)
