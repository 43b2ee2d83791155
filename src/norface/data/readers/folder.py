"""Images in one folder per emotion, with or without a level of train, val and test above."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from norface.data.readers.checked import CheckedReader
from norface.data.readers.contract import DatasetInfo, Problem, Reading, Skipped
from norface.data.readers.layout import IMAGE_SUFFIXES, Listing, has_suffix, join
from norface.data.readers.naming import emotion_named, known_names
from norface.data.readers.reasons import IMAGE_WITHOUT_LABEL
from norface.data.readers.sieve import Sieve
from norface.errors import ConfigError

SPLIT_OF_FOLDER = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
NOT_AN_IMAGE = "not an image"


@dataclass(frozen=True)
class _Classes:
    """Folders with their split (None: no such level) and emotion, and those whose name means no emotion."""

    found: list[tuple[str, str | None, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)


class ImageFolder(CheckedReader):
    """Reads images from one folder per class; folders inside a class belong to it.

    Args:
        classes: What folder names mean that are no emotions, such as ``{"1": "surprise", "2": "fear"}``.
    """

    info = DatasetInfo(
        name="folder",
        title="Your own images, one folder per emotion",
        tasks=("fer",),
        licence="yours",
        source="",
        tree="""\
<root>/
  happy/a.jpg ...      (or train/happy/a.jpg, val/happy/..., test/happy/...)
  sad/b.png ...""",
        subjects_known=False,
    )

    def __init__(self, *, classes: dict[str, str] | None = None) -> None:
        self.classes = {name.lower(): self._meaning(name, text) for name, text in (classes or {}).items()}

    @staticmethod
    def _meaning(name: str, text: str) -> str:
        emotion = emotion_named(text)
        if emotion is None:
            raise ConfigError(
                expected=f"one of {known_names()}",
                found=repr(text),
                where=f"--reader.classes, folder {name!r}",
                action="Name an emotion.",
            )
        return emotion

    def marks(self) -> tuple[str, ...]:
        """See `CheckedReader`. Any folder may be right; `layout` finds out."""
        return ()

    def layout(self, listing: Listing) -> tuple[Problem, ...]:
        """See `CheckedReader`."""
        classes = self._find_classes(listing)
        root = listing.root
        if classes.unknown and classes.found:
            return (self._unknown(classes.unknown),)
        if classes.found:
            return ()
        for name in listing.folders():
            if self._find_classes(Listing(root / name)).found:
                return (self._elsewhere(root, "one level too high", root / name),)
        if self._emotion(root.resolve().name) and listing.files("", IMAGE_SUFFIXES):
            above = root.resolve().parent
            parent = above.parent if above.name.lower() in SPLIT_OF_FOLDER else above
            return (self._elsewhere(root, "too low, inside one class", parent),)
        if classes.unknown:
            return (self._unknown(classes.unknown),)
        found = f"{len(listing.files('', IMAGE_SUFFIXES))} images and no folders" if listing.files() else "no folders"
        return (Problem(str(root), "one folder for each emotion", found, "Sort the images into folders."),)

    def rows(self, listing: Listing) -> Reading:
        """See `CheckedReader`."""
        classes = self._find_classes(listing)
        found: list[dict[str, str | None]] = []
        skipped = [Skipped(path, IMAGE_WITHOUT_LABEL) for path in classes.loose]
        for folder, split, emotion in classes.found:
            for path in listing.walk(folder):
                if has_suffix(path, IMAGE_SUFFIXES):
                    found.append({"place": path, "image": path, "split": split, "emotion": emotion})
                else:
                    skipped.append(Skipped(path, NOT_AN_IMAGE))
        sieve = Sieve(pd.DataFrame(found, columns=["place", "image", "split", "emotion"], dtype="str"), skipped)
        if sieve.rows["split"].isna().all():
            sieve.rows = sieve.rows.drop(columns="split")
        sieve.name_faces(path.rpartition(".")[0] for path in sieve.rows["image"])
        folders = {folder: emotion for folder, _, emotion in classes.found}
        return sieve.reading({"classes": folders})

    def _find_classes(self, listing: Listing) -> _Classes:
        classes = _Classes(loose=listing.files("", IMAGE_SUFFIXES))
        for folder, split in self._tops(listing):
            emotion = self._emotion(folder.rpartition("/")[2])
            if emotion is None:
                classes.unknown.append(folder)
            else:
                classes.found.append((folder, split, emotion))
        for name in listing.folders():
            if self._is_split(listing, name):
                classes.loose.extend(join(name, file) for file in listing.files(name, IMAGE_SUFFIXES))
        return classes

    def _tops(self, listing: Listing) -> Iterator[tuple[str, str | None]]:
        """Folders that should be classes, with the split that they stand in."""
        for name in listing.folders():
            if self._is_split(listing, name):
                yield from ((join(name, inner), SPLIT_OF_FOLDER[name.lower()]) for inner in listing.folders(name))
            else:
                yield name, None

    def _is_split(self, listing: Listing, name: str) -> bool:
        return name.lower() in SPLIT_OF_FOLDER and name.lower() not in self.classes and bool(listing.folders(name))

    def _emotion(self, name: str) -> str | None:
        return self.classes.get(name.lower()) or emotion_named(name)

    def _unknown(self, folders: list[str]) -> Problem:
        return Problem(
            where=folders[0],
            expected=f"folders named after emotions: {known_names()}",
            found=f"{', '.join(repr(folder) for folder in folders[:8])}",
            action='Rename or move these folders, or say what they mean, as in --reader.classes \'{"1": "surprise"}\'.',
        )

    def _elsewhere(self, root: Path, level: str, right: Path) -> Problem:
        expected = "one folder for each emotion, or train, val and test with such folders"
        return Problem(
            str(root), expected, f"a folder {level}: what is looked for lies in {right}", f"Use --root {right}"
        )
