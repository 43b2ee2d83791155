from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TOPICS = ("drawing", "prepare", "training", "routing", "caching", "inference", "memory", "growth", "presets")
timing: Any = importlib.import_module("benchmarks.timing")


def test_sides_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []

    def timed_itself() -> float:
        order.append("b")
        return 2.0

    times = timing.in_turns({"a": lambda: order.append("a"), "b": timed_itself}, rounds=2)
    assert order == ["a", "b"] * 3
    assert times["b"] == [2.0, 2.0] and len(times["a"]) == 2


def test_ratios_are_taken_round_by_round() -> None:
    found = timing.ratio("x", {"a": [1.0, 4.0, 9.0], "b": [1.0, 2.0, 3.0]}, "a", "b", "<= 1")
    assert (found.value, found.low, found.high, found.unit) == (2.0, 1.0, 3.0, "x")
    assert timing.rate("y", [0.5, 0.25], 10).value == pytest.approx(30.0)
    assert str(found).endswith("2.000 x         1.000 to 3.000     <= 1")


def test_waiting_for_batches_is_told_from_working() -> None:
    training: Any = importlib.import_module("benchmarks.training")

    def slow_batches() -> Any:
        for number in range(3):
            time.sleep(0.02)
            yield number

    done: list[int] = []
    whole, waited = training.bare_epoch(slow_batches(), done.append)
    assert done == [0, 1, 2]
    assert 0.06 <= waited <= whole


def test_unknown_topics_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    run: Any = importlib.import_module("benchmarks.run")
    assert run.TOPICS == TOPICS
    with pytest.raises(SystemExit):
        run.main(["reding"])
    assert "no topic reding" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("topic", TOPICS)
def test_each_topic_runs_alone(topic: str, tmp_path: Path) -> None:
    if topic == "inference":
        pytest.importorskip("onnxscript")
    results = tmp_path / "results.json"
    results.write_text(json.dumps({"topics": {"earlier": {}}}))
    command = [sys.executable, "-m", "benchmarks.run", topic, "--quick", "--results", str(results)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    topics = json.loads(results.read_text())["topics"]
    assert topics.keys() == {"earlier", topic}  # figures of other topics are kept
    assert topics[topic]["machine"]["commit"] and topics[topic]["machine"]["seed"] == 0
    figures = topics[topic]["figures"]
    assert figures and all(figure["low"] <= figure["value"] <= figure["high"] for figure in figures)
    assert all(figure["name"] in done.stdout for figure in figures)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_bench_measures_the_named_topics() -> None:
    done = subprocess.run(
        ["make", "-n", "bench", "TOPICS=training"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "-m benchmarks.run training" in done.stdout
