"""Emotions and action units of a table, by name: keep some of them, in a given order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from norface.data.table import FaceTable
from norface.errors import TableError
from norface.labels import au_column, aus_in_columns


def restrict(table: FaceTable, *, emotions: Sequence[str] | None = None, aus: Sequence[int] | None = None) -> FaceTable:
    """The same faces with these emotions and action units only; how many labels that cost stands in the provenance.

    A face that shows another emotion keeps its row and loses its label. Vote shares (``emotion_share_...``) stay.

    Args:
        table: The face table.
        emotions: Classes to keep, in their new order; None: as they are.
        aus: Action units to keep; None: as they are.

    Raises:
        TableError: The table does not have one of them.
    """
    frame, meta, lost = table.frame, table.meta, {}
    if emotions is not None and tuple(emotions) != meta.emotions:
        _require(set(emotions) - set(meta.emotions), "emotions", meta.emotions, table)
        outside = frame["emotion"].notna() & ~frame["emotion"].isin(list(emotions))
        lost = {str(name): int(count) for name, count in frame.loc[outside, "emotion"].value_counts().items()}
        frame = frame.assign(emotion=frame["emotion"].where(~outside))
        meta = replace(meta, emotions=tuple(emotions))
    if aus is not None and tuple(sorted(aus)) != meta.aus:
        _require(set(aus) - set(meta.aus), "action units", meta.aus, table)
        dropped = [au_column(au, kind) for kind in "cr" for au in aus_in_columns(frame.columns, kind) if au not in aus]
        frame = frame.drop(columns=dropped)
        meta = replace(meta, aus=tuple(sorted(aus)))
    if lost:
        meta = replace(meta, provenance={**meta.provenance, "emotions_left_out": dict(sorted(lost.items()))})
    return replace(table, frame=frame, meta=meta)


def _require(missing: set[str] | set[int], what: str, present: Sequence[object], table: FaceTable) -> None:
    if missing:
        raise TableError(
            expected=f"a table with the {what} {', '.join(str(name) for name in sorted(missing))}",
            found=f"one with {', '.join(str(name) for name in present) or 'none'}",
            where=f"face table in {table.root}",
            action="Choose from those that all tables have. Labels are never made up from other labels.",
        )
