"""One cache by several processes that Lightning connects (gloo): byte-equal to that of one, also when one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from norface.cli.main import USAGE
from quick_process import run, start, torchrun
from sabotage import count_faces, fill_disk, slow_down
from small_world import FACES, SHARD_SIZE, World, contents

ROOT = Path(__file__).parents[2]


def faces_made(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_cache_equals_that_of_one_process(world: World, whole: dict[str, bytes], count: int, tmp_path: Path) -> None:
    counts = [tmp_path / f"faces{rank}" for rank in range(count)]
    counting = [partial(count_faces, log) for log in counts]
    ranks = torchrun(world.command(tmp_path / "out"), count, tmp_path / "log", counting)
    assert [rank.wait() for rank in ranks] == [0] * count, [rank.text for rank in ranks]
    assert contents(tmp_path / "out") == whole
    made = list(map(faces_made, counts))
    assert sum(made) == FACES
    assert max(made) - min(made) <= 2 * SHARD_SIZE
    assert [rank.text.count("200 normalized faces (0 failed)") for rank in ranks] == [1, *[0] * (count - 1)]


@pytest.mark.parametrize(
    ("count", "later"), [(2, 1), *(pytest.param(*pair, marks=pytest.mark.slow) for pair in ((4, 4), (4, 2), (2, 4)))]
)
def test_a_killed_process_is_made_up_for(
    world: World, whole: dict[str, bytes], count: int, later: int, tmp_path: Path
) -> None:
    command, out = world.command(tmp_path / "out"), tmp_path / "out"
    faces = tmp_path / "faces"
    slow = partial(slow_down, 0.05)
    ranks = torchrun(command, count, tmp_path / "log", [None] * (count - 1) + [slow])
    while not list(out.glob("*/shard-*.arrow")):
        time.sleep(0.01)
    assert ranks[-1].send(signal.SIGKILL) == -signal.SIGKILL
    for rank in ranks[:-1]:  # they notice when they wait for the one that is gone; torchrun would have ended them
        assert rank.wait() == USAGE
        assert f"expected  {count} processes" in rank.text
    assert not list(out.glob("*/manifest.json"))
    there = len(list(out.glob("*/shard-*.arrow")))
    again = torchrun(command, later, tmp_path / "again", [partial(count_faces, faces)] * later)
    assert [rank.wait() for rank in again] == [0] * later, [rank.text for rank in again]
    assert contents(out) == whole
    assert FACES - there * SHARD_SIZE <= faces_made(faces) < FACES - (there - 1) * SHARD_SIZE  # the last one is short


def test_a_process_that_fails_says_why(world: World, whole: dict[str, bytes], tmp_path: Path) -> None:
    command = world.command(tmp_path / "out")
    ranks = torchrun(command, 2, tmp_path / "log", [None, partial(fill_disk, 1000)])
    assert ranks[1].wait() == USAGE
    assert "No space left on device" in ranks[1].text
    assert ranks[0].wait() == USAGE
    assert "finished shards are kept" in ranks[0].text
    assert run(command, tmp_path / "log") == 0
    assert contents(tmp_path / "out") == whole


def test_another_number_of_processes_than_were_started(world: World, tmp_path: Path) -> None:
    environment = {"TORCHELASTIC_RUN_ID": "none", "RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}
    alone = start(world.command(tmp_path / "out"), tmp_path / "log", environment=environment)
    assert alone.wait() == USAGE
    assert "devices x num_nodes = 2, the processes that were started" in alone.text
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [("devices", "0", "--trainer.devices 0"), ("accelerator", "abacus", "abacus"), ("num_nodes", "0", "num_nodes 0")],
)
def test_devices_that_are_not_there(world: World, option: str, value: str, message: str, tmp_path: Path) -> None:
    assert run([*world.command(tmp_path / "out"), f"--trainer.{option}", value], tmp_path / "log") == USAGE
    assert message in (tmp_path / "log").read_text()
    assert "Traceback" not in (tmp_path / "log").read_text()


def launched(words: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
    base = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "PYTHON": sys.executable}
    return subprocess.run(
        words, env={**base, **environment}, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT
    )


@pytest.mark.slow
def test_lightning_starts_the_processes(world: World, whole: dict[str, bytes], tmp_path: Path) -> None:
    command = world.command(tmp_path / "out", "--trainer.devices", "2")
    done = launched([sys.executable, "-m", "norface", *command])
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("200 normalized faces (0 failed)") == 1
    assert contents(tmp_path / "out") == whole


SRUN = """#!/usr/bin/env bash
# Stands for SLURM's: starts SLURM_NTASKS processes, as `srun --kill-on-bad-exit=1 COMMAND` does.
for ((rank = 0; rank < SLURM_NTASKS; rank++)); do
  SLURM_PROCID=$rank SLURM_LOCALID=$rank SLURM_NODEID=0 "${@:2}" &
done
for ((rank = 0; rank < SLURM_NTASKS; rank++)); do wait -n || exit 1; done
"""


@pytest.mark.slow
@pytest.mark.parametrize("example", ["torchrun", "slurm"])
def test_examples(world: World, whole: dict[str, bytes], example: str, tmp_path: Path) -> None:
    srun = tmp_path / "bin/srun"
    srun.parent.mkdir()
    srun.write_text(SRUN)
    srun.chmod(0o755)
    job = {"SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "norface-cache", "SLURM_NODELIST": "127.0.0.1"}
    job |= {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "1"}
    environment = {"PROCESSES": "2"} if example == "torchrun" else job
    out = tmp_path / "out"
    options = [str(world.checkpoint), str(world.table), str(out), *world.command(out)[8:]]
    path = f"{srun.parent}:{os.environ['PATH']}"
    done = launched([str(ROOT / f"examples/build_cache_{example}.sh"), *options], **environment, PATH=path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("200 normalized faces (0 failed)") == 1
    assert contents(out) == whole
