"""What holds for every test: no window, no network, few threads, the same random numbers, a cache folder of its own."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator

# Before any library reads them.
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ["MPLBACKEND"] = "Agg"
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import numpy as np
import pytest

import offline

offline.guard()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(0)
    np.random.seed(0)  # libraries draw from the global generator
    torch = sys.modules.get("torch")  # importing it takes seconds that many tests can do without
    if torch is not None:
        torch.manual_seed(0)
        torch.set_num_threads(min(2, torch.get_num_threads()))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept in the home folder of whoever runs the tests."""
    monkeypatch.setenv("NORFACE_CACHE", str(tmp_path_factory.getbasetemp() / "norface-cache"))


@pytest.fixture(autouse=True)
def _offline() -> Iterator[None]:
    """A test that reaches for a network fails, even where a library swallows the error."""
    offline.attempts.clear()  # those of imports have a test of their own
    yield
    assert not offline.attempts
