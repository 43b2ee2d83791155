"""Frame subsampling of video sets: neighbouring frames show nearly the same face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from norface.errors import ConfigError


@dataclass(frozen=True)
class EveryNth:
    """Keeps every n-th usable face of a sequence, in the table's order; the first one always.

    Args:
        every: n; 1 keeps all.
        where: ``train``: only the faces that are trained on; ``all``: also those of validation and test, which makes
            figures that nobody else's can be compared with.
    """

    every: int = 1
    where: Literal["train", "all"] = "train"

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ConfigError(
                expected="a whole number of at least 1",
                found=str(self.every),
                where="data.init_args.stride.every",
                action="Use 1 for every frame.",
            )

    def kept(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """``(N,)``: which rows of a table's frame are kept; an unusable row never is."""
        usable = frame["success"] != 0
        place = frame.loc[usable].groupby(sequences(frame.loc[usable]), sort=False).cumcount()
        kept = np.zeros(len(frame), np.bool_)
        kept[usable.to_numpy(bool)] = place.to_numpy() % self.every == 0
        return kept


def sequences(frame: pd.DataFrame) -> list[pd.Series]:
    """What tells the sequences of a table apart: subject, and the column `sequence` or the frames' video or folder.

    `source`, the reference of the image that a face was cut from, goes before `image`.
    """
    if "sequence" in frame.columns:
        return [frame["subject"], frame["sequence"].fillna("")]
    column = "source" if "source" in frame.columns else "image"
    reference = frame[column].astype("str").fillna("")
    numbered = reference.str.contains(r"#\d+$", regex=True)  # frame of a video
    video = reference.str.replace(r"#\d+$", "", regex=True)
    folder = reference.str.replace(r"[^/!]*$", "", regex=True)
    return [frame["subject"], video.where(numbered, folder)]
