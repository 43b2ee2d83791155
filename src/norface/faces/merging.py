"""The end of a preparation: from the outcomes of all parts to the table and the list of what is missing."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import norface
from norface.data.readers.contract import DatasetInfo, Reading
from norface.data.table import FaceTable, TableMeta
from norface.errors import ConfigError
from norface.faces.parts import Numbers, Outcome, Workspace
from norface.faces.plan import Plan
from norface.imaging.alignment import Alignment
from norface.imaging.files import write_atomically
from norface.labels import BOX_COLUMNS, EMOTIONS, LANDMARK_COLUMNS, aus_in_columns

RECORD_FILE = "prepare.json"
SKIPPED_FILE = "skipped.csv"

GIVEN_PREFIX = "given_"
"""Before columns of the data set that have the name of one that preparation fills: where its owner says the face is."""

SOURCE_LANDMARKS = tuple(f"source_{name}" for name in LANDMARK_COLUMNS)
# `normalized` is not filled, but names images in the owner's folder, which nobody has cropped.
_FILLED = ("source", *BOX_COLUMNS, "score", *LANDMARK_COLUMNS, *SOURCE_LANDMARKS, "normalized")


@dataclass(frozen=True)
class Prepared:
    """What came of a preparation, as it stands in ``prepare.json``.

    Args:
        faces: Rows of the table.
        usable: Rows with a crop.
        not_usable: Why the other rows have none, and how many.
        skipped: Why something in the owner's folder became no row, and how often.
        settings: What decides the result.
        new: Whether this call did anything; False where all was done before.
    """

    faces: int
    usable: int
    not_usable: Mapping[str, int]
    skipped: Mapping[str, int]
    settings: Mapping[str, object]
    new: bool = True


def recorded(out: Path) -> Prepared | None:
    """What ``prepare.json`` says, None where there is none.

    Raises:
        ConfigError: It cannot be understood.
    """
    path = out / RECORD_FILE
    try:
        found = json.loads(path.read_bytes())
        return Prepared(**{name: found[name] for name in ("faces", "usable", "not_usable", "skipped", "settings")})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            expected="the record of a preparation",
            found=f"{type(error).__name__}: {error}"[:200],
            where=str(path),
            action="Delete this folder to prepare it anew, or choose another --out.",
        ) from error


def merge(
    info: DatasetInfo,
    reading: Reading,
    plan: Plan,
    workspace: Workspace,
    settings: Mapping[str, object],
    alignment: Alignment,
) -> Prepared:
    """Write ``skipped.csv``, the table, and last ``prepare.json``: where it is, everything is.

    Raises:
        ConfigError: Parts have disappeared meanwhile.
        OutputError: The folder cannot be written to.
    """
    outcomes = _all_outcomes(plan, workspace)
    rows = _filled(plan.rows, outcomes, plan.crops)
    write_atomically(workspace.out / SKIPPED_FILE, _skipped_csv(reading, outcomes))
    meta = TableMeta(
        emotions=_emotions(info, rows),
        aus=tuple(sorted({*aus_in_columns(rows.columns, "c"), *aus_in_columns(rows.columns, "r")})),
        alignment=alignment,
        provenance=_provenance(info, settings),
    )
    FaceTable(rows, workspace.out, meta).save(workspace.out)
    why = Counter(outcome.why for outcome in outcomes if outcome.why)
    prepared = Prepared(
        faces=len(outcomes),
        usable=len(outcomes) - why.total(),
        not_usable=dict(why.most_common()),
        skipped=dict(Counter(skipped.why for skipped in reading.skipped).most_common()),
        settings=settings,
    )
    record = {"schema": 1, **asdict(prepared), "norface": norface.__version__}
    del record["new"]
    write_atomically(workspace.out / RECORD_FILE, (json.dumps(record, indent=1) + "\n").encode())
    return prepared


def _all_outcomes(plan: Plan, workspace: Workspace) -> list[Outcome]:
    found: list[Outcome | None] = [None] * len(plan.rows)
    for job in plan.jobs:
        for part in job.parts:
            for outcome in workspace.read(part) or ():
                found[outcome.row] = outcome
    whole = [outcome for outcome in found if outcome is not None]
    if len(whole) < len(found):
        raise ConfigError(
            expected=f"the outcome of {len(found)} rows",
            found=f"that of {len(whole)}: somebody else is changing this folder",
            where=str(workspace.folder),
            action="Run the same command again, once.",
        )
    return whole


def _filled(rows: pd.DataFrame, outcomes: Sequence[Outcome], crops: Sequence[str]) -> pd.DataFrame:
    """The reading's rows with the images and places of the crops."""
    source = rows["image"]
    own = rows.drop(columns=[name for name in ("success",) if name in rows.columns])
    own = own.rename(columns={name: GIVEN_PREFIX + name for name in _FILLED if name in own.columns})
    columns: dict[str, pd.Series | np.ndarray] = {"source": source, "score": _numbers([o.score for o in outcomes])}
    for names, values in (
        (BOX_COLUMNS, [o.box for o in outcomes]),
        (LANDMARK_COLUMNS, [o.placed for o in outcomes]),
        (SOURCE_LANDMARKS, [o.points for o in outcomes]),
    ):
        matrix = _matrix(values, len(names))
        if matrix is not None:
            columns |= dict(zip(names, matrix.T, strict=True))
    columns["success"] = np.array([0.0 if outcome.why else 1.0 for outcome in outcomes])
    return own.assign(image=pd.Series(crops, index=rows.index, dtype="str"), **columns)


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _matrix(values: Sequence[Numbers | None], width: int) -> np.ndarray | None:
    """``(N, width)`` with NaN where a row has none; None where no row has any."""
    if all(value is None for value in values):
        return None
    nothing = (np.nan,) * width
    return np.array([nothing if value is None else value for value in values], np.float64)


def _emotions(info: DatasetInfo, rows: pd.DataFrame) -> tuple[str, ...]:
    present = set(rows["emotion"].dropna()) if "emotion" in rows.columns else set()
    known = {*info.emotions, *present} if present else set()
    return tuple(name for name in EMOTIONS if name in known)


def _provenance(info: DatasetInfo, settings: Mapping[str, object]) -> dict[str, object]:
    kept = {name: value for name, value in settings.items() if name not in {"rows", "alignment"}}
    title = {"title": info.title} if info.source else {}  # a user's own images are called by their folder
    return {"source": "norface.faces.prepare", **title, **kept, "norface": norface.__version__}


def _skipped_csv(reading: Reading, outcomes: Sequence[Outcome]) -> bytes:
    """One line for everything that has no crop; ``in_table`` says whether it has a row."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("in_table", "face_id", "source", "why", "detail"))
    writer.writerows(("no", "", skipped.what, skipped.why, "") for skipped in reading.skipped)
    names = zip(outcomes, reading.rows["face_id"], reading.rows["image"], strict=True)
    writer.writerows(("yes", face_id, image, o.why, o.detail) for o, face_id, image in names if o.why)
    return text.getvalue().encode("utf-8", errors="backslashreplace")
