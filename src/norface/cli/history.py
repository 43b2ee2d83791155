"""Training curves that survive an interruption.

Lightning's CSVLogger deletes the ``metrics.csv`` it finds in its folder. A resumed run therefore sets the old rows
aside and joins them with the new ones at the end.
"""

from __future__ import annotations

import csv
from pathlib import Path

CURVES = "metrics.csv"
SET_ASIDE = "metrics.before.csv"

Row = dict[str, str]


def set_aside(run: Path, *, resuming: bool) -> None:
    """Before training: keep the rows of the interrupted run, or forget them where training starts anew."""
    if resuming:
        join(run)
        if (run / CURVES).is_file():
            (run / CURVES).replace(run / SET_ASIDE)
    else:
        (run / SET_ASIDE).unlink(missing_ok=True)


def join(run: Path) -> None:
    """After training: put the rows that were set aside before the new ones.

    Steps that the interrupted run had logged after its last checkpoint were repeated; the repetition counts.
    """
    if not (run / SET_ASIDE).is_file():
        return
    before, after = _read(run / SET_ASIDE), _read(run / CURVES)
    first = min((int(row["step"]) for row in after), default=None)
    rows = [row for row in before if first is None or int(row["step"]) < first] + after
    _write(run / CURVES, rows)
    (run / SET_ASIDE).unlink()


def _read(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if (row.get("step") or "").isdigit()]


def _write(path: Path, rows: list[Row]) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=sorted({name for row in rows for name in row}))
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(path)
