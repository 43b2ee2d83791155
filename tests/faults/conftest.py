"""One small world and its undisturbed cache, for all faults of a session."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from quick_process import run, seconds
from small_world import World, contents, make_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def undisturbed(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that nobody disturbed."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    command = world.command(out)
    assert run(command, out.parent / "log") == 0
    return out


@pytest.fixture(scope="session")
def whole(undisturbed: Path) -> dict[str, bytes]:
    """The files of a cache that nobody disturbed."""
    return contents(undisturbed)


@pytest.fixture(scope="session")
def duration(world: World, undisturbed: Path) -> float:
    """Seconds that a build takes."""
    took = seconds(world.command(undisturbed.parent / "again"), undisturbed.parent / "log")
    shutil.rmtree(undisturbed.parent / "again")
    return took


@pytest.fixture
def random_moments(request: pytest.FixtureRequest) -> Iterator[random.Random]:
    """Random numbers whose seed is shown when a test fails; `NORFACE_FAULT_SEED` gives another."""
    import os

    seed = int(os.environ.get("NORFACE_FAULT_SEED", "0"))
    print(f"NORFACE_FAULT_SEED={seed}")
    yield random.Random(seed)
