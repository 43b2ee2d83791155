from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from norface.errors import TrainingError
from norface.training import EpochMeans, decay_groups, fuses, require_finite, seed_step


def test_only_matrices_and_kernels_that_train_decay() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(4, 8), nn.Linear(8, 2))
    network[2].requires_grad_(False)
    decayed, free = decay_groups(network.parameters(), 0.1)
    assert decayed["weight_decay"] == 0.1
    assert decayed["params"] == [network[0].weight]
    assert free["weight_decay"] == 0.0
    assert len(free["params"]) == 3  # type: ignore[arg-type]


def test_losses_that_are_not_finite_are_named_and_their_batch_is_kept(tmp_path: Path) -> None:
    batch = {"original": torch.ones(2, 3, requires_grad=True), "face_id": ["a", "b"]}
    good, bad = torch.tensor(1.0), torch.tensor(torch.inf)
    require_finite({"a": good}, where="here", batch=batch, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(TrainingError, match=r"here: expected finite losses, found a = 1, b = inf") as caught:
        require_finite({"a": good, "b": bad}, where="here", batch=batch, folder=tmp_path / "run")
    (path,) = (tmp_path / "run").iterdir()
    assert str(path) in caught.value.action
    kept = torch.load(path, weights_only=True)
    assert kept["losses"] == {"a": 1.0, "b": torch.inf}
    assert kept["batch"]["face_id"] == ["a", "b"]
    assert torch.equal(kept["batch"]["original"], torch.ones(2, 3))


def test_a_batch_that_cannot_be_kept_does_not_hide_the_loss(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(TrainingError, match=r"found a = nan.*could not be saved"):
        require_finite({"a": torch.tensor(torch.nan)}, where="here", batch={}, folder=tmp_path / "run")


def test_steps_draw_differently_and_repeatably() -> None:
    def draw(seed: int, epoch: int, batch: int, rank: int) -> float:
        seed_step(seed, epoch, batch, rank=rank)
        return float(torch.rand(()))

    assert draw(0, 1, 2, 0) == draw(0, 1, 2, 0)
    places = [(s, e, b, r) for s in range(2) for e in range(3) for b in range(3) for r in range(2)]
    assert len({draw(*place) for place in places}) == len(places)


def test_means_of_an_epoch_weigh_batches_by_their_faces() -> None:
    means = EpochMeans()
    means.update({"a": torch.tensor(1.0), "b": torch.tensor(5.0)}, size=3)
    means.update({"a": torch.tensor(3.0, requires_grad=True)}, size=1)
    found = means.take()
    assert {name: float(value) for name, value in found.items()} == {"a": 1.5, "b": 5.0}
    assert not found["a"].requires_grad
    assert means.take() == {}


def test_optimisers_run_as_one_kernel_where_gradients_can_still_be_clipped() -> None:
    parameters = [nn.Parameter(torch.zeros(2))]
    assert fuses(parameters, "32-true")
    assert not fuses(parameters, "bf16-mixed")
    assert not fuses([nn.Parameter(torch.zeros(2, device="meta"))], "32-true")
