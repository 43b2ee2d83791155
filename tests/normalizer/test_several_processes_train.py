from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import two_processes

ROOT = Path(__file__).parents[2]
Weights = dict[str, torch.Tensor]


def distance(some: Weights, others: Weights, network: str) -> float:
    names = [name for name in others if name.startswith(network) and others[name].is_floating_point()]
    return float(torch.stack([(some[name] - others[name]).square().sum() for name in names]).sum().sqrt())


@pytest.mark.slow
def test_two_processes_train_what_one_trains_with_the_double_batch(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT / "tests")))}
    run = subprocess.run(
        [sys.executable, ROOT / "tests" / "two_processes.py", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(2))
    alone = two_processes.train(1, tmp_path, parts=1)
    half = two_processes.train(1, tmp_path, parts=2)
    assert first.keys() == second.keys() == alone.keys()
    assert [name for name, value in first.items() if not torch.equal(value, second[name])] == ["rank"]
    assert int(first["iteration"]) == int(first["average.steps"]) == two_processes.BATCHES * two_processes.EPOCHS
    torch.manual_seed(0)
    start = two_processes.make_task().state_dict()
    for network in ("generator.", "discriminator.", "average.network."):
        # Not weight by weight: where a gradient is 0, Adam makes a whole step of a rounding error.
        assert distance(first, alone, network) < 0.05 * distance(start, alone, network), network
        assert distance(half, alone, network) > 0.2 * distance(start, alone, network), (
            network
        )  # what it is when not shared
    assert first["val/background_error"] == pytest.approx(float(alone["val/background_error"]), rel=0.1)
