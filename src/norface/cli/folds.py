"""``norface data folds``: who trains and who is tested."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from norface.data.folds import Fold
    from norface.data.table import FaceTable

COLUMNS = ("normalizer", "train", "val", "test", "")
WIDTH = 100


def folds(
    *,
    dataset: str | None = None,
    table: Path | None = None,
    protocol: str | None = None,
    groups: int | None = None,
    val: int | float | None = None,
    normalizer_share: float = 0.0,
    seed: int = 0,
    fold: str | None = None,
    out: Path | None = None,
) -> None:
    """Print the folds that are usual on a data set; with a table, count them; with a fold and a folder, write one.

    Args:
        dataset: As in `norface data prepare --dataset`; without it, the one that the table was made from.
        table: Folder with faces.parquet, or a CSV or Parquet file, to count subjects and faces in.
        protocol: Which of a data set's published partitions, such as fera-2015; without it, the first.
        groups: So many folds in place of the usual ones: in the order of the names on CK+ (8 or 10), else by seed.
        val: Validation subjects, carved from the training subjects: a number, or a share of them.
        normalizer_share: Share of the training subjects that train the normalizer only; 0: it shares the classifier's.
        seed: Which subjects are carved, and folds by seed.
        fold: The fold to write.
        out: Folder for a table with this fold in its column `split`; images stay where they are.
    """
    from norface.data.published import PROTOCOLS
    from norface.data.table import FaceTable
    from norface.data.usual import usual_folds
    from norface.people import dataset_of

    loaded = None if table is None else FaceTable.load(table)
    name = dataset if dataset is not None or loaded is None else dataset_of(loaded.meta.provenance)
    _check_request(name, loaded, fold, out)
    found = usual_folds(
        name, protocol_name=protocol, groups=groups, val=val, normalizer_share=normalizer_share, seed=seed
    )
    if name is not None and name in PROTOCOLS and groups is None:
        _print_published(name, protocol)
    if loaded is None:
        if name not in PROTOCOLS or groups is not None:
            print(f"{name}: {_words(found)}; give --table to count them")
        return
    if fold is None:
        _print_counts({key: each.assign(loaded) for key, each in found.items()})
        return
    assert out is not None  # checked above
    assigned = _choose(fold, found, name, protocol).assign(loaded)
    _print_counts({fold: assigned})
    assigned.save(out)
    print(f"written to {out}")


def _check_request(dataset: str | None, table: FaceTable | None, fold: str | None, out: Path | None) -> None:
    from norface.cli.usage import UsageError, did_you_mean
    from norface.data.readers import READERS

    where, see = "norface data folds", "`norface data folds --help` lists the options."
    if dataset is not None and dataset not in READERS:
        raise UsageError(
            expected=f"one of {', '.join(READERS)}",
            found=repr(dataset),
            where="option --dataset",
            action=f"{did_you_mean(dataset, READERS)}`norface data list` describes them all.",
        )
    if dataset is None and table is None:
        raise UsageError(expected="--dataset or --table", found="neither", where=where, action=see)
    if (fold is None) != (out is None) or (fold is not None and table is None):
        raise UsageError(
            expected="--fold, --out and --table together, to write a fold",
            found=", ".join(f"--{name}" for name, value in (("fold", fold), ("out", out), ("table", table)) if value),
            where=where,
            action=f"Give the others too. {see}",
        )


def _choose(fold: str, found: Mapping[str, Fold], dataset: str | None, protocol_name: str | None) -> Fold:
    from norface.cli.usage import UsageError
    from norface.data.folds import PublishedFold
    from norface.data.published import protocol

    if isinstance(next(iter(found.values())), PublishedFold):
        return found[protocol(str(dataset), protocol_name).tested(fold)]
    if fold not in found:
        raise UsageError(
            expected=f"one of {', '.join(found)}", found=repr(fold), where="option --fold", action="Name one of them."
        )
    return found[fold]


def _print_published(dataset: str, protocol_name: str | None) -> None:
    from norface.data.published import PROTOCOLS, protocol

    shown = [protocol(dataset, protocol_name)] if protocol_name is not None else PROTOCOLS[dataset]
    for lists in shown:
        print(f"{dataset}, {lists.name}: {len(lists.subjects)} subjects")
        print(textwrap.fill(lists.source, WIDTH, initial_indent="  ", subsequent_indent="  "))
        for fold in lists.folds:
            tested = lists.parts[fold]
            aliases = "".join(f" = {alias}" for alias in lists.also_called(fold))
            print(f"\n  {fold}{aliases}: tests {len(tested)}, trains on the other {len(lists.subjects) - len(tested)}")
            print(textwrap.fill(" ".join(tested), WIDTH, initial_indent="    ", subsequent_indent="    "))
        print()


def _words(found: Mapping[str, Fold]) -> str:
    first = next(iter(found.values()))
    about = ", ".join(f"{name} {value}" for name, value in first.describe().items() if name not in {"kind", "fold"})
    return f"{len(found)} fold{'s' if len(found) > 1 else ''} ({type(first).__name__}: {about})"


def _print_counts(assigned: Mapping[str, FaceTable]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(title="subjects / usable faces", title_justify="left")
    shown.add_column("fold")
    for name in COLUMNS:
        shown.add_column(name or "left out", justify="right")
    for fold, table in assigned.items():
        usable = table.frame[table.frame["success"] != 0].groupby("split")["subject"]
        people, faces = usable.nunique().to_dict(), usable.size().to_dict()
        shown.add_row(fold, *(f"{people[name]} / {faces[name]:,}" if name in faces else "-" for name in COLUMNS))
    Console().print(shown)
