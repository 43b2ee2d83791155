"""Is one better than the other? Paired differences on the same faces, with a bootstrap interval over subjects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from norface.errors import ResultsError
from norface.protocol.sums import Figures, Sums, figures
from norface.protocol.tested import Tested

RESAMPLES, LEVEL = 2_000, 0.95
_AT_ONCE = 4_000_000
"""Weights of subjects that are held in memory at once."""

Pair = tuple[Tested, Tested]


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
        """second - first; above 0 the second is larger."""
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
    seeds = list(next(iter(pairs.values())))
    counted: dict[int, list[tuple[Sums, Sums]]] = {number: [] for number in seeds}
    people, faces, unanswered = [], 0, 0
    for fold, of_fold in pairs.items():
        _check_same([tested for pair in of_fold.values() for tested in pair], fold)
        both = np.logical_and.reduce([tested.answered for pair in of_fold.values() for tested in pair])
        for number in seeds:
            (first, names), (second, _) = (tested.sums(both) for tested in of_fold[number])
            counted[number].append((first, second))
        people.append(len(names))
        faces, unanswered = faces + int(both.sum()), unanswered + int((~both).sum())
    any_tested = next(iter(pairs[next(iter(pairs))].values()))[0]

    def score(weights: Sequence[NDArray[np.float64]], number: int) -> tuple[Figures, Figures]:
        sides = ([np.tensordot(w, pair[k], 1) for w, pair in zip(weights, counted[number], strict=True)] for k in (0, 1))
        first, second = (
            figures(any_tested.task, side, pooled=pooled, labels=any_tested.names) for side in sides
        )
        return first, second

    ones = [np.ones((1, count)) for count in people]
    points = [score(ones, number) for number in seeds]
    spreads: dict[str, list[NDArray[np.float64]]] = {name: [] for name in points[0][0]}
    for weights in _resampled(people, resamples, seed):
        scored = [score(weights, number) for number in seeds]
        for name, found in spreads.items():
            found.append(np.mean([second[name] - first[name] for first, second in scored], 0))
    compared = {}
    for name, found in spreads.items():
        firsts, seconds = (np.array([float(point[k][name][0]) for point in points]) for k in (0, 1))
        low, high = _interval(np.concatenate(found))
        by_seed = tuple(float(value) for value in seconds - firsts)
        compared[name] = Difference(float(firsts.mean()), float(seconds.mean()), low, high, by_seed)
    return Comparison(compared, sum(people), faces, unanswered)


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


def _check_same(tested: Sequence[Tested], fold: str) -> None:
    where = f"comparison{f', fold {fold}' if fold else ''}"
    for what, values in (
        ("task", {one.task for one in tested}),
        ("labels", {", ".join(one.names) for one in tested}),
        ("test faces, subjects and labels", {one.faces[:12] for one in tested}),
    ):
        if len(values) > 1:
            raise ResultsError(
                expected=f"two predictors with the same {what}",
                found=" and ".join(sorted(values)),
                where=where,
                action="Compare runs of the same protocol on the same table.",
            )
