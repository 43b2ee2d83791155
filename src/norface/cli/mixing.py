"""``norface data mix`` and ``norface data cross``: several tables as one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from norface.data.table import FaceTable


def mix(*, tables: list[Path], out: Path, emotions: list[str] | None = None, aus: list[int] | None = None) -> None:
    """Join face tables into one; images stay where they are, labels that a table lacks stay unknown.

    Args:
        tables: Folders with faces.parquet, or CSV or Parquet files, such as --tables "[data/bp4d, data/disfa]".
        out: Folder for the new table.
        emotions: Classes to keep, where the tables have different ones.
        aus: Action units to keep; without it, those of any table.
    """
    from norface.data.mixing import mix as join
    from norface.data.mixing import named
    from norface.data.table import FaceTable

    loaded = named([(path, FaceTable.load(path)) for path in tables])
    _save(join(loaded, emotions=emotions, aus=aus), out)


def cross(
    *,
    source: Path,
    target: Path,
    out: Path,
    emotions: list[str] | None = None,
    aus: list[int] | None = None,
    target_split: str | None = None,
    val: int | float = 0.1,
    seed: int = 0,
) -> None:
    """Write a table that trains on one data set and tests on another, on the labels that both have.

    Known pairs need no list of labels: BP4D and DISFA either way, DISFA to DISFA+, RAF-DB to CK+, SFEW, FER2013, ExpW
    and AffectNet.

    Args:
        source: Table to train on; with a column `split`, its train, val and normalizer are kept and its test left out.
        target: Table to test on.
        out: Folder for the new table.
        emotions: Classes that are compared.
        aus: Action units that are compared.
        target_split: Which part of the target is tested; without it, all of it.
        val: Validation subjects of the source, where it has none: a number, or a share of them.
        seed: Which.
    """
    from norface.data.crossing import cross as join
    from norface.data.mixing import named
    from norface.data.table import FaceTable

    loaded = named([(path, FaceTable.load(path)) for path in (source, target)])
    first, second = loaded.items()
    _save(join(first, second, emotions=emotions, aus=aus, target_split=target_split, val=val, seed=seed), out)


def _save(table: FaceTable, out: Path) -> None:
    table.save(out)
    emotions, aus = table.meta.emotions, table.meta.aus
    print(f"{len(table):,} faces of {table.frame['subject'].nunique():,} people written to {out}")
    print(f"emotions: {', '.join(emotions) or 'none'}; action units: {' '.join(str(au) for au in aus) or 'none'}")
