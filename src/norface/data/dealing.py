"""Dealing subjects to groups of fixed sizes, so that every group shows about the same mix of labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from norface.data.table import FaceTable

Counts = NDArray[np.float64]

TRIES, FEW = 16, 500
"""Orders that are tried, and up to how many subjects; many subjects balance out in any order."""


def label_counts(table: FaceTable, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], Counts]:
    """What is to be balanced: usable faces, and those of each emotion and with each action unit present, by subject.

    Args:
        table: The face table.
        rows: Whose subjects.

    Returns:
        The subject of each of these rows, numbered in the order of their names, and the subjects' counts
        ``(subjects, 1 + emotions + action units)``; unknown labels count nowhere.
    """
    codes, names = pd.factorize(table.frame["subject"].iloc[rows], sort=True)
    usable = (table.frame["success"].to_numpy()[rows] != 0).astype(np.float64)
    emotions = table.emotion_codes()[rows]
    columns = [usable, *(usable * (emotions == code) for code in range(len(table.meta.emotions)))]
    columns += list(usable * (table.occurrence()[rows] == 1).T)
    sums = [np.bincount(codes, weights=column, minlength=len(names)) for column in columns]
    return codes.astype(np.int64), np.column_stack(sums)


def deal(counts: Counts, sizes: Mapping[str, int], *, seed: int) -> NDArray[Any]:
    """Give every subject a group: the sizes exactly, the labels as evenly as a greedy choice manages.

    Subjects that are alike (in sets without known people every image is its own subject) are dealt out in proportion.
    The others follow in a random order, each to the group in which it lets labels deviate least from that group's
    share, by the chi-squared distance; of several orders the best is taken. Not optimal, but quick and reproducible.

    Args:
        counts: ``(N, L)`` label counts of each subject, at least 0.
        sizes: Subjects of each group; they sum to N.
        seed: Which order.

    Returns:
        ``(N,)`` text: name of the group of each subject.
    """
    size = np.array(list(sizes.values()), np.int64)
    assert size.sum() == len(counts) and (size >= 0).all(), "sizes must cover the subjects"
    totals = counts.sum(0)
    weights = counts[:, totals > 0] / totals[totals > 0]  # every label weighs the same, however rare
    random = np.random.default_rng(seed)
    order = random.permutation(len(counts))
    group = np.full(len(counts), -1, np.int64)
    group[order] = _in_proportion(counts[order], size)
    left = order[group[order] < 0]
    tries = [left] + [random.permutation(left) for _ in range(TRIES - 1 if 1 < len(left) <= FEW else 0)]
    placed = np.flatnonzero(group >= 0)
    held = np.zeros((len(size), weights.shape[1]))
    np.add.at(held, group[placed], weights[placed])
    room = size - np.bincount(group[placed], minlength=len(size))
    dealt = [_greedily(weights[some], held.copy(), room.copy(), size / size.sum()) for some in tries]
    best = min(range(len(tries)), key=lambda number: dealt[number][0])
    group[tries[best]] = dealt[best][1]
    return np.array(list(sizes), object)[group]


def _in_proportion(counts: Counts, size: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups of those of whom there are enough with the same counts; -1 for the rest."""
    total = len(counts)
    alike = pd.DataFrame(counts).groupby(list(range(counts.shape[1])), sort=False)
    kind = alike.ngroup().to_numpy()
    place = alike.cumcount().to_numpy()
    many = np.bincount(kind)
    ends = np.cumsum(many[:, None] * size // total, axis=1)  # (kinds, groups)
    group = (place[:, None] >= ends[kind]).sum(1)
    return np.where(group < len(size), group, -1).astype(np.int64)


def _greedily(
    weights: Counts, held: Counts, room: NDArray[np.int64], share: NDArray[np.float64]
) -> tuple[float, list[int]]:
    """Deals subjects in the given order; returns how far the labels are from even in the end, and everyone's group."""
    usable, groups = np.maximum(share, 1e-12), []
    for own in weights:
        cost = (2 * (held - share[:, None]) @ own + own @ own) / usable
        cost[room <= 0] = np.inf
        chosen = int(np.argmin(cost))
        held[chosen] += own
        room[chosen] -= 1
        groups.append(chosen)
    return float((np.square(held - share[:, None]).sum(1) / usable).sum()), groups
