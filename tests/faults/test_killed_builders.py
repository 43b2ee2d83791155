"""Builders that are killed or interrupted: the same command ends with the cache that an undisturbed one makes."""

from __future__ import annotations

import random
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from norface.cache.verify import verify
from norface.cli.main import INTERRUPTED
from quick_process import run, start
from sabotage import STAGES, Stage, count_faces, kill_in_write
from small_world import BATCH_SIZE, FACES, SHARD_SIZE, World, contents

WRITES = -(-FACES // SHARD_SIZE) + 2  # shards, failed.csv, manifest.json
PAUSE = 0.03  # after each batch, so that more kills fall between two faces than into the start of the process
FEW_AND_MANY = [3, pytest.param(50, marks=pytest.mark.slow)]


def shards(out: Path) -> int:
    return len(list(out.glob("*/shard-*.arrow")))


@pytest.mark.parametrize("kills", FEW_AND_MANY)
def test_killed_at_random_moments(
    world: World,
    whole: dict[str, bytes],
    duration: float,
    random_moments: random.Random,
    kills: int,
    tmp_path: Path,
) -> None:
    within = 0
    for k in range(kills):
        out, faces = tmp_path / f"out{k}", tmp_path / f"faces{k}"
        builder = start(world.command(out), tmp_path / "log", sabotage=partial(count_faces, faces, PAUSE))
        time.sleep(random_moments.uniform(0.0, duration + PAUSE * FACES / BATCH_SIZE))
        code = builder.send(signal.SIGKILL)
        assert code in {0, -signal.SIGKILL}, builder.text
        made = faces.stat().st_size if faces.exists() else 0
        within += code != 0 and 0 < made < FACES
        # Lost: the shard in work, and a finished one only if it was just being written.
        assert made // SHARD_SIZE - shards(out) <= 1
        before = shards(out)
        assert run(world.command(out), tmp_path / "log", sabotage=partial(count_faces, faces)) == 0
        assert faces.stat().st_size == made + FACES - min(before * SHARD_SIZE, FACES)
        assert contents(out) == whole
        assert verify(next(out.iterdir())) == []
    print(f"{kills} builders killed at random moments, {within} of them amid the faces; {kills} caches as undisturbed")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("number", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in (0, *range(2, WRITES)))])
def test_killed_within_a_write(
    world: World, whole: dict[str, bytes], number: int, stage: Stage, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = world.command(out)
    assert run(command, tmp_path / "log", sabotage=partial(kill_in_write, number, stage)) == -signal.SIGKILL
    assert shards(out) == min(number + (stage == "renamed"), WRITES - 2)
    assert len(list(out.glob("*/.*.tmp"))) == (stage != "renamed")
    assert run(command, tmp_path / "log") == 0
    assert contents(out) == whole


@pytest.mark.parametrize("interruptions", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_interrupted_at_random_moments(
    world: World,
    whole: dict[str, bytes],
    duration: float,
    random_moments: random.Random,
    interruptions: int,
    tmp_path: Path,
) -> None:
    for k in range(interruptions):
        out, log = tmp_path / f"out{k}", tmp_path / f"log{k}"
        builder = start(world.command(out), log)
        time.sleep(random_moments.uniform(0.0, duration))
        code = builder.send(signal.SIGINT)
        assert code in {0, INTERRUPTED}, builder.text
        assert code == 0 or "interrupted; run the same command again to continue" in builder.text
        assert "Traceback" not in builder.text
        assert not list(out.glob("*/.*.tmp"))
        assert run(world.command(out), log) == 0
        assert contents(out) == whole
