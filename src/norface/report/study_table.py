"""The table of a study, and its cells as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from norface.report.protocol_table import Cell, ProtocolTable

FIGURE_NAMES: Mapping[str, str] = {
    "expression_r2": "R²",
    "seen_expression_r2": "R², training people",
    "seen_gap": "R² gap",
    "identity_to_target": "identity to target",
    "identity_to_original": "identity to original",
    "subject_accuracy": "person found",
    "subject_accuracy_trained": "person found, trained",
    "background_error": "background error",
    "gap_closed": "gap closed",
}
"""Heads of the columns; all but those that say otherwise are of people nobody has trained on."""


def study_table(record: Mapping[str, Any]) -> ProtocolTable:
    """A row for each variant and number of people: means over seeds and their spread."""
    with_people = record["people"] is not None
    several = len(record["seeds"]) > 1
    rows = []
    for block in record["summary"]:
        key = (block["variant"], *([str(block["people"])] if with_people else []))
        cells = (cell_of(block["figures"].get(name, {}), name, several) for name in record["figures"])
        rows.append((key, tuple(cells)))
    keys = ("variant", "people") if with_people else ("variant",)
    head = tuple(FIGURE_NAMES[name] for name in record["figures"])
    return ProtocolTable(_caption(record, several), keys, head, tuple(rows))


def cell_of(found: Mapping[str, Any], name: str, several: bool) -> Cell:
    """Mean and, of several seeds, spread."""
    return Cell(name, found.get("mean"), found.get("std") if several else None)


def _caption(record: Mapping[str, Any], several: bool) -> str:
    chance = sorted({round(run["chance"], 3) for run in record["runs"] if run.get("chance") is not None})
    words = [f"{record['name']}: figures of the gate on people nobody has trained on"]
    if chance:
        words.append(f"a person is found by chance in {', '.join(f'{value:g}' for value in chance)}")
    return "; ".join(words) + ("; ± standard deviation over seeds." if several else ".")
