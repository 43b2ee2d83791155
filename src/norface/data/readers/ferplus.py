"""FERPlus (FER+): FER2013 labelled again, by ten people each, into eight emotions.

Barsoum, Zhang, Canton Ferrer, Zhang, "Training deep networks for facial expression recognition with crowd-sourced
label distribution", ICMI 2016, https://github.com/microsoft/FERPlus. Counts of both rules as computed from its file.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from norface.data.readers.checked import CheckedReader
from norface.data.readers.contract import DatasetInfo, Problem, Reading, Skipped
from norface.data.readers.fer2013 import FILE
from norface.data.readers.fer_file import SPLIT_OF_USAGE, is_pixel_reference, read_pixels, scan
from norface.data.readers.layout import Listing, join, missing
from norface.data.readers.parsing import Labels, code, read_labels
from norface.data.readers.reasons import IMAGE_WITHOUT_LABEL, LABEL_WITHOUT_IMAGE, MISSING_LABELS, UNREADABLE
from norface.data.readers.sieve import Sieve
from norface.errors import DatasetError
from norface.imaging.pixels import Pixels
from norface.labels import EMOTIONS

LABELS = "fer2013new.csv"
VOTES = (
    *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    *("unknown", "NF"),  # NF: not a face
)
"""The owner's columns, in the owner's order, which decides ties."""

_EMOTIONS = ("neutral", "happy", "surprise", "sad", "anger", "disgust", "fear", "contempt")
_FOLDERS = {"train": "FER2013Train", "val": "FER2013Valid", "test": "FER2013Test"}
_BASES = ("", "data")
_NAME = re.compile(r"^fer(\d{7})\.png$", re.ASCII | re.IGNORECASE)
_COUNTS = {"argmax": (28_389, 3_553, 3_546), "majority": (25_060, 3_199, 3_153)}

NOT_A_FACE = "voted not a face"
NO_WINNER = -1
_LEFT_OUT = {8: "voted unknown", 9: NOT_A_FACE}
_NO_WINNER = {"argmax": "no votes", "majority": "no majority"}

Rule = Literal["argmax", "majority"]


class FerPlus(CheckedReader):
    """Reads FERPlus: ``fer2013new.csv`` beside ``fer2013.csv``, or the folders that its owner's script makes of them.

    The shares of all votes that went to each emotion become columns ``emotion_share_<name>``; what is missing from 1
    went to "unknown" and "not a face".

    Args:
        rule: ``argmax``: the answer with most votes, the first of equal ones. ``majority``: the owner's mode of that
            name: single votes are dropped, and the answer needs more than half of the rest. Faces voted unknown or not
            a face are left out in both.
    """

    info = DatasetInfo(
        name="ferplus",
        title="FERPlus (FER+), new labels of FER2013",
        tasks=("fer",),
        licence="labels: MIT; images: as FER2013",
        source="https://github.com/microsoft/FERPlus",
        tree="""\
