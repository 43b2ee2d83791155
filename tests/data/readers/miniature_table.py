"""A user's own table of labelled images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from data.readers.miniature import Expected, picture

# image, subject, split, emotion as written, in norface's words, AU12 occurrence, AU12 intensity
ROWS = (
    ("photos/anna 1.jpg", "anna", "train", "Happiness", "happy", 1.0, 3.5),
    ("photos/anna 2.png", "anna", "train", "neutral", "neutral", 0.0, 0.0),
    ("photos/jürgen.png", "jürgen", "val", "angry", "anger", np.nan, np.nan),
    ("photos/mei.bmp", "美", "test", None, None, 1.0, np.nan),
)
BOX = {"box_left": 3.0, "box_top": 4.0, "box_width": 20.0, "box_height": 22.0}


def make(root: Path) -> Expected:
    """faces.csv beside the photographs."""
    expected = _make(root)
    frame().to_csv(root / "faces.csv", index=False)
    return expected


def make_parquet(root: Path) -> Expected:
    """The same as Parquet."""
    expected = _make(root)
    frame().to_parquet(root / "labels.parquet", index=False)
    return expected


def frame() -> pd.DataFrame:
    """The table."""
    columns = ("image", "subject", "split", "emotion", "", "AU12_c", "AU12_r")
    rows = pd.DataFrame([dict(zip(columns, row, strict=True)) for row in ROWS]).drop(columns="")
    return rows.assign(**BOX, remark="kept")


def _make(root: Path) -> Expected:
    names = {row[0].rpartition(".")[0]: row for row in ROWS}
    for k, row in enumerate(ROWS):
        picture(root / row[0], k, (40, 44))
    return Expected(
        images={name: row[0] for name, row in names.items()},
        emotions={name: row[4] for name, row in names.items() if row[4]},
        splits={name: row[2] for name, row in names.items()},
        subjects={name: row[1] for name, row in names.items()},
        numbers={name: {"AU12_c": row[5], "AU12_r": row[6], **BOX} for name, row in names.items()},
    )
