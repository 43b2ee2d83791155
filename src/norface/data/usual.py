"""Which folds are usual on which data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from norface.data.folds import Fold, OfficialSplit, OrderedFold, PublishedFold, SeededFold
from norface.data.published import PROTOCOLS, protocol

OFFICIAL: Mapping[str, Literal["test", "val"]] = {
    "rafdb": "test",
    "fer2013": "test",
    "ferplus": "test",
    "affectnet": "val",  # labels of the test set are not public
    "sfew": "val",  # likewise
}
"""Data sets that their owner divided, and the part that papers test on."""

ORDERED: Mapping[str, int] = {"ckplus": 10}
"""Data sets of which groups of subjects, in the order of their names, are left out; 8 groups are common too."""

SEEDED_FOLDS = 5


def usual_folds(
    dataset: str | None,
    *,
    protocol_name: str | None = None,
    groups: int | None = None,
    val: int | float | None = None,
    normalizer_share: float = 0.0,
    seed: int = 0,
) -> dict[str, Fold]:
    """All folds of the protocol that is usual on a data set, by name.

    Args:
        dataset: As in ``norface data prepare --dataset``; None or one without a usual protocol: folds by seed.
        protocol_name: Which of the published partitions; None: the first.
        groups: So many folds in place of the usual ones: in the order of the names on CK+, else by seed.
        val, normalizer_share, seed: See `norface.data.folds.Fold`; val None: the usual share.

    Raises:
        ConfigError: There is no such partition.
    """
    name = dataset or ""
    about: dict[str, Any] = {"normalizer_share": normalizer_share, "seed": seed}
    if val is not None:
        about["val"] = val
    if protocol_name is not None or (name in PROTOCOLS and groups is None):
        lists = protocol(name, protocol_name)
        return {fold: PublishedFold(fold, dataset=name, protocol=lists.name, **about) for fold in lists.folds}
    if name in OFFICIAL and groups is None:
        return {"official": OfficialSplit(test=OFFICIAL[name], **about)}
    if name in ORDERED:
        count = groups if groups is not None else ORDERED[name]
        return {str(k): OrderedFold(k, groups=count, **about) for k in range(1, count + 1)}
    count = groups if groups is not None else SEEDED_FOLDS
    return {str(k): SeededFold(k, folds=count, **about) for k in range(1, count + 1)}
