"""Order and randomness of samples: everything depends only on (seed, epoch, index), so a resumed run is exact."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset, DistributedSampler

Key = tuple[int, int]
"""(epoch, index within the dataset): what samplers of norface yield and its datasets take."""

PADDING = -1
"""Epoch of a key that only fills up: every process gets equally many batches, or they would wait for each other."""

_MASK = (1 << 64) - 1
_REPEAT_BITS = 40
"""Epochs below 2^40 leave room above for the number of the repeat."""


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
        shuffle: In another order each epoch; else in order, and the epoch stays 0, so validation never changes; then
            repeats that give each process equally many have the epoch `PADDING`, so that they can be told apart.
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
        if not self.shuffle and self.rank + (len(keys) - 1) * self.num_replicas >= len(cast(Sized, self.dataset)):
            keys[-1] = (PADDING, keys[-1][1])
        self.epoch = outer
        return iter(keys)

    def __len__(self) -> int:
        return super().__len__() * self.passes


class WeightedEpochSampler(EpochSampler):
    """As `EpochSampler`, but draws as many samples as there are with a frequency proportional to their weights.

    Systematic resampling: in every pass a sample of expected frequency f is drawn either floor(f) or ceil(f) times, and
    which of many rare draws come up changes from pass to pass. Repeats of one sample have different epochs in their
    keys, so they are augmented differently.

    Args:
        dataset: Whose indices.
        weights: ``(N,)``, at least 0, not all 0; a sample of weight 0 is never drawn.
        seed: Which draws.
        passes: How many times an epoch draws the size of the data set.
        rank, world_size: This process among all.
    """

    def __init__(
        self,
        dataset: Dataset[object],
        *,
        weights: NDArray[np.float64],
        seed: int = 0,
        passes: int = 1,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(dataset, shuffle=True, seed=seed, passes=passes, rank=rank, world_size=world_size)
        self.weights = weights

    def __iter__(self) -> Iterator[Key]:
        keys = (self._draw(self.epoch * self.passes + number) for number in range(self.passes))
        return iter([key for drawn in keys for key in drawn])

    def _draw(self, number: int) -> list[Key]:
        random = np.random.default_rng(mix(self.seed, 0x5A3D, number))
        order = random.permutation(len(self.weights))
        limits = np.cumsum(self.weights[order])
        limits = limits / limits[-1] * len(order)
        marks = np.minimum(np.arange(len(order)) + random.random(), np.nextafter(len(order), 0))  # never rounded up
        drawn = np.sort(order[np.searchsorted(limits, marks, side="right")])
        repeat = np.arange(len(drawn)) - np.searchsorted(drawn, drawn)
        chosen = [(number + (int(repeat[k]) << _REPEAT_BITS), int(drawn[k])) for k in random.permutation(len(drawn))]
        chosen *= -(-self.total_size // len(chosen))  # every process gets equally many, as in DistributedSampler
        return chosen[self.rank : self.total_size : self.num_replicas]
