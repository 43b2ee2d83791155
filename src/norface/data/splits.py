"""Subject-exclusive splits: nobody stands on two sides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from norface.data.table import FaceTable
from norface.errors import SplitError

DEFAULT_SHARES: Mapping[str, float] = {"normalizer": 0.60, "train": 0.15, "val": 0.05, "test": 0.20}
"""Shares of subjects. Many unlabelled people make a good normalizer; the classifier's labels are scarce."""


def assign_splits(table: FaceTable, shares: Mapping[str, int | float] = DEFAULT_SHARES, *, seed: int = 0) -> FaceTable:
    """A table whose `split` column assigns whole subjects, shuffled by `seed`.

    Normalizer subjects are disjoint from the classifier's like all splits are: a normalizer is better on faces of
    people it was trained on, and a classifier trained on those would trust normalized faces too much.

    Args:
        table: The face table; an existing `split` column is replaced.
        shares: For each split a whole number of subjects, or a share (float) of the subjects that the whole numbers
            leave; shares that sum to less than 1 leave the rest without a split (an empty name).
        seed: Which shuffle.

    Raises:
        SplitError: There are too few subjects, or a share is negative or the shares exceed 1.
    """
    subjects = sorted(table.frame["subject"].unique())
    order = np.random.default_rng(seed).permutation(len(subjects))
    counts = _counts(shares, len(subjects))
    names = [name for name, count in counts.items() for _ in range(count)]
    names += [""] * (len(subjects) - len(names))
    split = pd.Series(names, index=[subjects[k] for k in order], dtype="str")
    column = split.reindex(table.frame["subject"]).set_axis(table.frame.index)
    return table.with_frame(table.frame.assign(split=column))


def _counts(shares: Mapping[str, int | float], total: int) -> dict[str, int]:
    # Configuration files may turn 80 into 80.0; no share is above 1.
    fixed = {name: int(n) for name, n in shares.items() if isinstance(n, int) or (n > 1 and n == int(n))}
    left = total - sum(fixed.values())
    parts = {name: share for name, share in shares.items() if name not in fixed}
    if any(n < 0 for n in shares.values()) or sum(parts.values()) > 1.0 + 1e-9 or left < 0:
        raise SplitError(
            expected=f"counts that sum to at most {total} subjects and shares that sum to at most 1",
            found=", ".join(f"{name}: {n:g}" for name, n in shares.items()),
            where="splits",
            action="Correct the counts and shares of `splits`.",
        )
    # Rounding the running sum spends every subject exactly once.
    ends = np.rint(np.cumsum(list(parts.values())) * left).astype(int) if parts else np.zeros(0, int)
    sizes = dict(zip(parts, np.diff(ends, prepend=0).tolist(), strict=True))
    counts = {name: int(fixed.get(name, sizes.get(name, 0))) for name in shares}
    empty = [name for name in shares if counts[name] == 0]
    if empty:
        raise SplitError(
            expected="at least one subject in every split",
            found=f"none in {', '.join(empty)} ({total} subjects in all)",
            where="splits",
            action="Use more subjects or larger shares.",
        )
    return counts


def check_subject_exclusive(table: FaceTable) -> None:
    """No subject has rows in two splits; rows without a split do not count.

    Raises:
        SplitError: One has; names the first.
    """
    assigned = table.frame[table.frame["split"] != ""]
    sides_of = assigned.groupby("subject")["split"].nunique()
    both = sorted(str(name) for name in sides_of.index[sides_of > 1])
    if both:
        sides = sorted(set(assigned.loc[assigned["subject"] == both[0], "split"]))
        raise SplitError(
            expected="every subject in one split only",
            found=f"{len(both)} in several, the first {both[0]!r} in {' and '.join(sides)}",
            where=f"column split of the face table in {table.root}",
            action="Assign whole subjects, or remove the column and let the data module's `splits` do it.",
        )


def check_not_empty(table: FaceTable, splits: Iterable[str]) -> None:
    """Every named split has usable rows.

    Raises:
        SplitError: One has none.
    """
    usable = table.frame[table.frame["success"] != 0]
    present = usable["split"].value_counts().to_dict()
    for split in splits:
        if not present.get(split):
            names = ", ".join(f"{name} ({n})" for name, n in present.items() if name) or "no split at all"
            raise SplitError(
                expected=f"usable faces in the split {split!r}",
                found=f"none; there are {names}",
                where=f"face table in {table.root}",
                action="Name another split, correct the column `split`, or change the shares in `splits`.",
            )
