"""AffectNet, the manually annotated part: photographs from the web with one of eight emotions.

Mollahosseini, Hasani, Mahoor, "AffectNet: a database for facial expression, valence, and arousal computing in the
wild", IEEE Transactions on Affective Computing 2019, http://mohammadmahoor.com/affectnet/. Two releases: the original
one with CSV files, and the smaller one of March 2021 with one .npy file per face and label. Codes as in both; counts as
published readers print them.
"""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from norface.data.readers.checked import CheckedReader
from norface.data.readers.contract import DatasetInfo, Problem, Reading, Skipped
from norface.data.readers.layout import Listing, join
from norface.data.readers.npy import scalar_text
from norface.data.readers.parsing import Labels, number, read_labels
from norface.data.readers.reasons import MISSING_LABELS
from norface.data.readers.sieve import Sieve, codes
from norface.labels import BOX_COLUMNS, EMOTIONS, LANDMARK_COLUMNS

CODES = dict(enumerate(EMOTIONS))
"""0 neutral, 1 happy, 2 sad, 3 surprise, 4 fear, 5 disgust, 6 anger, 7 contempt, which is norface's order."""

LEFT_OUT = {8: "no emotion (none)", 9: "uncertain emotion", 10: "no face"}
_CONTEMPT = 7
_NO_CONTEMPT = "contempt, not among the 7 classes"

_LISTS = ("Manually_Annotated_file_lists", "Manually_Annotated", "")
_IMAGES = ("Manually_Annotated/Manually_Annotated_Images", "Manually_Annotated_Images")
_FILES = {"train": "training.csv", "val": "validation.csv"}
_COLUMNS = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
_BOX = dict(zip(BOX_COLUMNS, _COLUMNS[1:5], strict=True))
_POINTS = 68
_WANTED = (*range(36, 48), 30, 48, 54)
"""Of the 68 points of iBUG: the rings of the right and the left eye, the tip of the nose, the corners of the mouth."""

_EYES = ((0, 6), (6, 12))
_FIVE = struct.Struct("10d")
_NOWHERE = _FIVE.pack(*[math.nan] * 10)

_TRAIN = (74_874, 134_415, 25_459, 14_090, 6_378, 3_803, 24_882, 3_750)
_VAL = 500


class AffectNet(CheckedReader):
    """Reads AffectNet, whichever of the two releases is there.

    The CSV release also tells the box, the landmarks (five made of its 68), valence and arousal of every face. Of the
    .npy release only the emotion is read: the other labels would cost three more files a face.

    Its test set is not public; the literature tests on the validation set, which is the split ``val`` here.

    Args:
        classes: 8, or 7: without contempt.
    """

    info = DatasetInfo(
        name="affectnet",
        title="AffectNet, manually annotated part",
        tasks=("fer",),
        licence="non-commercial research, on request",
        source="http://mohammadmahoor.com/affectnet/",
        tree="""\
AffectNet/
  Manually_Annotated/Manually_Annotated_Images/1/<name>.jpg ...   (or Manually_Annotated_Images/ directly)
  Manually_Annotated_file_lists/training.csv, validation.csv      (or both in Manually_Annotated/)
or, the release of March 2021:
  train_set/images/<number>.jpg ...       val_set/images/<number>.jpg ...
  train_set/annotations/<number>_exp.npy  val_set/annotations/<number>_exp.npy""",
        emotions=EMOTIONS,
        subjects_known=False,
    )

    def __init__(self, *, classes: Literal[7, 8] = 8) -> None:
        self.classes = classes
        kept = EMOTIONS[:classes]
        counts = {f"train/{name}": n for name, n in zip(kept, _TRAIN, strict=False)}
        counts |= {f"val/{name}": _VAL for name in kept}
        train, val = sum(_TRAIN[:classes]), _VAL * classes
        self.info = replace(
            self.info, emotions=kept, literature={"faces": train + val, "train": train, "val": val, **counts}
        )

    def marks(self) -> tuple[str, ...]:
        """See `CheckedReader`."""
        lists = tuple(join(folder, name) for folder in _LISTS for name in _FILES.values())
        return ("Manually_Annotated_file_lists", "train_set/annotations", "val_set/annotations", *lists)

    def layout(self, listing: Listing) -> tuple[Problem, ...]:
        """See `CheckedReader`."""
        if not any(_list_of(listing, split) for split in _FILES):
            if any(listing.find(f"{split}_set/annotations") for split in _FILES):
                return ()
            found = ", ".join(listing.files("Manually_Annotated_file_lists")[:6]) or "an empty folder"
            action = "Unpack the file lists of AffectNet there."
            return (Problem("Manually_Annotated_file_lists", "training.csv and validation.csv", found, action),)
        if not any(listing.find(folder) for folder in _IMAGES):
            found = ", ".join(listing.folders()) or "no folder"
            return (Problem(_IMAGES[0], "the images of AffectNet", found, "Unpack Manually_Annotated there."),)
        return ()

    def rows(self, listing: Listing) -> Reading:
        """See `CheckedReader`."""
        csv = any(_list_of(listing, split) for split in _FILES)
        sieve, folders = _from_csv(listing) if csv else _from_npy(listing)
        left_out = LEFT_OUT if self.classes > _CONTEMPT else LEFT_OUT | {_CONTEMPT: _NO_CONTEMPT}
        sieve.find_images(listing)
        sieve.settle_duplicates(["image"], ["code", "split"])
        sieve.name_emotions({code: name for code, name in CODES.items() if code not in left_out}, left_out)
        sieve.name_faces(sieve.rows["name"])
        sieve.rows = sieve.rows.drop(columns="name")
        sieve.count_unlabelled(listing, folders)
        facts: dict[str, object] = {"release": "csv" if csv else "npy", "classes": self.classes}
        if not csv:
            facts["frame"] = "affectnet-2021"  # crops of 224 x 224 pixels, around the owner's boxes
            facts["frame"] = "affectnet-224"
            facts["note"] = "this release has 3,999 validation images, one less than the CSV release"
        return sieve.reading(facts)


