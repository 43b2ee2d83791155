"""Which target each original gets when the normalizer is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from norface.data.sampling import mix
from norface.errors import ConfigError

Kind = Literal["fixed", "same_image", "same_subject", "random"]


@dataclass(frozen=True)
class PairPolicy:
    """Shares of the kinds of pairs; what the three leave is drawn from other subjects at random.

    Args:
        fixed_target: Target is the table's common target; the right answer is then the row's true normalized face.
        same_image: Target is the original's own image, which is then the right answer too.
        same_subject: Target is another image of the same person (a random one where there is none).
    """

    fixed_target: float = 0.5
    same_image: float = 0.1
    same_subject: float = 0.1

    def __post_init__(self) -> None:
        shares = (self.fixed_target, self.same_image, self.same_subject)
        if min(shares) < 0 or sum(shares) > 1 + 1e-9:
            raise ConfigError(
                expected="shares of at least 0 that sum to at most 1",
                found=f"fixed_target {shares[0]:g}, same_image {shares[1]:g}, same_subject {shares[2]:g}",
                where="pairs",
                action="Correct the shares.",
            )


@dataclass(frozen=True)
class Pair:
    """What was drawn for one original.

    Args:
        kind: How.
        target: Position of the target within the split, -1 = the common target.
    """

    kind: Kind
    target: int


class PairDraw:
    """Draws the target of an original; depends only on (seed, epoch, index).

    Args:
        policy: Shares of the kinds.
        subjects: ``(N,)`` subject code of each position of the split.
        seed: Which draws.
    """

    def __init__(self, policy: PairPolicy, subjects: NDArray[np.int64], *, seed: int) -> None:
        self.policy, self.subjects, self.seed = policy, subjects, seed
        self._limits = np.cumsum([policy.fixed_target, policy.same_image, policy.same_subject])
        # Positions grouped by subject: people of one subject are one slice, all others the two slices around it.
        self._grouped = np.argsort(subjects, kind="stable")
        self._sorted = subjects[self._grouped]
        self._place = np.empty(len(subjects), np.int64)
        self._place[self._grouped] = np.arange(len(subjects))

    def __call__(self, epoch: int, index: int) -> Pair:
        """The pair of the original at position `index` in this epoch."""
        state = mix(self.seed, 0x7A15, epoch, index)
        kind_draw, target_draw = state / 2**63, mix(state) / 2**63
        start = int(np.searchsorted(self._sorted, self.subjects[index], "left"))
        end = int(np.searchsorted(self._sorted, self.subjects[index], "right"))
        own, others = end - start, len(self.subjects) - (end - start)
        if kind_draw < self._limits[0]:
            return Pair("fixed", -1)
        if kind_draw < self._limits[1] or own + others == 1:
            return Pair("same_image", index)
        if (kind_draw < self._limits[2] and own > 1) or others == 0:
            step = 1 + int(target_draw * (own - 1))  # never itself
            place = start + (int(self._place[index]) - start + step) % own
            return Pair("same_subject", int(self._grouped[place]))
        place = int(target_draw * others)
        return Pair("random", int(self._grouped[place if place < start else place + own]))
