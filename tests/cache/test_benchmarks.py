"""The scripts behind the figures of docs/cache.md run, and compare equal pixels."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
SIZE, FACES = 32, 8


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # where its dataclasses look for it
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = script("reading", monkeypatch)
    monkeypatch.setattr(module, "BATCHES", {SIZE: 2})
    monkeypatch.setattr(module, "BATCH", 4)
    return module


@pytest.mark.parametrize("output", ["float32", "uint8"])
def test_all_sources_read_the_same_faces(reading: ModuleType, tmp_path: Path, output: str) -> None:
    reading.write_all(tmp_path, SIZE, FACES)
    exact = [reading.RAW, "cache, png", reading.LIMIT]
    batches = [reading.SOURCES[name].open(tmp_path, output).__getitems__([5, 0, 5]) for name in exact]
    assert all(torch.equal(batch, batches[0]) for batch in batches)
    assert torch.equal(reading.SOURCES["cache, raw, face by face"].open(tmp_path, output)[5], batches[0][0])
    if importlib.util.find_spec("torchvision") is not None:
        image, _ = reading.SOURCES["PNG files, ImageFolder"].open(tmp_path, output)[5]
        torch.testing.assert_close(image, batches[0][0])


def test_reading_is_measured(reading: ModuleType, tmp_path: Path) -> None:
    reading.write_all(tmp_path, SIZE, FACES)
    for name in list(reading.SOURCES):
        if name not in (reading.RAW, reading.LIMIT):
            del reading.SOURCES[name]
    measured = reading.measure(SIZE, 1, "float32", tmp_path, rounds=1)
    assert list(measured) == [reading.RAW, reading.LIMIT]
    assert measured[reading.RAW]["raw_is_times"] == 1
    for figures in measured.values():
        assert figures["faces_per_s"] > 0
        assert 0 < figures["private_dirty_mib"] <= figures["uss_mib"] < 500


def test_codecs_are_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    codecs = script("codecs", monkeypatch)
    faces = [np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)]
    assert codecs.measure(codecs.CODECS["raw"], faces)["bytes"] == 3 * SIZE * SIZE
    for name in ("raw, zstd", "png", "webp, lossless", "webp, lossless, fastest"):
        assert "psnr_db" not in codecs.measure(codecs.CODECS[name], faces)
    assert codecs.measure(codecs.CODECS["jpeg 95"], faces)["psnr_db"] < 60
