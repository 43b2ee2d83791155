"""How often labels occur among some rows of a table, and for how many of them they are known."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from norface.data.table import FaceTable

Rows = NDArray[np.int64]


def class_counts(table: FaceTable, rows: Rows) -> tuple[int, ...]:
    """Faces that show each emotion."""
    codes = table.emotion_codes()[rows]
    return tuple(int((codes == code).sum()) for code in range(len(table.meta.emotions)))


def occurrence_rates(table: FaceTable, rows: Rows) -> tuple[float, ...]:
    """Share of faces that show each AU, among those labelled; NaN = none is."""
    labels = table.occurrence()[rows]
    known = np.isfinite(labels).sum(axis=0)
    return tuple(float(p) for p in np.where(known > 0, np.nansum(labels, axis=0) / np.maximum(known, 1), np.nan))


def known_counts(table: FaceTable, rows: Rows, kind: Literal["c", "r"]) -> tuple[int, ...]:
    """Faces whose occurrence (c) or intensity (r) of each AU is known."""
    labels = table.occurrence() if kind == "c" else table.intensity()
    return tuple(np.isfinite(labels[rows]).sum(axis=0).tolist())
