"""What a face table holds, in numbers, and whether they are those that papers report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from norface.data.table import FaceTable
from norface.labels import AU_NAMES, MAX_INTENSITY

_ALL = ""


@dataclass(frozen=True)
class Comparison:
    """A figure of the literature beside the table's own.

    Args:
        what: Such as ``train/happy``; see `norface.data.readers.contract.DatasetInfo`.
        literature: What papers report.
        found: What the table has; None where it has no such thing.
    """

    what: str
    literature: int
    found: int | None

    @property
    def agrees(self) -> bool:
        """Whether both are the same."""
        return self.literature == self.found


@dataclass(frozen=True)
class UnitCounts:
    """One action unit.

    Args:
        au: Its number.
        coded: Faces whose occurrence is known.
        present: Faces that show it.
        levels: Faces with intensity 0, 1, ... 5, rounded; None where no intensity is known.
    """

    au: int
    coded: int
    present: int
    levels: tuple[int, ...] | None

    @property
    def rate(self) -> float:
        """Share of the coded faces that show it, NaN where none is coded."""
        return self.present / self.coded if self.coded else float("nan")

    @property
    def always_on(self) -> float:
        """F1 of a predictor that always says yes: what any network has to beat."""
        return 2 * self.rate / (1 + self.rate) if self.present else 0.0


def counts_by_split(table: FaceTable) -> dict[str, dict[str, int]]:
    """Subjects, faces, and faces of each emotion, by split; a table without splits is one nameless split."""
    return {name: _counts(rows, table.meta.emotions) for name, rows in _by_split(table.frame).items()}


def _by_split(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    if "split" not in frame.columns:
        return {_ALL: frame}
    return {str(name): rows for name, rows in frame.groupby("split", sort=False)}


def _counts(rows: pd.DataFrame, emotions: tuple[str, ...]) -> dict[str, int]:
    known = _emotion_counts(rows)
    return {
        "subjects": int(rows["subject"].nunique()),
        "faces": len(rows),
        "not usable": int((rows["success"] == 0).sum()),
        **{emotion: known.get(emotion, 0) for emotion in emotions},
        "no emotion": len(rows) - sum(known.values()),
    }


def _emotion_counts(rows: pd.DataFrame) -> dict[str, int]:
    if "emotion" not in rows.columns:
        return {}
    return {str(name): int(count) for name, count in rows["emotion"].value_counts().items()}


def unit_counts(table: FaceTable) -> tuple[UnitCounts, ...]:
    """Every action unit of the table's vocabulary, over all its faces."""
    occurrence, intensity = table.occurrence(), table.intensity()
    counted = []
    for column, au in enumerate(table.meta.aus):
        shown, level = occurrence[:, column], intensity[:, column]
        known = level[np.isfinite(level)]
        levels = np.bincount(np.rint(known).astype(int), minlength=int(MAX_INTENSITY) + 1)
        counted.append(
            UnitCounts(
                au,
                coded=int(np.isfinite(shown).sum()),
                present=int(np.nansum(shown)),
                levels=tuple(levels.tolist()) if len(known) else None,
            )
        )
    return tuple(counted)


def faces_per_subject(table: FaceTable) -> pd.Series:
    """Number of faces by subject, in the order in which the table names them first."""
    return table.frame.groupby("subject", sort=False).size()


def compare(table: FaceTable, literature: Mapping[str, int]) -> tuple[Comparison, ...]:
    """The literature's figures beside the table's; rows without a usable face count too, for they have their labels.

    Args:
        table: The face table.
        literature: As in `norface.data.readers.contract.DatasetInfo`.
    """
    found: dict[str, int] = {"faces": len(table), "subjects": int(table.frame["subject"].nunique())}
    found |= _emotion_counts(table.frame)
    for split, rows in _by_split(table.frame).items():
        found[split] = len(rows)
        found |= {f"{split}/{name}": count for name, count in _emotion_counts(rows).items()}
    found |= {f"AU{unit.au}": unit.present for unit in unit_counts(table) if unit.coded}
    return tuple(Comparison(what, count, found.get(what)) for what, count in literature.items())


def unit_title(au: int) -> str:
    """Such as ``AU12 lip corner puller``."""
    return f"AU{au} {AU_NAMES.get(au, '')}".rstrip()
