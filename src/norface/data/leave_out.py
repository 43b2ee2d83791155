"""Training without one part of the people, so that somebody has not seen them: for cross-fitted normalizers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from norface.errors import ConfigError, SplitError


@dataclass(frozen=True)
class LeaveOut:
    """The training subjects but one of K parts; the parts are of equal size, drawn at random, and do not overlap.

    Args:
        part: Which part is left out, from 1.
        parts: K.
        seed: Which division; runs that belong together need the same.
    """

    part: int
    parts: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.parts < 2 or not 1 <= self.part <= self.parts:
            raise ConfigError(
                expected="at least 2 parts, and one of them by its number, from 1",
                found=f"part {self.part} of {self.parts}",
                where="data.init_args.leave_out",
                action="Correct the numbers.",
            )

    def kept(self, subjects: pd.Series, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """``(N,)``: which rows of a table do not show somebody who is left out.

        Args:
            subjects: ``(N,)`` names.
            rows: Usable training faces.

        Raises:
            SplitError: There are fewer people than parts.
        """
        people = sorted(set(subjects.iloc[rows]))
        if len(people) < self.parts:
            raise SplitError(
                expected=f"a training subject with usable faces in each of {self.parts} parts",
                found=f"{len(people)} subjects",
                where="data.init_args.leave_out",
                action="Divide them into fewer parts.",
            )
        dealt = np.random.default_rng(self.seed).permutation(np.array(people, object))
        return ~subjects.isin(set(dealt[self.part - 1 :: self.parts])).to_numpy(bool)