FERPlus/
  fer2013new.csv    (from the owner's repository)
  fer2013.csv       (from FER2013)
or, as made by generate_training_data.py (also inside a folder data/):
  FER2013Train/label.csv, fer0000000.png ...
  FER2013Valid/label.csv, ...
  FER2013Test/label.csv, ...""",
        emotions=EMOTIONS,
        subjects_known=False,
    )

    def __init__(self, *, rule: Rule = "argmax") -> None:
        self.rule = rule
        counts = dict(zip(_FOLDERS, _COUNTS[rule], strict=True))
        self.info = replace(self.info, literature={"faces": sum(counts.values()), **counts})

    def marks(self) -> tuple[str, ...]:
        """See `CheckedReader`."""
        return (LABELS, *(join(base, folder) for base in _BASES for folder in _FOLDERS.values()))

    def layout(self, listing: Listing) -> tuple[Problem, ...]:
        """See `CheckedReader`."""
        if listing.find(FILE) and listing.find(LABELS):
            return ()
        if any(_label_file(listing, split) for split in _FOLDERS):
            return ()
        if listing.find(LABELS):
            return missing(listing, FILE, "the pixels of FER2013", "Copy fer2013.csv there, from fer2013.tar.gz.")
        found = ", ".join(listing.folders() + listing.files()) or "an empty folder"
        return (Problem(_FOLDERS["train"], "label.csv in it", found, "Run the owner's generate_training_data.py."),)

    def rows(self, listing: Listing) -> Reading:
        """See `CheckedReader`."""
        as_csv = listing.find(FILE) is not None and listing.find(LABELS) is not None
        sieve = _from_csv(listing) if as_csv else _from_folders(listing)
        sieve.settle_duplicates(["image"], [*VOTES, "split"])
        votes = sieve.rows[list(VOTES)].to_numpy(np.float64)
        total = votes.sum(axis=1)
        shares = {
            f"emotion_share_{name}": np.divide(votes[:, k], total, out=np.full(len(votes), np.nan), where=total > 0)
            for k, name in enumerate(_EMOTIONS)
        }
        sieve.rows = sieve.rows.drop(columns=list(VOTES)).assign(
            code=pd.Series(vote(votes, self.rule).tolist()), **shares
        )
        sieve.name_emotions(dict(enumerate(_EMOTIONS)), _LEFT_OUT | {NO_WINNER: _NO_WINNER[self.rule]})
        sieve.name_faces(sieve.rows["name"])
        sieve.rows = sieve.rows.drop(columns="name")
        return sieve.reading({"rule": self.rule, "release": "csv" if as_csv else "folders", "frame": "fer2013"})

    def pixels(self, root: Path, image: str) -> Pixels:
        """A row of ``fer2013.csv`` or an image file, whichever the reference names."""
        return read_pixels(root, image) if is_pixel_reference(image) else super().pixels(root, image)


def vote(votes: NDArray[np.float64], rule: Rule) -> NDArray[np.int64]:
    """Which of `VOTES` wins in each row.

    Args:
        votes: ``(N, 10)`` counts.
        rule: See `FerPlus`.

    Returns:
        ``(N,)`` positions in `VOTES`; `NO_WINNER` where nobody voted or the rule finds none.
    """
    counted = np.where(votes > 1, votes, 0.0) if rule == "majority" else votes
    needed = counted.sum(axis=1) / 2 if rule == "majority" else np.zeros(len(votes))
    wins = counted.max(axis=1, initial=0.0) > needed
    return np.where(wins, counted.argmax(axis=1), NO_WINNER).astype(np.int64)


def _votes(labels: Labels) -> pd.DataFrame:
    """The ten counts of each label, NaN where one is no count."""
    columns = {name: [code(text) for text in labels.columns[name]] for name in VOTES}
    votes = pd.DataFrame(columns, dtype=np.float64)
    return votes.where(votes >= 0)


def _checked(frame: pd.DataFrame, labels: Labels) -> Sieve:
    """Rows whose ten votes can be read."""
    places = pd.Series([labels.place(row) for row in range(len(labels))], dtype="str")
    sieve = Sieve(pd.concat([frame.assign(place=places), _votes(labels)], axis=1), labels.skipped)
    sieve.leave_out(sieve.rows[list(VOTES)].isna().any(axis=1).to_numpy(bool), UNREADABLE)
    return sieve


def _from_csv(listing: Listing) -> Sieve:
    pixels_name, labels_name = listing.find(FILE) or FILE, listing.find(LABELS) or LABELS
    columns = ("Usage", "Image name", *VOTES)
    labels = read_labels(listing.root, labels_name, columns, separator=",", numeric=VOTES)
    file = scan(listing.root / pixels_name)
    names = labels.columns["Image name"]
    matches = [_NAME.match(name) for name in names]
    rows = [int(match[1]) if match else -1 for match in matches]
    there = [0 <= row < len(file.usages) and file.usages[row] is not None for row in rows]
    _check_same_file(labels, [file.usages[row] if here else None for row, here in zip(rows, there, strict=True)])
    splits = [SPLIT_OF_USAGE.get(usage.lower()) for usage in labels.columns["Usage"]]
    frame = pd.DataFrame(
        {
            "image": [f"{pixels_name}@{row}" for row in rows],
            "name": [f"fer{row:07d}" for row in rows],
            "split": pd.Series(splits, dtype="str"),
            "problem": [
                "" if here else LABEL_WITHOUT_IMAGE if name else NOT_A_FACE
                for here, name in zip(there, names, strict=True)
            ],
        }
    )
    sieve = _checked(frame, labels)
    sieve.leave_out((sieve.rows["problem"] != "").to_numpy(bool), sieve.rows["problem"].tolist())
    sieve.rows = sieve.rows.drop(columns="problem")
    unlabelled = len(file.lines) - len(labels) - len(labels.skipped)
    first = len(file.lines) - max(unlabelled, 0)
    sieve.skipped += [Skipped(f"{pixels_name}@{row}", IMAGE_WITHOUT_LABEL) for row in range(first, len(file.lines))]
    return sieve


def _check_same_file(labels: Labels, usages: list[str | None]) -> None:
    """Labels belong to rows by their number alone, so both files must agree on the part of every row."""
    for row, (ours, theirs) in enumerate(zip(labels.columns["Usage"], usages, strict=True)):
        if theirs is not None and ours.lower() != theirs.lower():
            raise DatasetError(
                expected=f"the row that {FILE} has as {theirs}",
                found=f"{ours or 'nothing'}",
                where=labels.place(row),
                action=f"Use the {FILE} of fer2013.tar.gz, with its rows in their order.",
            )


def _label_file(listing: Listing, split: str) -> str | None:
    paths = (listing.find(join(join(base, _FOLDERS[split]), "label.csv")) for base in _BASES)
    return next((path for path in paths if path), None)


def _from_folders(listing: Listing) -> Sieve:
    parts, skipped = [], []
    for split, name in _FOLDERS.items():
        path = _label_file(listing, split)
        if path is None:
            skipped.append(Skipped(f"{name}/label.csv", MISSING_LABELS))
            continue
        labels = read_labels(listing.root, path, ("name", "box", *VOTES), separator=",", numeric=VOTES)
        folder = path.rpartition("/")[0]
        names = labels.columns["name"]
        frame = pd.DataFrame(
            {"image": [f"{folder}/{name}" for name in names], "name": [PurePosixPath(name).stem for name in names]}
        )
        part = _checked(frame.assign(split=split), labels)
        part.find_images(listing)
        part.count_unlabelled(listing, (folder,))
        parts.append(part)
    skipped += [one for part in parts for one in part.skipped]
    return Sieve(pd.concat([part.rows for part in parts], ignore_index=True), skipped)
