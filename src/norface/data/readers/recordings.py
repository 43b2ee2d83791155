"""Recordings whose frames are coded one by one: their pictures by number, and the rows that label and picture make.

Labels count frames from 1. Where the pictures count from 0, frame k of the labels is picture k - 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from norface.data.readers.coding import Coding
from norface.data.readers.contract import Problem, Skipped
from norface.data.readers.layout import IMAGE_SUFFIXES, Listing, by_frame_number, fold, has_suffix, is_utf8
from norface.data.readers.reasons import IMAGE_WITHOUT_LABEL, LABEL_WITHOUT_IMAGE, NOT_UTF8, UNREADABLE_ARCHIVE
from norface.errors import ConfigError, ImageError
from norface.labels import MAX_INTENSITY, au_column

SECOND_PICTURE = "second picture of a frame, or a name without a number"
OTHER_PICTURES = "not the pictures of a task of this subject"
SECOND_FILE = "second label file"
BAD_FRAME = "bad frame"

_PERSON = re.compile(r"[fm]\d{3}", re.ASCII)
_TASK = re.compile(r"t\d{1,2}", re.ASCII)
Columns = dict[str, NDArray[np.float64]]
Key = TypeVar("Key")


@dataclass(frozen=True)
class Pictures:
    """The pictures of one recording.

    Args:
        where: Their folder, or ``archive.zip!folder``, relative to the root.
        references: Reference of each picture by its number.
        skipped: What else is there that looks like a picture.
    """

    where: str
    references: Mapping[int, str] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()

    def without_label(self, labelled: NDArray[np.int64]) -> list[Skipped]:
        """Pictures whose numbers no label has."""
        numbers = set(labelled.tolist())
        return [Skipped(path, IMAGE_WITHOUT_LABEL) for number, path in self.references.items() if number not in numbers]


def in_folder(listing: Listing, folder: str) -> Pictures:
    """Pictures in a folder; none where it is not there. The padding of their numbers does not matter."""
    true = listing.find(folder) or folder
    return _by_number(true, f"{true}/", listing.files(folder, IMAGE_SUFFIXES))


def in_archive(root: Path, archive: str, subject: str) -> tuple[dict[str, Pictures], tuple[Skipped, ...]]:
    """Pictures of one subject by task (``T1``), in an archive that is listed but not unpacked.

    Args:
        root: The data set's folder.
        archive: Path of a .zip or .tar file with ``F001/T1/0001.jpg`` or ``T1/0001.jpg`` in it, at any depth.
        subject: Such as ``F001``; folders of other subjects are passed over.
    """
    from norface.imaging.sources import ImageRoot  # late: listing data sets needs no decoder

    try:
        members = ImageRoot(root).members(archive)
    except ImageError:
        return {}, (Skipped(archive, UNREADABLE_ARCHIVE),)
    folders: dict[str, list[str]] = {}
    for member in members:
        folder, _, name = member.rpartition("/")
        if has_suffix(name, IMAGE_SUFFIXES) and not name.startswith(".") and "__MACOSX" not in folder:
            folders.setdefault(folder, []).append(name)
    found: dict[str, Pictures] = {}
    skipped: list[Skipped] = []
    for folder, names in sorted(folders.items()):
        *above, task = fold(folder).split("/")
        others = {name for name in above if _PERSON.fullmatch(name)} - {fold(subject)}
        where = f"{archive}!{folder}"
        if not is_utf8("".join((folder, *names))):
            skipped.append(Skipped(where.encode(errors="backslashreplace").decode(), NOT_UTF8))
        elif not _TASK.fullmatch(task) or others or task.upper() in found:
            skipped.append(Skipped(f"{where} ({len(names)} pictures)", OTHER_PICTURES))
        else:
            found[task.upper()] = _by_number(where, f"{where}/", names)
    return found, tuple(skipped)


def _by_number(where: str, prefix: str, names: Iterable[str]) -> Pictures:
    numbered, left_out = by_frame_number(names)
    references = {number: f"{prefix}{name}" for number, name in numbered.items()}
    return Pictures(where, references, tuple(Skipped(f"{prefix}{name}", SECOND_PICTURE) for name in left_out))


def add_first(files: dict[Key, str], key: Key, path: str) -> tuple[Skipped, ...]:
    """Remember the label file of `key`; a second one, such as ``AU01.txt`` beside ``AU1.txt``, is left out."""
    return () if files.setdefault(key, path) == path else (Skipped(path, SECOND_FILE),)


def merge(codings: Sequence[tuple[str, Coding]]) -> tuple[NDArray[np.int64], Columns]:
    """The labels of several files about one recording.

    Args:
        codings: Each with ``"c"`` (occurrence) or ``"r"`` (intensity).

    Returns:
        ``(N,)`` frames of any of them, ascending, and ``(N,)`` labels by column, NaN = missing.
    """
    frames = np.unique(np.concatenate([coding.frames for _, coding in codings]))
    columns: Columns = {}
    for kind, coding in codings:
        rows = np.searchsorted(frames, coding.frames)
        for k, au in enumerate(coding.aus):
            columns[au_column(au, kind)] = np.full(len(frames), np.nan)
            columns[au_column(au, kind)][rows] = coding.codes[:, k]
    return frames, columns


def frame_set(ranges: str) -> NDArray[np.int64]:
    """Frames of a list like ``398-420,3190``; both ends belong to a range."""
    ends = [[int(end) for end in part.split("-")] for part in ranges.split(",") if part]
    return np.concatenate([np.zeros(0, np.int64), *(np.arange(end[0], end[-1] + 1, dtype=np.int64) for end in ends)])


class FrameTable:
    """Rows of all recordings, and everything that became no row."""

    def __init__(self) -> None:
        self.skipped: list[Skipped] = []
        self._text: dict[str, list[str]] = {"face_id": [], "image": [], "subject": []}
        self._columns: list[tuple[int, Columns]] = []

    def add(
        self,
        subject: str,
        where: str,
        frames: NDArray[np.int64],
        columns: Columns,
        *,
        face_id: Callable[[int], str],
        image: Callable[[int], str | None],
    ) -> int:
        """One recording.

        Args:
            subject: Who it shows.
            where: Its label file or files, for the list of what is left out.
            frames: ``(N,)`` frame numbers of the labels.
            columns: ``(N,)`` labels by column.
            face_id: Name of a frame, unique among all.
            image: Reference of a frame's picture, None where there is none; such frames are left out.

        Returns:
            How many frames became rows.
        """
        numbers = frames.tolist()
        images = [image(frame) for frame in numbers]
        there = np.array([found is not None for found in images], bool)
        count = int(there.sum())
        self.skipped += [
            Skipped(f"{where} frame {frame}", LABEL_WITHOUT_IMAGE)
            for frame, found in zip(numbers, images, strict=True)
            if found is None
        ]
        self._text["image"] += [found for found in images if found is not None]
        self._text["face_id"] += [face_id(frame) for frame in frames[there].tolist()]
        self._text["subject"] += [subject] * count
        self._columns.append((count, {name: values[there] for name, values in columns.items()}))
        return count

    def rows(self) -> pd.DataFrame:
        """All rows; of the labels, those columns of which any is known, occurrence first, ascending."""
        names = sorted({name for _, columns in self._columns for name in columns}, key=lambda name: (name[-1], name))
        labels: Columns = {}
        for name in names:
            parts = [columns.get(name, np.full(count, np.nan)) for count, columns in self._columns]
            labels[name] = np.concatenate(parts)
        texts = {name: pd.Series(values, dtype="str") for name, values in self._text.items()}
        return pd.DataFrame({**texts, **{name: v for name, v in labels.items() if not np.isnan(v).all()}})


def note_uncoded(pictures: Pictures, used: int) -> tuple[Skipped, ...]:
    """One entry for all pictures of a recording that nobody coded: hundreds of thousands are uncoded on purpose."""
    left = len(pictures.references) - used
    return (Skipped(f"{pictures.where} ({left} pictures)", "pictures outside the coded part"),) if left else ()


def incomplete(where: str, what: str, wanted: Sequence[str], found: Collection[str]) -> tuple[Problem, ...]:
    """One problem, not fatal, where the owner delivers more than what is there.

    Args:
        where: Folder relative to the root.
        what: What there should be of each, in words.
        wanted: Everything that the owner delivers.
        found: What is there.
    """
    absent = [name for name in wanted if name not in found]
    if not absent:
        return ()
    lack = f"{len(wanted) - len(absent)}, without {', '.join(absent[:4])}{' ...' if len(absent) > 4 else ''}"
    action = "Copy the others from the data set's archive, or do without them."
    return (Problem(where, f"{len(wanted)} {what}", lack, action, fatal=False),)


def check_threshold(threshold: int) -> None:
    """Whether occurrence can be told from intensity.

    Raises:
        ConfigError: The threshold is not among 1 to 5.
    """
    if not 1 <= threshold <= MAX_INTENSITY:
        raise ConfigError(
            expected=f"an intensity from 1 to {MAX_INTENSITY:g}",
            found=str(threshold),
            where="threshold",
            action="Use 2, as most published work does.",
        )


def with_occurrence(columns: Columns, threshold: int) -> Columns:
    """Intensities and, beside them, whether each reaches the threshold; NaN where the intensity is missing."""
    occurrence = {
        f"{name[:-1]}c": np.where(np.isnan(values), np.nan, values >= threshold) for name, values in columns.items()
    }
    return {**columns, **occurrence}