def _list_of(listing: Listing, split: str) -> str | None:
    paths = (listing.find(join(folder, _FILES[split])) for folder in _LISTS)
    return next((path for path in paths if path), None)


def _from_csv(listing: Listing) -> tuple[Sieve, list[str]]:
    base = next((folder for folder in map(listing.find, _IMAGES) if folder), _IMAGES[0])
    frames, skipped = [], []
    for split, name in _FILES.items():
        path = _list_of(listing, split)
        if path is None:
            skipped.append(Skipped(join(_LISTS[0], name), MISSING_LABELS))
            continue
        labels = read_labels(
            listing.root,
            path,
            _COLUMNS,
            separator=",",
            numeric=("expression",),
            convert={**_NUMBERS, "facial_landmarks": five_points},
        )
        skipped += labels.skipped
        frames.append(_labelled(labels, split, base))
    return Sieve(pd.concat(frames, ignore_index=True), skipped), [join(base, name) for name in listing.folders(base)]


def _labelled(labels: Labels, split: str, base: str) -> pd.DataFrame:
    paths = [path.replace("\\", "/") for path in labels.columns["subDirectory_filePath"]]
    numbers = {column: np.array(labels.columns[source]) for column, source in _BOX.items()}
    empty = ~((numbers["box_width"] > 0) & (numbers["box_height"] > 0))
    for values in numbers.values():
        values[empty] = np.nan  # faces that nobody found have no box
    for name in ("valence", "arousal"):
        numbers[name] = np.array(labels.columns[name])
        numbers[name][(numbers[name] < -1) | (numbers[name] > 1)] = np.nan  # -2 stands for "not annotated"
    landmarks = np.frombuffer(b"".join(labels.columns["facial_landmarks"])).reshape(-1, 10)
    return pd.DataFrame(
        {
            "place": [labels.place(row) for row in range(len(labels))],
            "image": [f"{base}/{path}" for path in paths],
            "name": [(path.rpartition(".")[0] or path).replace("/", "_") for path in paths],
            "split": split,
            "code": codes(labels.columns["expression"]),
            **numbers,
            **dict(zip(LANDMARK_COLUMNS, landmarks.T, strict=True)),
        }
    )


def _number(text: str) -> float:
    value = number(text)
    return math.nan if value is None else value


def five_points(text: str) -> bytes:
    """Five landmarks of ``x;y;x;y;...`` of 68 points, as ten doubles; NaN where the text is anything else."""
    fields = text.split(";")
    try:
        xy = [(float(fields[2 * k]), float(fields[2 * k + 1])) for k in _WANTED] if len(fields) == 2 * _POINTS else []
    except ValueError:
        xy = []
    if not xy or not math.isfinite(sum(x + y for x, y in xy)):
        return _NOWHERE
    means = [sum(axis) / len(axis) for start, stop in _EYES for axis in zip(*xy[start:stop], strict=True)]
    return _FIVE.pack(*means, *(value for point in xy[12:] for value in point))


_NUMBERS = dict.fromkeys((*_COLUMNS[1:5], "valence", "arousal"), _number)


def _from_npy(listing: Listing) -> tuple[Sieve, list[str]]:
    frames, skipped, folders = [], [], []
    for split in _FILES:
        folder = listing.find(f"{split}_set/annotations")
        if folder is None:
            skipped.append(Skipped(f"{split}_set/annotations", MISSING_LABELS))
            continue
        names = [name for name in listing.files(folder, (".npy",)) if name.lower().endswith("_exp.npy")]
        stems = [name[: -len("_exp.npy")] for name in names]
        texts = [scalar_text(listing.root / folder / name) or "" for name in names]
        folders.append(f"{split}_set/images")
        frames.append(
            pd.DataFrame(
                {
                    "place": [f"{folder}/{name}" for name in names],
                    "image": [f"{split}_set/images/{stem}.jpg" for stem in stems],
                    "name": [f"{split}_{stem}" for stem in stems],
                    "split": split,
                    "code": codes(texts),
                }
            )
        )
    return Sieve(pd.concat(frames, ignore_index=True), skipped), folders
