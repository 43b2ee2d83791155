"""Cross-data-set protocols: train on one data set, test on another, on the labels that both have."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from norface.data.folds import Fold, Sides
from norface.data.mixing import mix
from norface.data.subjects import APART, FOLD, SHARED, people
from norface.data.table import FaceTable
from norface.errors import ConfigError, SplitError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Crossing:
    """A pair of data sets and what is compared.

    Args:
        source: Data set that is trained on.
        target: Data set that is tested on.
        emotions: Common classes, in their order; empty for action units.
        aus: Common action units; empty for emotions.
    """

    source: str
    target: str
    emotions: tuple[str, ...] = ()
    aus: tuple[int, ...] = ()


FER_CLASSES = ("surprise", "fear", "disgust", "happy", "sad", "anger", "neutral")
"""The common classes in the order of the CD-FER benchmark (Chen et al. 2021): its own 0 to 6."""

FER_TARGETS = ("ckplus", "sfew", "fer2013", "expw", "affectnet")
BP4D_AND_DISFA = (1, 2, 4, 6, 12)
DISFA_PLUS_AUS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)

CROSSINGS: tuple[Crossing, ...] = (
    Crossing("bp4d", "disfa", aus=BP4D_AND_DISFA),
    Crossing("disfa", "bp4d", aus=BP4D_AND_DISFA),
    Crossing("disfa", "disfa_plus", aus=DISFA_PLUS_AUS),
    *(Crossing("rafdb", target, emotions=FER_CLASSES) for target in FER_TARGETS),
)


def crossing(source: str, target: str) -> Crossing:
    """The known protocol of a pair of data sets.

    Raises:
        ConfigError: There is none.
    """
    for known in CROSSINGS:
        if (known.source, known.target) == (source, target):
            return known
    raise ConfigError(
        expected="a known pair: " + ", ".join(f"{known.source} to {known.target}" for known in CROSSINGS),
        found=f"{source} to {target}",
        where="cross-data-set protocol",
        action="Name the emotions or action units that are compared (emotions, aus).",
    )


class TrainingOnly(Fold):
    """Everybody trains, nobody is tested; a part that is called ``test`` is left out.

    Args:
        val: Validation subjects, where the table has none; see `Fold`.
        seed: Which.
    """

    def __init__(self, *, val: int | float = 0.1, seed: int = 0) -> None:
        super().__init__(val=val, normalizer_share=0.0, seed=seed)

    def sides(self, table: FaceTable) -> Sides:
        """All rows train, or those that the table's own column says."""
        if "split" not in table.frame.columns:
            return np.array(["train"] * len(table), object)
        return table.frame["split"].mask(table.frame["split"] == "test", "").to_numpy(object)

    def describe(self) -> dict[str, object]:
        """The fold as plain data."""
        return self._described()


def cross(
    source: tuple[str, FaceTable],
    target: tuple[str, FaceTable],
    *,
    emotions: Sequence[str] | None = None,
    aus: Sequence[int] | None = None,
    target_split: str | None = None,
    val: int | float = 0.1,
    seed: int = 0,
) -> FaceTable:
    """One table that trains on a data set and tests on another, on common labels.

    Splits `normalizer`, `train` and `val` of the source are kept, its `test` is left out; where it has no validation
    subjects, they are carved from its training subjects. People of the source whom the target shows too (DISFA+ shows
    people of DISFA) are left out of the source.

    Args:
        source: Name and table of the data set to train on.
        target: Name and table of the data set to test on.
        emotions, aus: What is compared; None: what the known protocol of this pair says.
        target_split: Which of the target's parts is tested; None: all of it.
        val: Validation subjects of the source; see `Fold`.
        seed: Which.

    Raises:
        ConfigError: There is no known protocol of this pair, and no labels are named.
        TableError, AlignmentError, SplitError: The tables cannot be mixed, or nothing is left.
    """
    if emotions is None and aus is None:
        known = crossing(source[0], target[0])
        emotions, aus = known.emotions or None, known.aus or None
    trained, left_out = _without(source, target)
    trained = TrainingOnly(val=val, seed=seed).assign(trained)
    mixed = mix({source[0]: trained, target[0]: _tested(target[1], target_split)}, emotions=emotions, aus=aus)
    about: dict[str, object] = {
        "kind": "crossing",
        "source": source[0],
        "target": target[0],
        "target_split": target_split,
        "val": val,
        "seed": seed,
        "people_left_out": left_out,
        "normalizer": APART if (trained.frame["split"] == "normalizer").any() else SHARED,
    }
    return replace(mixed, meta=replace(mixed.meta, provenance={**mixed.meta.provenance, FOLD: about}))


def _without(source: tuple[str, FaceTable], target: tuple[str, FaceTable]) -> tuple[FaceTable, list[str]]:
    of_source, of_target = people(source[1], source[0]), people(target[1], target[0])
    both = of_source.isin(set(of_target))
    names = sorted(set(of_source[both]))
    if not names:
        return source[1], []
    _log.warning("%d people of %s are in %s too and are not trained on: %s", len(names), source[0], target[0], names)
    frame = source[1].frame[~both]
    if frame.empty:
        raise SplitError(
            expected=f"people in {source[0]} who are not in {target[0]}",
            found="none",
            where="cross-data-set protocol",
            action="Train on another data set.",
        )
    return source[1].with_frame(frame), names


def _tested(table: FaceTable, split: str | None) -> FaceTable:
    if split is None:
        tested = pd.Series(["test"] * len(table), dtype="str")
    elif "split" not in table.frame.columns or not (table.frame["split"] == split).any():
        raise SplitError(
            expected=f"faces in the split {split!r}",
            found="none",
            where=f"face table in {table.root}",
            action="Name another one, or none to test on all of them.",
        )
    else:
        tested = table.frame["split"].where(table.frame["split"] == split, "").replace(split, "test").astype("str")
    return table.with_frame(table.frame.assign(split=tested))
