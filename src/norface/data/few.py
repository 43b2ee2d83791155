"""Fewer labelled people to learn from: how a classifier's accuracy grows with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from norface.errors import ConfigError, SplitError


@dataclass(frozen=True)
class FewSubjects:
    """Some of the training subjects, drawn at random; of one seed, fewer are always among more.

    Validation and test subjects stay as they are.

    Args:
        count: How many people train.
        seed: Which.
    """

    count: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ConfigError(
                expected="a whole number of at least 1",
                found=str(self.count),
                where="data.init_args.few_subjects.count",
                action="Leave few_subjects out to train on everybody.",
            )

    def kept(self, subjects: pd.Series, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """``(N,)``: which rows of a table show somebody who trains.

        Args:
            subjects: ``(N,)`` names.
            rows: Usable training faces; who has none is not drawn.

        Raises:
            SplitError: There are fewer than `count`.
        """
        people = sorted(set(subjects.iloc[rows]))
        if len(people) < self.count:
            raise SplitError(
                expected=f"{self.count} training subjects with usable faces",
                found=f"{len(people)}",
                where="data.init_args.few_subjects",
                action="Ask for fewer, or leave few_subjects out to train on everybody.",
            )
        chosen = np.random.default_rng(self.seed).permutation(np.array(people, object))[: self.count]
        return subjects.isin(set(chosen)).to_numpy(bool)
