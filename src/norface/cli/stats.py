"""``norface data stats``: what a face table holds, and whether that is what papers report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from norface.data.table import FaceTable

MANY_SUBJECTS = 200


def stats(table: Path, *, sheet: Path | None = None, examples: int = 10) -> None:
    """Count faces by split, emotion, action unit and subject, beside the literature's figures; draw example faces.

    Args:
        table: Folder with faces.parquet, or a CSV or Parquet file.
        sheet: PNG file for the example faces; without it, stats.png beside the table.
        examples: Faces of each class on the sheet.
    """
    from rich.console import Console

    from norface.data.table import FaceTable
    from norface.imaging.files import write_png
    from norface.report.sheet import face_sheet

    loaded = FaceTable.load(table)
    title = str(loaded.meta.provenance.get("title") or table.resolve().name)
    console = Console()
    console.print(title)
    _print_splits(console, loaded)
    _print_units(console, loaded)
    _print_subjects(console, loaded)
    _print_literature(console, loaded)
    place = sheet if sheet is not None else (table if table.is_dir() else table.parent) / "stats.png"
    write_png(place, face_sheet(loaded, title=f"{title}: {len(loaded):,} faces", examples=examples))
    console.print(f"example faces: {place}", soft_wrap=True)


def _print_splits(console: Console, table: FaceTable) -> None:
    from rich.table import Table

    from norface.data.statistics import counts_by_split

    counts = counts_by_split(table)
    shown = Table()
    shown.add_column("")
    for name in counts:
        shown.add_column(name or "no split", justify="right")
    if len(counts) > 1:
        shown.add_column("all", justify="right")
    for line in next(iter(counts.values()), {}):
        values = [column[line] for column in counts.values()]
        # A subject may have rows in splits and rows without: its sum would count it twice.
        total = table.frame["subject"].nunique() if line == "subjects" else sum(values)
        shown.add_row(line, *(f"{value:,}" for value in values), *([f"{total:,}"] if len(counts) > 1 else []))
    console.print(shown)


def _print_units(console: Console, table: FaceTable) -> None:
    from rich.table import Table

    from norface.data.statistics import unit_counts, unit_title
    from norface.labels import MAX_INTENSITY

    counts = unit_counts(table)
    if not counts:
        return
    shown = Table()
    shown.add_column("action unit", no_wrap=True)
    for name in ("coded", "present", "rate", "F1 if always on"):
        shown.add_column(name, justify="right")
    for unit in counts:
        rate = "" if math.isnan(unit.rate) else f"{unit.rate:.3f}"
        floor = f"{unit.always_on:.3f}" if unit.coded else ""
        shown.add_row(unit_title(unit.au), f"{unit.coded:,}", f"{unit.present:,}", rate, floor)
    console.print(shown)
    levels = Table()
    levels.add_column("intensity", no_wrap=True)
    for level in range(int(MAX_INTENSITY) + 1):
        levels.add_column(str(level), justify="right")
    for unit in counts:
        if unit.levels is not None:
            levels.add_row(f"AU{unit.au}", *(f"{count:,}" for count in unit.levels))
    if levels.row_count:
        console.print(levels)


def _print_subjects(console: Console, table: FaceTable) -> None:
    from rich.columns import Columns

    from norface.data.statistics import faces_per_subject

    faces = faces_per_subject(table)
    if len(faces) == len(table):
        console.print("subjects: every face is a subject of its own")
        return
    low, middle, high = faces.min(), faces.median(), faces.max()
    console.print(f"subjects: {len(faces):,}; faces of each: {low:,} to {high:,}, median {middle:,.0f}")
    if len(faces) <= MANY_SUBJECTS:
        console.print(Columns([f"{name} {count:,}" for name, count in faces.sort_index().items()], padding=(0, 2)))


def _print_literature(console: Console, table: FaceTable) -> None:
    from rich.table import Table

    from norface.data.statistics import compare

    compared = compare(table, _literature(table.meta.provenance))
    if not compared:
        return
    shown = Table()
    for name in ("", "literature", "here", "agrees"):
        shown.add_column(name, justify="right" if name else "left")
    for line in compared:
        found = "none" if line.found is None else f"{line.found:,}"
        shown.add_row(line.what, f"{line.literature:,}", found, "yes" if line.agrees else "no")
    console.print(shown)
    differ = sum(not line.agrees for line in compared)
    console.print(f"{differ} of {len(compared)} figures differ" if differ else f"all {len(compared)} figures agree")


def _literature(provenance: Mapping[str, object]) -> Mapping[str, int]:
    """What papers report of the data set that a table was prepared from, with the same options."""
    from norface.data.readers import READERS, reader_class

    dataset, options = provenance.get("dataset"), provenance.get("reader")
    if dataset not in READERS or not isinstance(options, dict):
        return {}
    try:
        return reader_class(str(dataset))(**options).info.literature
    except (TypeError, ValueError):  # prepared by a version whose reader had other options
        return {}
