"""Face tables without images, for tests of what happens to rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from norface.data.table import FaceTable, TableMeta
from norface.imaging.alignment import Alignment

EMOTIONS = ("neutral", "happy", "sad")


def small_table(
    subjects: Sequence[str],
    *,
    faces: int = 4,
    emotions: Sequence[str] = EMOTIONS,
    aus: Sequence[int] = (1, 12),
    provenance: Mapping[str, object] | None = None,
    split: Mapping[str, str] | None = None,
    root: Path = Path("/faces"),
    seed: int = 0,
    alignment: Alignment | None = None,
) -> FaceTable:
    """`faces` of each subject with random labels; emotions and action units in the vocabulary's own order."""
    random = np.random.default_rng(seed)
    names = [name for name in subjects for _ in range(faces)]
    frame = pd.DataFrame(
        {
            "face_id": [f"{name}_{k}" for name in subjects for k in range(faces)],
            "image": [f"images/{name}/{k}.png" for name in subjects for k in range(faces)],
            "subject": names,
            "success": 1.0,
        }
    )
    frame = frame.astype({name: "str" for name in ("face_id", "image", "subject")})
    if emotions:
        frame = frame.assign(emotion=pd.Series(random.choice(list(emotions), len(names)), dtype="str"))
    for au in aus:
        frame[f"AU{au:02d}_c"] = (random.random(len(names)) < 0.3).astype(float)
    if split is not None:
        frame = frame.assign(split=frame["subject"].map(lambda name: split.get(name, "")).astype("str"))
    meta = TableMeta(tuple(emotions), tuple(aus), alignment or Alignment(32), dict(provenance or {}))
    return FaceTable(frame, root, meta)


def sides(table: FaceTable) -> dict[str, set[str]]:
    """Subjects by split."""
    return {str(name): set(rows) for name, rows in table.frame.groupby("split")["subject"]}
