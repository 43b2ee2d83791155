from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import Dataset

from norface.data.sampling import PADDING, EpochSampler, WeightedEpochSampler, mix


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


@given(count=st.integers(1, 12), processes=st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_processes_share_all_faces_and_repeats_are_marked(count: int, processes: int) -> None:
    faces = [None] * count
    shares = [
        list(EpochSampler(faces, shuffle=False, rank=rank, world_size=processes))  # type: ignore[arg-type]
        for rank in range(processes)
    ]
    assert len({len(share) for share in shares}) == 1  # nobody waits for the others
    asked = [index for share in shares for epoch, index in share if epoch != PADDING]
    assert sorted(asked) == list(range(count))
    assert {epoch for share in shares for epoch, _ in share} <= {0, PADDING}


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


def weighted(weights: list[float], **options: int) -> WeightedEpochSampler:
    class Some(Dataset[object]):
        def __len__(self) -> int:
            return len(weights)

    return WeightedEpochSampler(Some(), weights=np.array(weights), **options)


def test_rare_samples_come_up_as_often_as_their_weight_says() -> None:
    weights = [1.0] * 90 + [9.0] * 10  # two classes of equal weight
    sampler = weighted(weights)
    drawn = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        keys = list(sampler)
        assert len(keys) == len(sampler) == 100 and len(set(keys)) == 100  # repeats are other draws
        indices = np.array([index for _, index in keys])
        assert 49 <= (indices >= 90).sum() <= 51
        assert set(np.bincount(indices, minlength=100)[90:]) <= {4, 5, 6}  # expected: 5
        assert set(np.bincount(indices, minlength=100)[:90]) <= {0, 1}
        drawn.append(tuple(indices))
    assert len(set(drawn)) == 3
    assert len({index for indices in drawn for index in indices}) > 80  # frequent ones take turns


def test_weighted_order_follows_seed_and_epoch_alone() -> None:
    state = torch.get_rng_state()
    first, again = weighted([1.0, 2.0, 3.0, 4.0], seed=1), weighted([1.0, 2.0, 3.0, 4.0], seed=1)
    first.set_epoch(5)
    again.set_epoch(2)
    list(again)
    again.set_epoch(5)
    assert list(first) == list(again)
    other = weighted([1.0, 2.0, 3.0, 4.0], seed=2)
    other.set_epoch(5)
    assert list(other) != list(first)
    assert torch.equal(torch.get_rng_state(), state)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 0.1, 1.0, 25.0]), min_size=1, max_size=30).filter(any),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 50),
)
def test_processes_share_the_weighted_draws(weights: list[float], world_size: int, passes: int, epoch: int) -> None:
    whole = weighted(weights, passes=passes)
    whole.set_epoch(epoch)
    parts = []
    for rank in range(world_size):
        sampler = weighted(weights, passes=passes, rank=rank, world_size=world_size)
        sampler.set_epoch(epoch)
        parts.append(list(sampler))
        assert len(parts[-1]) == len(sampler)
    keys = [key for part in parts for key in part]
    assert set(keys) == set(whole)  # together what one process draws; some twice, to give all equally many
    assert len(keys) - len(set(keys)) == len(parts[0]) * world_size - len(weights) * passes
    assert all(weights[index] > 0 for _, index in keys)
