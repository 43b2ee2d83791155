"""Who trains, who is watched, who is tested: folds that turn a table into one with a column `split`.

All of them keep subjects whole, carve validation subjects out of the training subjects, and never look at the test
subjects for anything else than leaving them out. With `normalizer_share` a part of the *training* subjects is set
apart for teachers and normalizer (split ``normalizer``); without it these are trained on the split ``train`` itself.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from norface.data.dealing import deal, label_counts
from norface.data.published import Protocol, protocol
from norface.data.splits import check_subject_exclusive
from norface.data.subjects import APART, FOLD, SHARED
from norface.data.table import FaceTable
from norface.errors import ConfigError, SplitError
from norface.people import dataset_of

_log = logging.getLogger(__name__)

Sides = NDArray[Any]
"""``(N,)`` text: ``train``, ``val``, ``test`` or empty (left out) for every row of a table."""


class Fold(ABC):
    """Base of all folds.

    Args:
        val: Validation subjects, a whole number or a share of the training subjects; carved from these at random,
            balanced by emotions and action units, where the fold itself names none.
        normalizer_share: Share of the training subjects that train teachers and normalizer and not the classifier.
            0: these are trained on the classifier's training subjects (`train_split: train`).
        seed: Which subjects are carved.
    """

    def __init__(self, *, val: int | float, normalizer_share: float, seed: int) -> None:
        if val <= 0 or (val > 1 and val != int(val)) or not 0 <= normalizer_share < 1:
            raise ConfigError(
                expected="val above 0 (whole subjects, or a share of them) and normalizer_share from 0 to below 1",
                found=f"val {val:g}, normalizer_share {normalizer_share:g}",
                where=type(self).__name__,
                action="Correct them. Validation subjects come from the training subjects, never from the test.",
            )
        self.val, self.normalizer_share, self.seed = val, normalizer_share, seed

    @abstractmethod
    def sides(self, table: FaceTable) -> Sides:
        """Which rows train and which are tested, before anything is carved."""

    @abstractmethod
    def describe(self) -> dict[str, object]:
        """The fold as plain data, for the protocol of results."""

    def assign(self, table: FaceTable) -> FaceTable:
        """The table with a column `split` that says ``normalizer``, ``train``, ``val``, ``test`` or nothing.

        The fold is written into the provenance, so that a saved table tells it too.

        Raises:
            SplitError: Subjects are missing, unknown to the fold or on two sides, or too few to carve from.
            ConfigError: The fold does not exist.
        """
        sides = self._carve(table, self.sides(table))
        assigned = table.with_frame(table.frame.assign(split=pd.Series(sides.astype(object)).astype("str")))
        about = {**table.meta.provenance, FOLD: self.describe()}
        assigned = replace(assigned, meta=replace(table.meta, provenance=about))
        check_subject_exclusive(assigned)
        return assigned

    def _carve(self, table: FaceTable, sides: Sides) -> Sides:
        rows = np.flatnonzero(sides == "train")
        codes, counts = label_counts(table, rows)
        dealt = counts[:, 0] > 0  # who has no usable face would be no use anywhere
        people = int(dealt.sum())
        sizes = {"normalizer": _part(self.normalizer_share, people)} if self.normalizer_share else {}
        if not (sides == "val").any():
            sizes["val"] = _part(self.val, people - sum(sizes.values()))
        sizes["train"] = people - sum(sizes.values())
        if sizes["train"] < 1:
            raise SplitError(
                expected="training subjects that are left when the others are carved from them",
                found=f"{people} training subjects, of whom {_words(sizes)}",
                where=f"{type(self).__name__} on the face table in {table.root}",
                action="Lower val or normalizer_share, or use more subjects.",
            )
        group = np.full(len(counts), "train", object)
        group[dealt] = deal(counts[dealt], sizes, seed=self.seed)
        carved = sides.astype(object)
        carved[rows] = group[codes]
        return carved

    def _described(self, **own: object) -> dict[str, object]:
        about = {"val": self.val, "normalizer_share": self.normalizer_share, "seed": self.seed}
        return {"kind": type(self).__name__, **own, **about, "normalizer": APART if self.normalizer_share else SHARED}


def _part(share: int | float, people: int) -> int:
    """A number of subjects, or a share of them; at least one, and one is left where there are two."""
    if share >= 1:
        return int(share)
    return int(np.clip(round(share * people), 1, max(people - 1, 1)))


def _words(sizes: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sizes.items() if name != "train") + " are wanted"


class PublishedFold(Fold):
    """A fold that other people have published results on; see `norface.data.published`.

    Args:
        fold: Name of the tested part (``part3``), or an author's number (``me-graphau-1``).
        dataset: Whose lists; None: the data set that the table's provenance names.
        protocol: Which of its partitions; None: the data set's first (BP4D: three-fold, not fera-2015).
        val, normalizer_share, seed: See `Fold`.
    """

    def __init__(
        self,
        fold: str,
        *,
        dataset: str | None = None,
        protocol: str | None = None,
        val: int | float = 0.15,
        normalizer_share: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__(val=val, normalizer_share=normalizer_share, seed=seed)
        self.fold, self.dataset, self.protocol = fold, dataset, protocol

    def sides(self, table: FaceTable) -> Sides:
        """The fold's part is tested, the others train.

        Raises:
            SplitError: The table shows somebody whom the lists do not name.
        """
        lists = self._lists(dataset_of(table.meta.provenance))
        tested = lists.tested(self.fold)
        side = {name: "test" if part == tested else "train" for part, who in lists.parts.items() for name in who}
        found = table.frame["subject"].map(side)
        unknown = sorted(set(table.frame.loc[found.isna(), "subject"]))
        if unknown:
            raise SplitError(
                expected=f"subjects that {lists.dataset}, {lists.name} lists, such as {lists.subjects[0]}",
                found=f"{len(unknown)} others: {', '.join(unknown[:10])}{' ...' if len(unknown) > 10 else ''}",
                where=f"face table in {table.root}",
                action="Correct the names or remove these rows, or use norface.data.SeededFold.",
            )
        absent = sorted(set(lists.subjects) - set(table.frame["subject"]))
        if absent:
            _log.warning("%d subjects of %s are not in the table: %s", len(absent), lists.dataset, ", ".join(absent))
        return found.to_numpy(object)

    def _lists(self, named: str | None) -> Protocol:
        if self.dataset is not None and named not in (None, self.dataset):
            raise SplitError(
                expected=f"a table of {self.dataset}",
                found=f"one of {named}",
                where="PublishedFold",
                action="Give the fold's own data set: other data sets have other people of the same names.",
            )
        if self.dataset is None and named is None:
            raise ConfigError(
                expected="the name of the data set, because the table does not tell it",
                found="none",
                where="PublishedFold, dataset",
                action="Set it, such as dataset: disfa.",
            )
        return protocol(self.dataset or str(named), self.protocol)

    def describe(self) -> dict[str, object]:
        """The fold as plain data."""
        return self._described(fold=self.fold, dataset=self.dataset, protocol=self.protocol)


class OfficialSplit(Fold):
    """The owner's own division, which the reader put into the column `split`: RAF-DB, AffectNet, FER2013, SFEW.

    Args:
        test: Which of the owner's parts is tested. ``val`` where the owner's test labels are not public (AffectNet,
            SFEW): then validation faces are carved from the training part, and a part `test` is left out.
        val, normalizer_share, seed: See `Fold`.
    """

    def __init__(
        self,
        *,
        test: Literal["test", "val"] = "test",
        val: int | float = 0.1,
        normalizer_share: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__(val=val, normalizer_share=normalizer_share, seed=seed)
        self.test = test

    def sides(self, table: FaceTable) -> Sides:
        """The column `split`, with the chosen part as the test.

        Raises:
            SplitError: The table has no such column, or nothing to train or test on.
        """
        found = table.frame["split"].to_numpy(object) if "split" in table.frame.columns else np.array([""] * len(table))
        missing = [name for name in ("train", self.test) if not (found == name).any()]
        if missing:
            raise SplitError(
                expected=f"a column split with faces in train and {self.test}",
                found=f"none in {' and '.join(missing)}",
                where=f"face table in {table.root}",
                action="Set test to val where the data set has no public test labels, or choose another kind of fold.",
            )
        kept = ("train", "val", "test") if self.test == "test" else ("train", "val")
        sides = np.where(np.isin(found.astype(str), kept), found, "")
        return np.where(sides == self.test, "test", sides)

    def describe(self) -> dict[str, object]:
        """The fold as plain data."""
        return self._described(test=self.test)


class OrderedFold(Fold):
    """Every n-th subject in the order of their names is tested: leave one group of subjects out.

    The usual protocol on CK+, with 8 or 10 groups. Papers publish no lists of them: the groups depend on which subjects
    are in the table.

    Args:
        fold: Which group is tested, from 1.
        groups: How many there are.
        val, normalizer_share, seed: See `Fold`.
    """

    def __init__(
        self, fold: int, *, groups: int = 10, val: int | float = 0.1, normalizer_share: float = 0.0, seed: int = 0
    ) -> None:
        super().__init__(val=val, normalizer_share=normalizer_share, seed=seed)
        self.fold, self.groups = fold, groups
        _check_number(fold, groups, type(self).__name__)

    def sides(self, table: FaceTable) -> Sides:
        """One group is tested, the others train.

        Raises:
            SplitError: There are fewer subjects than groups.
        """
        people = sorted(set(table.frame["subject"]))
        _check_enough(len(people), self.groups, table)
        side = {name: "test" if place % self.groups == self.fold - 1 else "train" for place, name in enumerate(people)}
        return table.frame["subject"].map(side).to_numpy(object)

    def describe(self) -> dict[str, object]:
        """The fold as plain data."""
        return self._described(fold=self.fold, groups=self.groups)


class SeededFold(Fold):
    """One of K folds of equally many subjects, dealt by seed and balanced by label; for everything without a standard.

    Args:
        fold: Which fold is tested, from 1.
        folds: K.
        val, normalizer_share: See `Fold`.
        seed: Which partition, and which subjects are carved; the K folds of one partition have the same.
    """

    def __init__(
        self, fold: int, *, folds: int = 5, val: int | float = 0.1, normalizer_share: float = 0.0, seed: int = 0
    ) -> None:
        super().__init__(val=val, normalizer_share=normalizer_share, seed=seed)
        self.fold, self.folds = fold, folds
        _check_number(fold, folds, type(self).__name__)

    def sides(self, table: FaceTable) -> Sides:
        """One fold is tested, the others train.

        Raises:
            SplitError: There are fewer subjects than folds.
        """
        codes, counts = label_counts(table, np.arange(len(table), dtype=np.int64))
        _check_enough(len(counts), self.folds, table)
        sizes = {str(k + 1): (len(counts) + k) // self.folds for k in range(self.folds)}
        tested = deal(counts, sizes, seed=self.seed) == str(self.fold)
        return np.where(tested[codes], "test", "train").astype(object)

    def describe(self) -> dict[str, object]:
        """The fold as plain data."""
        return self._described(fold=self.fold, folds=self.folds)


def _check_number(fold: int, folds: int, where: str) -> None:
    if folds < 2 or not 1 <= fold <= folds:
        raise ConfigError(
            expected="at least 2 folds, and one of them by its number, from 1",
            found=f"fold {fold} of {folds}",
            where=where,
            action="Correct the number.",
        )


def _check_enough(people: int, folds: int, table: FaceTable) -> None:
    if people < folds:
        raise SplitError(
            expected=f"at least one subject in each of {folds} folds",
            found=f"{people} subjects",
            where=f"face table in {table.root}",
            action="Use fewer folds.",
        )
