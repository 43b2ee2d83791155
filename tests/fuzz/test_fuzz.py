"""Damaged and hostile files: an error of norface or a correct read, never a crash and never a wrong image.

`make test` tries a few hundred inputs; `NORFACE_FUZZ=100000 python -m pytest -m slow tests/fuzz` as many as it says.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz_targets import (
    IMAGES,
    PIXELS,
    RESULTS,
    ROWS,
    TABLE_META,
    TARGETS,
    WHOLE_MANIFEST,
    Target,
    archive_bytes,
    check_report,
    checkpoint_bytes,
    shard,
)
from mutations import damaged_json
from norface.errors import CheckpointError, NorfaceError
from norface.specs import build

IN_TEST, DEEP = 15, int(os.environ.get("NORFACE_FUZZ", "20000"))


def fuzz(name: str, target: Target, examples: int, folder: Path, counted: Counter[str]) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=examples <= IN_TEST,
        suppress_health_check=list(HealthCheck),
    )
    @given(given=target.inputs)
    def one(given: Any) -> None:
        counted[name] += 1
        own = folder / str(counted[name])
        own.mkdir()
        try:
            target.check(given, own)
        except NorfaceError:
            pass
        finally:
            for path in sorted(own.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            own.rmdir()

    one()


@pytest.fixture(autouse=True)
def _small_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("norface.imaging.files.MAX_PIXELS", PIXELS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TARGETS)
def test_a_few_damaged_inputs(name: str, tmp_path: Path, counted: Counter[str]) -> None:
    fuzz(name, TARGETS[name], IN_TEST, tmp_path, counted)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TARGETS)
def test_many_damaged_inputs(name: str, tmp_path: Path, counted: Counter[str]) -> None:
    fuzz(name, TARGETS[name], max(DEEP // len(TARGETS), 1), tmp_path, counted)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_reports_of_damaged_results(tmp_path: Path, counted: Counter[str]) -> None:
    fuzz("report", Target(damaged_json(RESULTS), check_report), max(DEEP // 1000, 1), tmp_path, counted)


@pytest.mark.parametrize("name", ["png", "shard, png", "manifest", "table, csv", "zip", "checkpoint"])
def test_whole_inputs_are_read(name: str, tmp_path: Path) -> None:
    whole: dict[str, Any] = {
        "png": IMAGES[".png"],
        "shard, png": shard("png")[1],
        "manifest": WHOLE_MANIFEST.describe(),
        "table, csv": ("csv", ROWS["csv"], TABLE_META),
        "zip": archive_bytes("zip"),
        "checkpoint": checkpoint_bytes(),
    }
    TARGETS[name].check(whole[name], tmp_path)


def test_an_error_that_is_not_norfaces_would_be_noticed(tmp_path: Path, counted: Counter[str]) -> None:
    def crash(data: bytes, _: Path) -> None:
        raise ZeroDivisionError

    before = counted.copy()
    with pytest.raises(ZeroDivisionError):
        fuzz("crash", Target(st.binary(), crash), 3, tmp_path, counted)
    counted.clear()
    counted.update(before)
    with pytest.raises(CheckpointError):
        build(None, where="fuzz")
