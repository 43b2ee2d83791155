"""Where does a variant help? Its figure of merit on parts of the test faces: by head pose, light and person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from norface.protocol.answers import Answers
from norface.protocol.comparing import compare
from norface.protocol.sums import MERIT, Figures, figures
from norface.runs.spread import spread

Grid = Mapping[int, Mapping[str, Answers]]
"""Answers of one variant, by seed and fold."""

_EDGES: Mapping[str, tuple[float, ...]] = {
    "yaw": (10.0, 20.0, 30.0),
    "pitch": (5.0, 10.0),
    "roll": (5.0, 10.0),
    "light_azimuth": (25.0, 50.0),
    "light_ambient": (0.48, 0.57),
    "id_skin_tone": (1 / 3, 2 / 3),
    "id_age": (1 / 3, 2 / 3),
    "id_beard": (0.05,),
}
"""Limits between the slices of an attribute of `norface.labels.ATTRIBUTES`, in its unit, chosen beforehand."""

_ANGLES = ("yaw", "pitch", "roll", "light_azimuth")
"""Attributes whose size counts, not their direction."""


@dataclass(frozen=True)
class Slice:
    """Faces whose attribute lies from `low` (included) to `high` (not included); None = no limit."""

    attribute: str
    low: float | None
    high: float | None

    def among(self, answers: Answers) -> NDArray[np.bool_]:
        """Which faces ``(N,)`` belong to it; one whose attribute is unknown belongs to none."""
        values = answers.attributes[self.attribute]
        values = np.abs(values) if self.attribute in _ANGLES else values
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        return (values >= low) & (values < high)


def slices_of(tested: Sequence[Answers]) -> list[Slice]:
    """The slices of all attributes that are known of every fold's test faces."""
    found = []
    for name, edges in _EDGES.items():
        if tested and all(name in answers.attributes for answers in tested):
            found += [Slice(name, low, high) for low, high in pairwise([None, *edges, None])]
    return found


def sliced(
    part: Slice, variant: Grid, baseline: Grid | None, *, pooled: bool, labels: Sequence[str]
) -> dict[str, Any] | None:
    """Figure of merit of a variant on a slice, and its paired difference to the baseline on the same faces.

    Args:
        part: The slice.
        variant: Answers of the variant; every seed has the same folds.
        baseline: Those of the baseline; None: the variant is the baseline.
        pooled: See `norface.protocol.sums.figures`.
        labels: Names of the outputs.

    Returns:
        ``faces``, ``subjects``, ``figures`` (see `spread`) and ``difference`` (difference, low, high, seeds; None for
        the baseline itself); None where the slice has no face. Folds without a face in it are left out.
    """
    parts = _cut(part, variant)
    if not parts:
        return None
    first = next(iter(parts.values()))
    task = next(iter(first.values())).task
    merit = MERIT[task]

    def figure(answers: Sequence[Answers]) -> float:
        found: Figures = figures(task, [one.sums()[0].sum(0) for one in answers], pooled=pooled, labels=labels)
        return float(found[merit])

    of_seeds = [figure(list(folds.values())) for folds in parts.values()]
    of_folds = [float(np.mean([figure([folds[name]]) for folds in parts.values()])) for name in first]
    return {
        "faces": sum(int(one.answered.sum()) for one in first.values()),
        "subjects": sum(len(one.sums()[1]) for one in first.values()),
        "figures": {merit: spread(of_seeds, of_folds)},
        "difference": None if baseline is None else _difference(parts, _cut(part, baseline), merit, pooled),
    }


def _cut(part: Slice, grid: Grid) -> dict[int, dict[str, Answers]]:
    """Only faces of the slice; folds in which a run has none are left out of all seeds."""
    cut = {seed: {fold: one.among(part.among(one)) for fold, one in folds.items()} for seed, folds in grid.items()}
    empty = {fold for folds in cut.values() for fold, one in folds.items() if not one.answered.any()}
    kept = {seed: {fold: one for fold, one in folds.items() if fold not in empty} for seed, folds in cut.items()}
    return kept if any(kept.values()) else {}


def _difference(
    variant: Mapping[int, Mapping[str, Answers]],
    baseline: Mapping[int, Mapping[str, Answers]],
    merit: str,
    pooled: bool,
) -> dict[str, Any] | None:
    seeds = [seed for seed in variant if seed in baseline]
    folds = [fold for fold in variant[seeds[0]] if fold in baseline[seeds[0]]] if seeds else []
    pairs = {fold: {seed: (baseline[seed][fold], variant[seed][fold]) for seed in seeds} for fold in folds}
    if not pairs or any(not (a.answered & b.answered).any() for pair in pairs.values() for a, b in pair.values()):
        return None
    found = compare(pairs, pooled=pooled).figures[merit]
    return {"difference": found.difference, "low": found.low, "high": found.high, "seeds": seeds}
