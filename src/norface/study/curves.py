"""The losses and figures that a training has logged, by epoch."""

from __future__ import annotations

import csv
import math
from pathlib import Path

CURVES = "metrics.csv"
_LEFT_OUT = ("gradient_share", "gradient_norm", "lr")

Curve = list[list[float]]
"""[epochs done, value] of each point."""


def read_curves(folder: Path) -> dict[str, Curve]:
    """Every loss and validation figure of a normalizer by name; before training stands at 0 epochs.

    Args:
        folder: Of the run; nothing is found where it has left no curves.
    """
    if not (folder / CURVES).is_file():
        return {}
    with (folder / CURVES).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    curves: dict[str, dict[float, float]] = {}
    for row in rows:
        done = float(row["epoch"]) + 1 if row.get("epoch") else 0.0
        for name, cell in row.items():
            head, _, figure = str(name).partition("/")
            if head not in ("normalizer", "val") or figure.split("/")[0] in _LEFT_OUT or not cell:
                continue
            value = float(cell)
            if math.isfinite(value):
                curves.setdefault(str(name), {})[done] = value
    return {name: [[done, value] for done, value in sorted(points.items())] for name, points in curves.items()}
