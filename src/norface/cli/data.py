"""``norface data check`` and ``norface data split``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from norface.data.table import FaceTable

SHOWN = 10


def check(table: Path) -> bool:
    """Check a face table: columns, labels, image files, subject-exclusive splits. Prints what it holds.

    `norface data check --dataset NAME --root FOLDER` checks the folder of a data set's owner instead.

    Args:
        table: Folder with faces.parquet, or a CSV or Parquet file.

    Returns:
        Whether every image can be read; a broken table is an error.
    """
    from norface.data.splits import check_subject_exclusive
    from norface.data.table import FaceTable

    loaded = FaceTable.load(table)
    if "split" in loaded.frame.columns:
        check_subject_exclusive(loaded)
    _print_counts(loaded)
    broken = unreadable_images(loaded)
    for path, why in list(broken.items())[:SHOWN]:
        print(f"  cannot be read: {path} ({why})")
    if len(broken) > SHOWN:
        print(f"  ... and {len(broken) - SHOWN} more")
    print(f"{len(broken)} of the images cannot be read" if broken else "every image can be read")
    return not broken


def split(
    *,
    table: Path,
    out: Path,
    normalizer: int | float = 0.60,
    train: int | float = 0.15,
    val: int | float = 0.05,
    test: int | float = 0.20,
    seed: int = 0,
) -> None:
    """Give every subject of a table one split, shuffled by seed, and save the table; images stay where they are.

    Args:
        table: Folder with faces.parquet, or a CSV or Parquet file.
        out: Folder for the new table.
        normalizer: Subjects that train teachers and normalizer. A whole number counts subjects, a fraction is a share
            of those that the whole numbers leave.
        train: Subjects that train the classifier.
        val: Subjects that watch its training.
        test: Subjects that nothing is trained or chosen on.
        seed: Which shuffle.
    """
    from norface.data.splits import assign_splits
    from norface.data.table import FaceTable

    shares = {"normalizer": normalizer, "train": train, "val": val, "test": test}
    assigned = assign_splits(FaceTable.load(table), shares, seed=seed)
    assigned.save(out)
    _print_counts(assigned)
    print(f"written to {out}")


def unreadable_images(table: FaceTable) -> dict[str, str]:
    """Decode every image of the usable rows.

    Returns:
        What is wrong, by path; empty = all is well.
    """
    from rich.progress import track

    from norface.errors import ImageError

    images = table.images
    usable = table.frame[table.frame["success"] != 0]
    columns = [column for column in ("image", "normalized") if column in usable.columns]
    paths = [str(path) for column in columns for path in dict.fromkeys(usable[column].dropna())]
    broken: dict[str, str] = {}
    for path in track(paths, description="reading images", transient=True):
        try:
            images.read(path)
        except ImageError as error:
            broken[path] = error.found
    return broken


def _print_counts(table: FaceTable) -> None:
    from rich.console import Console
    from rich.table import Table

    frame = table.frame
    console = Console()
    shown = Table(title=f"{len(frame)} faces of {frame['subject'].nunique()} subjects", title_justify="left")
    shown.add_column("")
    columns = []
    for name, rows in _by_split(frame):
        shown.add_column(name, justify="right")
        columns.append(_counts(rows, table.meta.emotions))
    for line in columns[0] if columns else ():
        shown.add_row(line, *(str(column[line]) for column in columns))
    console.print(shown)
    console.print(f"action units: {' '.join(str(au) for au in table.meta.aus) or 'none'}")
    alignment = table.meta.alignment
    console.print(f"alignment: {f'{alignment.size} px crops' if alignment else 'none, landmarks are used on reading'}")


def _by_split(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    if "split" not in frame.columns:
        return [("no split", frame)]
    return [(str(name) or "no split", rows) for name, rows in frame.groupby("split", sort=False)]


def _counts(rows: pd.DataFrame, emotions: tuple[str, ...]) -> dict[str, int]:
    found = rows["emotion"].tolist() if "emotion" in rows.columns else []
    known = {emotion: found.count(emotion) for emotion in emotions}
    return {
        "subjects": int(rows["subject"].nunique()),
        "faces": len(rows),
        "not usable": int((rows["success"] == 0).sum()),
        **known,
        "no emotion": len(rows) - sum(known.values()),
    }
