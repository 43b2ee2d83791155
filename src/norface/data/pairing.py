"""The pairs of a split: its originals with targets and, where known, right answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from norface.data.dataset import PairDataset, face_rows
from norface.data.images import FaceReader, ImageReader, WhereKnown
from norface.data.memory import load_split
from norface.data.pairs import PairDraw, PairPolicy
from norface.imaging.augment import Augmentation


def pair_dataset(
    reader: FaceReader,
    rows: NDArray[np.int64],
    people: pd.Index,
    policy: PairPolicy,
    *,
    augment: Augmentation | None,
    seed: int,
) -> tuple[PairDataset, dict[int, str]]:
    """Pairs for the normalizer.

    Args:
        reader: Reads the images of a table.
        rows: Rows of the split.
        people: A subject's code is its place here.
        policy: Shares of the kinds of pairs.
        augment: Random changes; None: none.
        seed: Which draws.

    Returns:
        The data set, and the error of each row whose images cannot be read.

    Raises:
        ImageError: No row is readable.
        ConfigError: The policy needs a common target, and there is none.
    """
    fixed, known, size = policy.fixed_target > 0, reader.table.knows_normalized, reader.alignment.size
    reads: tuple[ImageReader, ...] = (reader.originals,)
    if fixed and known[rows].any():
        reads = (*reads, WhereKnown(reader.truths, known, size))
    images = load_split(reads, rows, size)
    faces = face_rows(reader.table, images.rows, people)
    pairs = PairDataset(
        faces,
        images.readers[0],
        PairDraw(policy, faces.subjects, seed=seed),
        truth=images.readers[1] if len(reads) > 1 else None,
        known=known[images.rows] if len(reads) > 1 else None,
        target=reader.target() if fixed else None,
        augment=augment,
        seed=seed,
    )
    return pairs, images.bad
