"""Is one better than the other? Paired differences on the same faces, with a bootstrap interval over subjects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from norface.errors import ResultsError
from norface.protocol.answers import Answers
from norface.protocol.sums import Figures, Sums, figures

RESAMPLES, LEVEL = 2_000, 0.95
_AT_ONCE = 4_000_000
"""Weights of subjects that are held in memory at once."""

Pair = tuple[Answers, Answers]


@dataclass(frozen=True)
class Difference:
    """One figure of two predictors.

    Args:
        first, second: The figure of either, the mean over seeds.
        low, high: Interval of second - first over subjects; NaN where it cannot be known.
        by_seed: second - first of each seed.
    """

    first: float
    second: float
    low: float
    high: float
    by_seed: tuple[float, ...]

    @property
    def difference(self) -> float:
        """How much larger the second is."""
        return self.second - self.first


@dataclass(frozen=True)
class Comparison:
    """All figures of two predictors.

    Args:
        figures: By name, see `norface.protocol.sums.figures`.
        subjects: How many people were tested.
        faces: How many faces of theirs.
        unanswered: Faces left out because one of the two has no answer.
    """

    figures: dict[str, Difference]
    subjects: int
    faces: int
    unanswered: int


def compare(
    pairs: Mapping[str, Mapping[int, Pair]], *, pooled: bool, resamples: int = RESAMPLES, seed: int = 0
) -> Comparison:
    """Compare two predictors that were asked the same.

    Subjects, not faces, are drawn with replacement, within each fold, because faces of one person are alike; every
    figure is computed anew from all faces of those drawn, and the 2.5 and 97.5 percentiles of the differences are the
    interval. So it says what other people would have changed. What other seeds would have changed shows in `by_seed`.

    Args:
        pairs: Answers of both, by fold and seed; every fold has the same seeds.
        pooled: See `norface.protocol.sums.figures`.
        resamples: How many times subjects are drawn.
        seed: Of these draws.

    Raises:
        ResultsError: The two have other tasks, labels or faces.
    """
    paired = _Paired(pairs, pooled)
    points = paired.figures([np.ones((1, count)) for count in paired.people])
    drawn = [paired.figures(weights) for weights in _resampled(paired.people, resamples, seed)]
    compared = {}
    for name in points[0][0]:
        firsts, seconds = (np.array([float(sides[k][name][0]) for sides in points]) for k in (0, 1))
        spread = [np.mean([second[name] - first[name] for first, second in seeds], 0) for seeds in drawn]
        low, high = _interval(np.concatenate(spread))
        by_seed = tuple(float(value) for value in seconds - firsts)
        compared[name] = Difference(float(firsts.mean()), float(seconds.mean()), low, high, by_seed)
    return Comparison(compared, sum(paired.people), paired.faces, paired.unanswered)


class _Paired:
    """Sums over the faces of each subject, of both predictors on the same faces, by seed and fold."""

    def __init__(self, pairs: Mapping[str, Mapping[int, Pair]], pooled: bool) -> None:
        self.pooled = pooled
        self.people: list[int] = []
        self.faces = self.unanswered = 0
        self.sums: dict[int, list[tuple[Sums, Sums]]] = {}
        for fold, of_fold in pairs.items():
            tested = [one for pair in of_fold.values() for one in pair]
            _check_same(tested, fold)
            answered = np.logical_and.reduce([one.answered for one in tested])
            if not answered.any():
                raise _cannot("test faces for which both have an answer", "none", fold)
            for seed, (first, second) in of_fold.items():
                self.sums.setdefault(seed, []).append((first.sums(answered)[0], second.sums(answered)[0]))
            self.task, self.labels = tested[0].task, tested[0].names
            self.people.append(len(tested[0].sums(answered)[1]))
            self.faces += int(answered.sum())
            self.unanswered += int((~answered).sum())

    def figures(self, weights: Sequence[NDArray[np.float64]]) -> list[tuple[Figures, Figures]]:
        """Figures of both predictors for each seed, where subjects count as often as the weights ``(R, S)`` say."""
        return [(self._figures(weights, folds, 0), self._figures(weights, folds, 1)) for folds in self.sums.values()]

    def _figures(
        self, weights: Sequence[NDArray[np.float64]], folds: Sequence[tuple[Sums, Sums]], side: int
    ) -> Figures:
        weighed = [np.tensordot(w, pair[side], 1) for w, pair in zip(weights, folds, strict=True)]
        return figures(self.task, weighed, pooled=self.pooled, labels=self.labels)


def _resampled(people: Sequence[int], resamples: int, seed: int) -> Iterator[list[NDArray[np.float64]]]:
    """How often each subject of each fold is drawn, ``(R, S)`` per fold, in parts that fit into memory."""
    random = np.random.default_rng(seed)
    part = max(1, min(resamples, _AT_ONCE // max(sum(people), 1)))
    for start in range(0, resamples, part):
        size = min(part, resamples - start)
        yield [random.multinomial(count, np.full(count, 1 / count), size=size).astype(np.float64) for count in people]


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if len(known) < 2:
        return float("nan"), float("nan")
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)


def _check_same(tested: Sequence[Answers], fold: str) -> None:
    for what, values in (
        ("task", {one.task for one in tested}),
        ("labels", {", ".join(one.names) for one in tested}),
        ("test faces, subjects and labels", {one.faces[:12] for one in tested}),
    ):
        if len(values) > 1:
            raise _cannot(f"two predictors with the same {what}", " and ".join(sorted(values)), fold)


def _cannot(expected: str, found: str, fold: str) -> ResultsError:
    return ResultsError(
        expected=expected,
        found=found,
        where=f"comparison{f', fold {fold}' if fold else ''}",
        action="Compare runs of the same protocol on the same table.",
    )
