from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import norface
import norface.faces.plan as plan_module
import toy_dataset as toy
from norface.errors import ConfigError
from norface.faces.contract import Detector
from norface.faces.prepare import prepare

SCRIPT = """
import signal, sys
from pathlib import Path
import norface.faces.plan as plan, toy_dataset as toy
from norface.faces.prepare import prepare
plan.PART_ROWS = 5
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs tests in the background has it ignored
root, out = map(Path, sys.argv[1:])
try:
    prepare(toy.ToyReader(), root, out, detector=toy.slow_square, size=48, processes=2, progress=False)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "PART_ROWS", 5)


def run(root: Path, out: Path, detector: Callable[[], Detector] = toy.square, processes: int = 1) -> None:
    prepare(toy.ToyReader(), root, out, detector=detector, size=48, processes=processes, progress=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def wait_for(what: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="lists child processes as Linux does")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_stopped_from_outside_it_leaves_no_process_and_goes_on(tmp_path: Path, how: signal.Signals) -> None:
    root, out = tmp_path / "toy", tmp_path / "out"
    toy.write_pictures(root, 100, faceless=(2, 77))
    run(root, tmp_path / "whole")
    path = os.pathsep.join((str(Path(norface.__file__).parents[1]), str(Path(toy.__file__).parent)))
    command = [sys.executable, "-c", SCRIPT, str(root), str(out)]
    child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, start_new_session=True)
    wait_for(lambda: len(list((out / ".prepare").glob("0*.json"))) > 2)
    workers = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    assert len(workers) >= 2
    if how == signal.SIGKILL:
        child.kill()  # the parent alone, as the system does where memory is short
    else:
        os.killpg(child.pid, how)  # everyone, as the terminal does
    assert child.wait(30) == (130 if how == signal.SIGINT else -how)
    wait_for(lambda: not any(Path(f"/proc/{worker}/cmdline").is_file() for worker in workers))
    done = {path: path.stat().st_mtime_ns for path in (out / ".prepare").glob("0*.json")}
    assert 2 < len(done) < 20
    assert not (out / "faces.parquet").exists()
    before = {path: path.stat().st_mtime_ns for path in (out / "images").rglob("*.png")}
    run(root, out)
    assert contents(out) == contents(tmp_path / "whole")
    kept = sum(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    assert kept >= 5 * len(done) - 2


def test_a_worker_that_is_killed_is_noticed(tmp_path: Path) -> None:
    toy.write_pictures(tmp_path / "toy", 20)
    with pytest.raises(ConfigError, match="fewer --processes"):
        run(tmp_path / "toy", tmp_path / "out", toy.killed_square, processes=2)
    run(tmp_path / "toy", tmp_path / "out")
    run(tmp_path / "toy", tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
