"""Which faces a prediction or a test is asked for, and what is known of each before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from norface.cache import NormalizedCache
from norface.data.table import FaceTable
from norface.labels import ATTRIBUTES, au_column

QUALITY = ["identity_to_target", "expression_distance"]


def asked_for(
    table: FaceTable, bad_faces: Mapping[str, str], *, cache: NormalizedCache | None, splits: Sequence[str] | None
) -> pd.DataFrame:
    """One row per face, in the table's order.

    Args:
        table: The face table.
        bad_faces: Reason for each face that could not be read or normalized, as far as it is known.
        cache: Where the normalized faces come from; None: from nowhere.
        splits: Whose faces; None: all.

    Returns:
        ``face_id``, ``subject``, ``split``, ``success`` (0 or 1), ``error`` (empty or the reason), and with a cache
        ``identity_to_target`` and ``expression_distance`` of the normalized face, NaN = unknown.
    """
    rows = table.frame if splits is None else table.frame[table.frame["split"].isin(splits)]
    faces = rows[["face_id", "subject", "split"]].reset_index(drop=True)
    error = faces["face_id"].map(dict(bad_faces)).astype("str")
    unusable = (rows["success"] == 0).reset_index(drop=True) & error.isna()
    faces["error"] = error.mask(unusable, "success is 0 in the face table").fillna("")
    faces.insert(3, "success", (faces["error"] == "").astype("int8"))
    if cache is not None:
        quality = cache.frame()[["face_id", *QUALITY]]
        faces = faces.merge(quality, on="face_id", how="left", validate="one_to_one")
    return faces


def with_labels(faces: pd.DataFrame, table: FaceTable, rows: NDArray[np.int64]) -> pd.DataFrame:
    """The faces of these rows of the table, in its order, with what else is known of them.

    Returns:
        ``true_<label>`` for each label column of the table, then those columns of `norface.labels.ATTRIBUTES` that it
        has.
    """
    aus = [au_column(au, kind) for kind in "cr" for au in table.meta.aus]
    known = [name for name in ("emotion", *aus) if name in table.frame.columns]
    attributes = [name for name in ATTRIBUTES if name in table.frame.columns]
    labels = table.frame.loc[rows, ["face_id", *known, *attributes]]
    labels = labels.rename(columns={name: f"true_{name}" for name in known})
    return faces.merge(labels, on="face_id", how="inner", validate="one_to_one")
