"""SFEW 2.0: frames of films with one of seven emotions.

Dhall, Goecke, Lucey, Gedeon, "Static facial expression analysis in tough conditions", ICCV workshops 2011; version 2
came with the challenge EmotiW 2015, https://cs.anu.edu.au/few/.
"""

from __future__ import annotations

from typing import Literal

import pandas as pd

from norface.data.readers.checked import CheckedReader
from norface.data.readers.contract import DatasetInfo, Problem, Reading, Skipped
from norface.data.readers.layout import IMAGE_SUFFIXES, Listing, join
from norface.data.readers.reasons import IMAGE_WITHOUT_LABEL, MISSING_FOLDER
from norface.data.readers.sieve import Sieve

EMOTIONS_BY_FOLDER = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happy",
    "neutral": "neutral",
    "sad": "sad",
    "surprise": "surprise",
}
_PARTS = {"train": "Train", "val": "Val"}
_UNLABELLED = "Test"


class Sfew(CheckedReader):
    """Reads SFEW 2.0. Test images have no public labels and are left out; the literature tests on ``val``.

    Args:
        images: ``original``: the frames; ``aligned``: the owner's crops.
    """

    info = DatasetInfo(
        name="sfew",
        title="SFEW 2.0 (Static Facial Expressions in the Wild)",
        tasks=("fer",),
        licence="non-commercial research, on request",
        source="https://cs.anu.edu.au/few/",
        tree="""\
SFEW_2/
  Train/<Angry|Disgust|Fear|Happy|Neutral|Sad|Surprise>/<film>_<time>_<number>.png
  Val/<Angry|...>/...
  Test/...                                              (no labels)
with images=aligned: Train_Aligned_Faces/, Val_Aligned_Faces/ (also inside Train/ and Val/, also with _new)""",
        emotions=("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger"),
        subjects_known=False,
    )

    def __init__(self, *, images: Literal["original", "aligned"] = "original") -> None:
        self.images = images

    def marks(self) -> tuple[str, ...]:
        """See `CheckedReader`."""
        return tuple(folder for part in _PARTS.values() for folder in self._places(part))

    def layout(self, listing: Listing) -> tuple[Problem, ...]:
        """See `CheckedReader`."""
        folders = [folder for part in _PARTS.values() if (folder := self._folder(listing, part))]
        classes = [name for folder in folders for name in listing.folders(folder)]
        if any(name.lower() in EMOTIONS_BY_FOLDER for name in classes):
            return ()
        found = ", ".join(classes[:8]) or "no folders"
        action = "Unpack the archives of the training and validation images there."
        if any("aligned" in name.lower() for name in classes) and self.images == "original":
            action = "Use --reader.images aligned, or unpack the original frames."
        return (Problem(folders[0], "one folder for each emotion", found, action),)

    def rows(self, listing: Listing) -> Reading:
        """See `CheckedReader`."""
        found: list[dict[str, str]] = []
        skipped: list[Skipped] = []
        for split, part in _PARTS.items():
            folder = self._folder(listing, part)
            if folder is None:
                skipped.append(Skipped(self._places(part)[0], MISSING_FOLDER))
                continue
            skipped += [Skipped(join(folder, n), IMAGE_WITHOUT_LABEL) for n in listing.files(folder, IMAGE_SUFFIXES)]
            for name in listing.folders(folder):
                emotion = EMOTIONS_BY_FOLDER.get(name.lower())
                paths = [join(join(folder, name), file) for file in listing.files(join(folder, name), IMAGE_SUFFIXES)]
                if emotion is None:
                    skipped += [Skipped(path, IMAGE_WITHOUT_LABEL) for path in paths]
                    continue
                found += [{"place": p, "image": p, "split": split, "emotion": emotion} for p in paths]
        test = self._folder(listing, _UNLABELLED)
        skipped += [
            Skipped(p, "test image, label not public") for p in listing.walk(test or "", IMAGE_SUFFIXES) if test
        ]
        sieve = Sieve(pd.DataFrame(found, columns=["place", "image", "split", "emotion"], dtype="str"), skipped)
        stems = sieve.rows["image"].str.rpartition("/")[2].str.rpartition(".")[0] if found else ()
        sieve.name_faces(stems)
        return sieve.reading({"images": self.images} | ({"frame": "sfew-aligned"} if self.images == "aligned" else {}))

    def _places(self, part: str) -> tuple[str, ...]:
        if self.images == "original":
            return (part,)
        names = (f"{part}_Aligned_Faces", f"{part}_Aligned_Faces_new")
        return (*names, *(join(part, name) for name in names))

    def _folder(self, listing: Listing, part: str) -> str | None:
        return next((folder for folder in map(listing.find, self._places(part)) if folder), None)
