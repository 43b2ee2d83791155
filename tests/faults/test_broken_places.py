"""A place that is full, locked or shared, and an image that goes away while it is read."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from norface.cache.verify import verify
from norface.cli.main import USAGE
from quick_process import run, start
from sabotage import fill_disk, pull_away, slow_down
from small_world import World, contents


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB, too small for the cache."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(place)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a file system")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_is_named_and_emptied(
    world: World, whole: dict[str, bytes], small_disk: Path, tmp_path: Path
) -> None:
    command, log = world.command(small_disk / "out"), tmp_path / "log"
    assert run(command, log) == USAGE
    text = log.read_text()
    assert "No space left on device" in text
    assert "Free some space" in text
    assert "Traceback" not in text
    assert not list(small_disk.glob("*/*/.*.tmp"))
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    assert run(command, log) == 0
    assert contents(small_disk / "out") == whole


@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_a_disk_that_fills_at_any_byte(
    world: World, whole: dict[str, bytes], random_moments: random.Random, times: int, tmp_path: Path
) -> None:
    total = sum(map(len, whole.values()))
    for k in range(times):
        command, log = world.command(tmp_path / f"out{k}"), tmp_path / f"log{k}"
        assert run(command, log, sabotage=partial(fill_disk, random_moments.randrange(total))) == USAGE
        assert "No space left on device" in log.read_text()
        assert not list((tmp_path / f"out{k}").glob("*/.*.tmp"))
        assert run(command, log) == 0
        assert contents(tmp_path / f"out{k}") == whole


def test_a_place_that_cannot_be_written_to(
    world: World, whole: dict[str, bytes], small_disk: Path, tmp_path: Path
) -> None:
    command, log = world.command(small_disk / "out"), tmp_path / "log"
    subprocess.run(["mount", "-o", "remount,ro,size=8m", str(small_disk)], check=True)
    assert run(command, log) == USAGE
    assert "Read-only file system" in log.read_text()
    assert "Traceback" not in log.read_text()
    subprocess.run(["mount", "-o", "remount,rw,size=8m", str(small_disk)], check=True)
    assert run(command, log) == 0
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert run(command, log) == 0  # what is finished can be read anywhere
    assert contents(small_disk / "out") == whole


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_folder_without_permission(world: World, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o500)
    assert run(world.command(tmp_path / "out"), tmp_path / "log") == USAGE
    assert "Permission denied" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("builders", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_builders_at_once(world: World, whole: dict[str, bytes], builders: int, tmp_path: Path) -> None:
    out = tmp_path / "out"
    running = [start(world.command(out), tmp_path / f"log{k}") for k in range(builders)]
    assert [builder.wait() for builder in running] == [0] * builders, [builder.text for builder in running]
    assert contents(out) == whole


def test_one_of_two_builders_is_killed(world: World, whole: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    slow = start(world.command(out), tmp_path / "log", sabotage=partial(slow_down, 0.02))
    quick = start(world.command(out), tmp_path / "log")
    assert slow.send(signal.SIGKILL) == -signal.SIGKILL
    assert quick.wait() == 0
    assert {name: data for name, data in contents(out).items() if not name.endswith(".tmp")} == whole
    assert run(world.command(out), tmp_path / "log") == 0
    assert contents(out) == whole


def test_an_image_that_goes_away_and_comes_back(world: World, whole: dict[str, bytes], tmp_path: Path) -> None:
    image, out, log = world.table / "images/face0150.png", tmp_path / "out", tmp_path / "log"
    pixels = image.read_bytes()
    try:
        assert run(world.command(out), log, sabotage=partial(pull_away, image, 4)) == 0
        assert "199" not in log.read_text()
        assert "200 normalized faces (1 failed)" in log.read_text()
        assert "face0150" in contents(out)["failed.csv"].decode()
        assert verify(next(out.iterdir())) == []
        image.unlink()
        assert run(world.command(out), log) == USAGE
        assert "1 missing, the first: images/face0150.png" in log.read_text()
    finally:
        image.write_bytes(pixels)
    assert run(world.command(out), log) == 0
    assert contents(out) == whole
