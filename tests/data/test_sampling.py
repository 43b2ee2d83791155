from __future__ import annotations

import torch
from torch.utils.data import Dataset

from norface.data.sampling import EpochSampler, mix


class Numbers(Dataset[object]):
    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: object) -> object:
        return index


def test_mix_spreads_and_separates() -> None:
    seeds = {mix(a, b, c) for a in range(10) for b in range(10) for c in range(10)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**63 for seed in seeds)
    high = sum(seed >= 2**62 for seed in seeds)
    assert 400 < high < 600


def test_shuffled_order_follows_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[tuple[int, int]]:
        sampler = EpochSampler(Numbers(), shuffle=True, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(0, 3) == order(0, 3)
    assert {epoch for epoch, _ in order(0, 3)} == {3}
    assert sorted(index for _, index in order(0, 3)) == list(range(10))
    indices = [tuple(i for _, i in order(seed, epoch)) for seed, epoch in ((0, 0), (0, 1), (1, 0), (1, 1))]
    assert len(set(indices)) == 4


def test_unshuffled_order_never_changes_and_global_state_is_untouched() -> None:
    state = torch.get_rng_state()
    sampler = EpochSampler(Numbers(), shuffle=False)
    sampler.set_epoch(7)
    assert list(sampler) == [(0, index) for index in range(10)]
    list(EpochSampler(Numbers(), shuffle=True))
    assert torch.equal(torch.get_rng_state(), state)


def test_passes_of_one_epoch_differ_in_order_and_draws() -> None:
    sampler = EpochSampler(Numbers(), shuffle=True, passes=3)
    sampler.set_epoch(2)
    keys = list(sampler)
    assert len(sampler) == len(keys) == 30
    assert len(set(keys)) == 30  # no face is drawn twice in the same way
    assert {epoch for epoch, _ in keys} == {6, 7, 8}
    orders = [tuple(index for epoch, index in keys if epoch == number) for number in (6, 7, 8)]
    assert len(set(orders)) == 3
    assert list(sampler) == keys


def test_processes_share_the_work() -> None:
    parts = [list(EpochSampler(Numbers(), shuffle=True, rank=rank, world_size=2)) for rank in range(2)]
    assert sorted(index for part in parts for _, index in part) == list(range(10))
