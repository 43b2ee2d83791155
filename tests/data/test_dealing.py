from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from norface.data.dealing import deal, label_counts
from small_tables import small_table

Problem = tuple[NDArray[np.float64], dict[str, int], int]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    people, labels = draw(st.integers(1, 40)), draw(st.integers(1, 4))
    alike = draw(st.booleans())  # many subjects with the same counts, or all different
    seed = draw(st.integers(0, 1000))
    counts = np.random.default_rng(seed).integers(0, 2 if alike else 50, (people, labels)).astype(float)
    cuts = sorted(draw(st.lists(st.integers(0, people), min_size=1, max_size=3)))
    ends = [0, *cuts, people]
    return counts, {f"g{k}": b - a for k, (a, b) in enumerate(pairwise(ends))}, seed


@settings(max_examples=60, deadline=None)
@given(problems())
def test_groups_have_their_sizes_whatever_the_labels(problem: Problem) -> None:
    counts, sizes, seed = problem
    groups = deal(counts, sizes, seed=seed)
    found = Counter(groups)
    assert {name: found[name] for name in sizes} == sizes
    assert groups.tolist() == deal(counts, sizes, seed=seed).tolist()


def imbalance(counts: NDArray[np.float64], group: object) -> float:
    """Largest deviation of a label's share in the group `val` from its share of subjects, relative to that."""
    inside = np.array(group) == "val"
    shares = counts[inside].sum(0) / counts.sum(0)
    return float(np.abs(shares / inside.mean() - 1).max())


def test_labels_are_balanced_better_than_by_chance() -> None:
    random = np.random.default_rng(0)
    counts = np.round(random.gamma(1.0, 100.0, (27, 8)))
    sizes = {"val": 5, "train": 22}
    dealt = [imbalance(counts, deal(counts, sizes, seed=seed)) for seed in range(10)]
    chance = []
    for _ in range(200):
        names = np.array(["val"] * 5 + ["train"] * 22)
        random.shuffle(names)
        chance.append(imbalance(counts, names))
    assert np.mean(dealt) < 0.6 * np.mean(chance)


def test_the_seed_chooses_other_people() -> None:
    counts = np.round(np.random.default_rng(0).gamma(1.0, 100.0, (27, 8)))
    found = {tuple(deal(counts, {"val": 4, "train": 23}, seed=seed)) for seed in range(6)}
    assert len(found) >= 4


def test_single_images_are_dealt_in_proportion() -> None:
    """Sets without known people: every image is its own subject."""
    labels = np.repeat(np.arange(3), (9000, 900, 100))
    counts = np.column_stack([np.ones(10_000), *(labels == k for k in range(3))]).astype(float)
    group = np.array(deal(counts, {"val": 1000, "train": 9000}, seed=0))
    assert [int((group[labels == k] == "val").sum()) for k in range(3)] == [900, 90, 10]
    other = np.array(deal(counts, {"val": 1000, "train": 9000}, seed=1))
    assert (group != other).any()


def test_label_counts_count_known_labels_by_subject() -> None:
    table = small_table(["b", "a"], faces=3, emotions=("happy", "sad"), aus=(1,))
    emotion = table.frame["emotion"].copy()
    emotion.iloc[:] = ["happy", "sad", None, "sad", "sad", "happy"]
    present = [1.0, np.nan, 1.0, 0.0, 0.0, 1.0]
    table = table.with_frame(table.frame.assign(emotion=emotion, AU01_c=present))
    codes, counts = label_counts(table, np.arange(6))
    assert codes.tolist() == [1, 1, 1, 0, 0, 0]
    assert counts.tolist() == [[3, 1, 2, 1], [3, 1, 1, 2]]
    assert label_counts(table, np.array([3]))[1].tolist() == [[1, 0, 1, 0]]
    half = table.with_frame(table.frame.assign(success=[1, 1, 0, 0, 0, 0]))
    assert label_counts(half, np.arange(6))[1].tolist() == [[0, 0, 0, 0], [2, 1, 1, 1]]
