"""Damage to finished caches: `norface cache verify` finds all of it, and the same command repairs it."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from norface.cache.verify import verify
from norface.cli.main import FAILED, main
from quick_process import run
from small_world import World, contents


@pytest.fixture
def cache(undisturbed: Path, tmp_path: Path) -> Path:
    """Folder of a finished cache to be damaged, in a folder ``out``."""
    out = tmp_path / "out"
    shutil.copytree(undisturbed, out)
    return next(out.iterdir())


def flip(path: Path, chance: random.Random) -> None:
    """Turn one bit of a file round."""
    data = bytearray(path.read_bytes())
    bit = chance.randrange(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def cut(path: Path, chance: random.Random) -> None:
    """Keep the beginning of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: chance.randrange(len(data))])


def blank(path: Path, chance: random.Random) -> None:
    """Zeros where a page of the disk was lost."""
    data = bytearray(path.read_bytes())
    start = chance.randrange(len(data))
    lost = data[start : start + 512]
    data[start : start + 512] = bytes(len(lost)) if any(lost) else b"\xff" * len(lost)
    path.write_bytes(data)


def extend(path: Path, chance: random.Random) -> None:
    """Something behind the end."""
    path.write_bytes(path.read_bytes() + chance.randbytes(chance.randint(1, 64)))


def remove(path: Path, _: random.Random) -> None:
    """No file any more."""
    path.unlink()


def swap(path: Path, chance: random.Random) -> None:
    """Another file of the cache under this name."""
    path.write_bytes(chance.choice([p for p in sorted(path.parent.iterdir()) if p != path]).read_bytes())


KINDS: tuple[Callable[[Path, random.Random], None], ...] = (flip, cut, blank, extend, remove, swap)


@pytest.mark.parametrize("times", [40, pytest.param(2000, marks=pytest.mark.slow)])
def test_every_planted_corruption_is_found(
    cache: Path, random_moments: random.Random, times: int, whole: dict[str, bytes]
) -> None:
    names, sizes = zip(*((name, len(data)) for name, data in sorted(whole.items())), strict=True)
    found: dict[str, int] = {}
    for k in range(times):
        kind = KINDS[k // 2 % len(KINDS)] if k % 2 else flip  # over half of them are single bits
        # Bits by the bytes that a file has, so that each is as likely as any other.
        name = random_moments.choices(names, sizes if kind is flip else None)[0]
        kind(cache / name, random_moments)
        assert {path.name: path.read_bytes() for path in cache.iterdir()} != whole
        problems = verify(cache)
        assert problems, f"{kind.__name__} of {name} (number {k}) was not found"
        found[kind.__name__] = found.get(kind.__name__, 0) + 1
        (cache / name).write_bytes(whole[name])
    assert verify(cache) == []
    print(f"{times} corruptions planted, {sum(found.values())} found: {found}")


@pytest.mark.parametrize("kind", [flip, *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[1:])])
@pytest.mark.parametrize("file", ["shard-00003-of-00009.arrow", "failed.csv", "manifest.json"])
def test_the_same_command_repairs_it(
    cache: Path,
    world: World,
    whole: dict[str, bytes],
    kind: Callable[[Path, random.Random], None],
    file: str,
    random_moments: random.Random,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kind(cache / file, random_moments)
    assert main(["cache", "verify", str(cache)]) == FAILED
    assert file in capsys.readouterr().out
    assert run(world.command(cache.parent), tmp_path / "log") == 0
    assert contents(cache.parent) == whole
    assert main(["cache", "verify", str(cache)]) == 0


def test_shards_that_were_damaged_before_the_manifest_was_written(
    cache: Path, world: World, whole: dict[str, bytes], random_moments: random.Random, tmp_path: Path
) -> None:
    (cache / "manifest.json").unlink()  # as if the build had been killed before
    for path in sorted(cache.glob("*.arrow"))[::2]:
        flip(path, random_moments)
    assert run(world.command(cache.parent), tmp_path / "log") == 0
    assert contents(cache.parent) == whole


def test_an_edited_list_of_subjects_is_found_and_written_again(
    cache: Path, world: World, whole: dict[str, bytes], tmp_path: Path
) -> None:
    manifest = json.loads((cache / "manifest.json").read_text())
    (cache / "manifest.json").write_text(json.dumps({**manifest, "subjects": []}))
    assert [problem.file for problem in verify(cache)] == ["manifest.json"]
    assert run(world.command(cache.parent), tmp_path / "log") == 0
    assert contents(cache.parent) == whole
