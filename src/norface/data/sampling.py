"""Order and randomness of samples: everything depends only on (seed, epoch, index), so a resumed run is exact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from torch.utils.data import Dataset, DistributedSampler

Key = tuple[int, int]
"""(epoch, index within the dataset): what samplers of norface yield and its datasets take."""

_MASK = (1 << 64) - 1


def mix(*numbers: int) -> int:
    """One well-mixed 63-bit seed from several numbers (splitmix64, Steele et al., OOPSLA 2014)."""
    state = 0
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state >> 1


class EpochSampler(DistributedSampler[Key]):
    """Yields (epoch, index), so that datasets know the epoch in whatever process they run.

    Lightning calls `set_epoch` and, because this is a `DistributedSampler` already, does not wrap it.

    Args:
        dataset: Whose indices.
        shuffle: In another order each epoch; else in order, and the epoch stays 0, so validation never changes.
        seed: Which shuffles.
        passes: How many times an epoch goes through the data set, in another order and with other draws each time.
        rank, world_size: This process among all.
    """

    def __init__(
        self,
        dataset: Dataset[object],
        *,
        shuffle: bool,
        seed: int = 0,
        passes: int = 1,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(dataset, num_replicas=world_size, rank=rank, shuffle=shuffle, seed=mix(seed) >> 1)
        self.passes = passes

    def __iter__(self) -> Iterator[Key]:
        keys: list[Key] = []
        outer = self.epoch
        for number in range(self.passes):
            self.epoch = outer * self.passes + number if self.shuffle else 0
            keys += [(self.epoch, int(index)) for index in cast(Iterator[int], super().__iter__())]
        self.epoch = outer
        return iter(keys)

    def __len__(self) -> int:
        return super().__len__() * self.passes
