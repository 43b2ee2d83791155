"""Triplets: which of three faces shows another expression than the other two, as people (or action units) say."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from norface.data.table import FaceTable, read_rows
from norface.errors import TableError
from norface.labels import MAX_INTENSITY
from norface.samples import Triplets

_log = logging.getLogger(__name__)

FACES = ("a", "b", "c")
MARGINS: Mapping[str, float] = {"ONE_CLASS_TRIPLET": 0.1, "TWO_CLASS_TRIPLET": 0.2, "THREE_CLASS_TRIPLET": 0.2}
"""FEC's types, by how many emotions the three faces show, and their margins (Vemulapalli and Agarwala 2019)."""
USUAL_MARGIN = 0.2
CLEAR = 0.8
"""Action units decide where the distance of the two alike is at most this share of the second smallest one."""

_IN_ORDER = np.array([[1, 2, 0], [0, 2, 1], [0, 1, 2]])  # by the odd one: the other two, then itself


def read_triplets(path: Path, table: FaceTable, roles: Mapping[str, NDArray[np.int64]]) -> dict[str, Triplets]:
    """Comparisons of faces of a table, in FEC's form (Vemulapalli and Agarwala 2019).

    Columns: ``a``, ``b``, ``c``, the `face_id` of three faces; ``odd``, 1, 2 or 3: which of them is least like the
    other two; ``type``, optional, one of `MARGINS`: without it every margin is `USUAL_MARGIN`.

    Triplets that name faces which the table does not have, or people of different splits, are left out and counted in
    a warning: of public lists, many pictures are no longer to be had.

    Args:
        path: CSV or Parquet file.
        table: With splits.
        roles: Rows of the table whose triplets are wanted, by the name that they get.

    Raises:
        TableError: A column is missing, a value is wrong, a face stands twice in a triplet, or none is left.
    """
    frame = _checked(read_rows(path, (*FACES, "type")), str(path))
    rows = np.column_stack([pd.Index(table.frame["face_id"]).get_indexer(frame[name]) for name in FACES])
    rows = np.take_along_axis(rows, _IN_ORDER[frame["odd"].to_numpy(np.int64) - 1], axis=1)
    unknown = (rows < 0).any(axis=1)
    splits = pd.factorize(table.frame["split"])[0][rows]
    crossing = ~unknown & (splits != splits[:, :1]).any(axis=1)
    if unknown.any() or crossing.any():
        _log.warning(
            "%s: of %d triplets, %d name faces that the table does not have and %d people of different splits; these "
            "are left out.",
            *(path, len(rows), unknown.sum(), crossing.sum()),
        )
    margins = np.full(len(rows), USUAL_MARGIN) if "type" not in frame.columns else frame["type"].map(MARGINS).to_numpy()
    names = table.frame["face_id"].to_numpy()
    found = {}
    for role, wanted in roles.items():
        kept = ~unknown & ~crossing & np.isin(rows, wanted).all(axis=1)
        faces = [(str(a), str(b), str(odd)) for a, b, odd in names[rows[kept]]]
        found[role] = Triplets(faces, torch.from_numpy(margins[kept].astype(np.float32)))
    if not any(triplets.faces for triplets in found.values()):
        raise TableError(
            expected=f"triplets whose three faces stand in one of the splits for {', '.join(roles)}",
            found=f"none among {len(rows)}; {unknown.sum()} name unknown faces, {crossing.sum()} cross splits",
            where=str(path),
            action="The columns a, b and c hold the face_id of the table's faces: correct them, or the splits.",
        )
    return found


def _checked(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    missing = [name for name in (*FACES, "odd") if name not in frame.columns]
    if missing:
        raise TableError(
            expected="the columns a, b, c (face_id of three faces) and odd (1, 2 or 3)",
            found=f"no column {', '.join(missing)}",
            where=where,
            action="Add the column.",
        )
    frame = frame.assign(**{name: frame[name].astype("str") for name in FACES})
    twice = (frame["a"] == frame["b"]) | (frame["a"] == frame["c"]) | (frame["b"] == frame["c"])
    _refuse(twice, frame["a"] + ", " + frame["b"] + ", " + frame["c"], "three different faces in a triplet", where)
    _refuse(~frame["odd"].isin((1, 2, 3)), frame["odd"], "1, 2 or 3 in the column odd", where)
    if "type" in frame.columns:
        _refuse(~frame["type"].isin(MARGINS), frame["type"], f"{', '.join(MARGINS)} in the column type", where)
    return frame


def _refuse(wrong: pd.Series, values: pd.Series, expected: str, where: str) -> None:
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise TableError(
            expected=expected,
            found=f"{values.iloc[first]} in row {first} ({wrong.sum()} such rows)",
            where=where,
            action="Correct these rows, or remove them.",
        )


def draw_triplets(table: FaceTable, *, per_face: float = 3.0, seed: int = 0) -> pd.DataFrame:
    """Triplets of faces whose action units are known: alike are the two that lie closest together.

    Args:
        table: With splits; only faces with all intensities take part, and faces of one split are compared.
        per_face: How many triplets are drawn for each face; some are left out, since they are no clear case.
        seed: Which.

    Returns:
        The columns of `read_triplets`, with ``type`` where all emotions are known.

    Raises:
        TableError: The table has no splits, or no split has three faces whose action units are known and clear.
    """
    if "split" not in table.frame.columns:
        raise TableError(
            expected="a table with a column split: faces of one split are compared",
            found="no such column",
            where=str(table.root),
            action="Draw faces with --splits, or write the column with `norface data split`.",
        )
    intensity, names = table.intensity() / MAX_INTENSITY, table.frame["face_id"].to_numpy()
    usable = ~np.isnan(intensity).any(axis=1) & (table.frame["success"] != 0).to_numpy(bool)
    random, codes = np.random.default_rng(seed), table.emotion_codes()
    parts = []
    for _, rows in pd.Series(np.flatnonzero(usable)).groupby(table.frame["split"].to_numpy()[usable]):
        three = rows.to_numpy()[random.integers(0, len(rows), (round(per_face * len(rows)), 3))]
        three = three[(three != three[:, [1, 2, 0]]).all(axis=1)]
        units = intensity[three]
        # In column k the distance of the two others, which are alike where k is the odd one.
        apart = np.linalg.norm(units[:, [1, 0, 0]] - units[:, [2, 2, 1]], axis=2)
        first, second = np.sort(apart, axis=1)[:, :2].T
        three, odd = three[first <= CLEAR * second], apart.argmin(axis=1)[first <= CLEAR * second]
        part = pd.DataFrame(names[three], columns=list(FACES)).assign(odd=odd + 1)
        if (codes[three] >= 0).all():
            kinds = 1 + (np.diff(np.sort(codes[three], axis=1), axis=1) != 0).sum(axis=1)
            part["type"] = np.array([*MARGINS])[kinds - 1]
        parts.append(part)
    if not sum(map(len, parts)):
        raise TableError(
            expected="splits with faces whose action-unit intensities are all known",
            found=f"{usable.sum()} such faces, and no clear triplet of them",
            where=str(table.root),
            action="Use a table with AU..._r columns, such as the built-in faces', or draw more triplets.",
        )
    return pd.concat(parts, ignore_index=True)
