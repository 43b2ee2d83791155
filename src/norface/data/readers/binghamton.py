"""What BP4D and BP4D+ have in common: a label file for each recording, pictures in folders or an archive per person.

Layout as in public code that reads the releases: rPPG-Toolbox ``BP4DPlusBigSmallLoader.py``, ME-GraphAU
``BP4D_image_label_process.py``, OpenFace ``extract_BP4D_labels.m`` and py-feat ``extract_au_training_features.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from norface.data.readers.checked import CheckedReader
from norface.data.readers.coding import MISSING_CODE, Coding, au_in_name, read_intensity, read_occurrence
from norface.data.readers.contract import Problem, Reading, Skipped
from norface.data.readers.layout import IMAGE_SUFFIXES, Listing, join
from norface.data.readers.reasons import NOT_A_LABEL_FILE
from norface.data.readers.recordings import (
    Columns,
    FrameTable,
    Pictures,
    add_first,
    in_archive,
    in_folder,
    incomplete,
    merge,
    note_uncoded,
)

CODING = "AUCoding"
FERA_INTENSITY = "AU Intensity Codes3.0"
FERA = "FERA 2015"
RELEASE = "2D+3D"

Sequence = tuple[str, str]
"""Subject and task, such as ``("F001", "T1")``."""

_SUBJECT = re.compile(r"[FM]\d{3}", re.ASCII | re.IGNORECASE)
_ARCHIVE = re.compile(r"([FM]\d{3})\.(?:zip|tar)", re.ASCII | re.IGNORECASE)
_TASK = re.compile(r"T\d{1,2}", re.ASCII | re.IGNORECASE)
_LABELS = re.compile(r"([FM]\d{3})_(T\d{1,2})(?:_AU0*(\d{1,3}))?\.csv", re.ASCII | re.IGNORECASE)
_USUAL_FOLDERS = ("2D+3D", "Sequences", "Sequences(2D+3D)", "Sequences_2D+3D", "BP4D-training")


@dataclass
class _Files:
    """Label files by recording. `occurrence` has one path, `intensity` one for each action unit."""

    release: str
    occurrence: dict[Sequence, str] = field(default_factory=dict)
    intensity: dict[Sequence, dict[int, str]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)

    def sequences(self) -> list[Sequence]:
        return sorted(set(self.occurrence) | set(self.intensity))


class RecordingReader(CheckedReader):
    """Reads a data set of Binghamton University.

    Args:
        first_image: Number of the picture that belongs to frame 1 of the labels. 1: the label of frame k belongs to
            the picture with number k, as in published work. 0: to the picture with number k - 1.
    """

    expected: tuple[Sequence, ...]
    """All recordings that the owner coded."""

    def __init__(self, *, first_image: Literal[0, 1] = 1) -> None:
        self.first_image = first_image

    def left_out(self, sequence: Sequence, frames: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.bool_], str]]:
        """Which frames of a recording the protocol leaves out, ``(N,)`` masks, and why."""
        return iter(())

    def occluded_out(self, release: str) -> bool:
        """Whether frames that the label file flags as hidden are left out."""
        return False

    def marks(self) -> tuple[str, ...]:
        """See `CheckedReader`."""
        return (CODING,)

    def layout(self, listing: Listing) -> tuple[Problem, ...]:
        """See `CheckedReader`."""
        files, images = _label_files(listing), _image_folder(listing)
        found = files.sequences()
        problems = []
        if not found:
            there = ", ".join((listing.folders(CODING) + listing.files(CODING))[:6]) or "nothing"
            expected, action = "AU_OCC/F001_T1.csv and others", "Unpack the action unit codes there."
            problems.append(Problem(CODING, expected, there, action))
        if images is None:
            expected, action = "2D+3D/F001/T1/0001.jpg and others", "Unpack them, or put the archives there."
            problems.append(Problem(str(listing.root), expected, ", ".join(listing.folders()[:8]), action))
        if found:
            wanted, labelled = (["_".join(sequence) for sequence in some] for some in (self.expected, found))
            problems += incomplete(CODING, "recordings with labels", wanted, set(labelled))
        if found and not files.intensity:
            what = "AU_INT/AU06/F001_T1_AU06.csv and others"
            problems.append(Problem(CODING, what, "no intensities", "Nothing, if occurrence is enough.", False))
        if found and images is not None and self.first_image == 1:
            problems += _counted_from_zero(_Store(listing, images), found)
        return tuple(problems)

    def rows(self, listing: Listing) -> Reading:
        """See `CheckedReader`."""
        files, folder = _label_files(listing), _image_folder(listing) or ""
        store, table = _Store(listing, folder), FrameTable()
        table.skipped += files.skipped
        unnamed: set[str] = set()
        for subject, sequences in groupby(files.sequences(), key=lambda sequence: sequence[0]):
            tasks = [task for _, task in sequences]
            for task in tasks:
                unnamed |= self._add(table, listing, files, (subject, task), store.find(subject, task))
            table.skipped += store.unlabelled(subject, tasks)
        table.skipped += store.strangers({subject for subject, _ in files.sequences()})
        facts = {
            "release": files.release,
            "occurrence": f"as coded; code {MISSING_CODE} = missing",
            "intensity": f"as coded, 0 to 5; code {MISSING_CODE} = missing" if files.intensity else "none",
            "first_image": self.first_image,
            "columns_without_action_unit": sorted(unnamed, key=lambda name: (len(name), name)),
        }
        return Reading(table.rows(), tuple(table.skipped), facts)

    def _add(
        self, table: FrameTable, listing: Listing, files: _Files, sequence: Sequence, pictures: Pictures
    ) -> set[str]:
        """Add one recording; returns the headings that name no action unit."""
        codings = list(_codings(listing, files, sequence))
        frames, columns = merge(codings)
        for _, coding in codings:
            table.skipped += coding.skipped
        table.skipped += pictures.skipped
        where = files.occurrence.get(sequence) or next(iter(files.intensity[sequence].values()))
        reasons = [*self.left_out(sequence, frames)]
        if self.occluded_out(files.release):
            reasons += [(np.isin(frames, hidden), "occluded") for hidden in _occluded(codings)]
        keep = np.ones(len(frames), bool)
        for mask, why in reasons:
            table.skipped += [Skipped(f"{where} frame {frame}", why) for frame in frames[mask & keep].tolist()]
            keep &= ~mask
        kept: Columns = {name: values[keep] for name, values in columns.items()}
        name, shift = "_".join(sequence), self.first_image - 1
        table.add(
            sequence[0],
            where,
            frames[keep],
            kept,
            face_id=lambda frame: f"{name}_{frame}",
            image=lambda frame: pictures.references.get(frame + shift),
        )
        used = np.isin(list(pictures.references), frames + shift).sum()
        table.skipped += note_uncoded(pictures, int(used))
        return {heading for _, coding in codings for heading in coding.unnamed}


def _occluded(codings: list[tuple[str, Coding]]) -> Iterator[NDArray[np.int64]]:
    for _, coding in codings:
        if coding.occluded is not None:
            yield coding.frames[coding.occluded]


def _codings(listing: Listing, files: _Files, sequence: Sequence) -> Iterator[tuple[str, Coding]]:
    if sequence in files.occurrence:
        path = files.occurrence[sequence]
        yield "c", read_occurrence(listing.root, path, flag_last=files.release == FERA)
    for au, path in sorted(files.intensity.get(sequence, {}).items()):
        yield "r", read_intensity(listing.root, path, au, missing=MISSING_CODE)


def _label_files(listing: Listing) -> _Files:
    """All label files, by what their own names say; a file in the folder of another action unit is left out."""
    coding = _unwrapped(listing, CODING)
    in_fera = not listing.find(f"{coding}/AU_OCC") and any(map(_LABELS.fullmatch, listing.files(coding)))
    release = FERA if in_fera else RELEASE
    occurrence = coding if in_fera else _unwrapped(listing, f"{coding}/AU_OCC")
    places = [_unwrapped(listing, folder) for folder in (f"{coding}/AU_INT", FERA_INTENSITY)]
    intensity = next((place for place in places if listing.find(place)), places[0])
    files = _Files(release)
    for name in listing.files(occurrence, (".csv",)):
        match = _LABELS.fullmatch(name)
        if match and not match[3]:
            path = join(listing.find(occurrence) or occurrence, name)
            files.skipped += add_first(files.occurrence, (match[1].upper(), match[2].upper()), path)
        else:
            files.skipped.append(Skipped(join(occurrence, name), NOT_A_LABEL_FILE))
    for folder in listing.folders(intensity):
        inside = join(listing.find(intensity) or intensity, folder)
        for name in listing.files(inside, (".csv",)):
            match = _LABELS.fullmatch(name)
            if match and match[3] and int(match[3]) == au_in_name(folder):
                of_sequence = files.intensity.setdefault((match[1].upper(), match[2].upper()), {})
                files.skipped += add_first(of_sequence, int(match[3]), join(inside, name))
            else:
                files.skipped.append(Skipped(join(inside, name), NOT_A_LABEL_FILE))
    return files


def _unwrapped(listing: Listing, folder: str) -> str:
    """A folder, or the one of the same name in it, which some programs make when they unpack."""
    inner = join(folder, folder.rpartition("/")[2])
    return inner if listing.find(inner) else folder


def _image_folder(listing: Listing) -> str | None:
    """The folder that holds the subjects' folders or archives; the documented names are looked at first."""
    usual = [folder for name in _USUAL_FOLDERS if (folder := listing.find(name)) is not None]
    top = [*usual, *(name for name in listing.folders() if name not in usual)]
    below = [join(folder, name) for folder in top for name in listing.folders(folder) if not _SUBJECT.fullmatch(name)]
    return next((folder for folder in (*top, "", *below) if _has_pictures(listing, folder)), None)


def _has_pictures(listing: Listing, folder: str) -> bool:
    if any(_ARCHIVE.fullmatch(name) for name in listing.files(folder)):
        return True
    subjects = [join(folder, name) for name in listing.folders(folder) if _SUBJECT.fullmatch(name)]
    tasks = (join(path, name) for path in subjects[:3] for name in listing.folders(path) if _TASK.fullmatch(name))
    return any(listing.files(task, IMAGE_SUFFIXES) for task in tasks)


class _Store:
    """Pictures by recording; of the archives one is held at a time."""

    def __init__(self, listing: Listing, folder: str) -> None:
        self.listing, self.folder = listing, folder
        self._subject = ""
        self._archived: dict[str, Pictures] = {}
        self._skipped: tuple[Skipped, ...] = ()

    def find(self, subject: str, task: str) -> Pictures:
        pictures = in_folder(self.listing, join(self.folder, f"{subject}/{task}"))
        return pictures if pictures.references else self._in_archive(subject).get(task, pictures)

    def _in_archive(self, subject: str) -> dict[str, Pictures]:
        if self._subject != subject:
            paths = (self.listing.find(join(self.folder, f"{subject}{suffix}")) for suffix in (".zip", ".tar"))
            path = next((path for path in paths if path), None)
            self._subject = subject
            self._archived, self._skipped = in_archive(self.listing.root, path, subject) if path else ({}, ())
        return self._archived

    def unlabelled(self, subject: str, labelled: list[str]) -> list[Skipped]:
        """Tasks of a subject that nobody coded, and what its archive holds besides."""
        folder = join(self.folder, subject)
        tasks = {name.upper(): join(folder, name) for name in self.listing.folders(folder) if _TASK.fullmatch(name)}
        tasks |= {task: pictures.where for task, pictures in self._in_archive(subject).items()}
        rest = [Skipped(where, "task without labels") for task, where in sorted(tasks.items()) if task not in labelled]
        return [*rest, *self._skipped]

    def strangers(self, labelled: set[str]) -> list[Skipped]:
        """Subjects without a label file."""
        names = {name: name for name in self.listing.folders(self.folder) if _SUBJECT.fullmatch(name)}
        matches = (_ARCHIVE.fullmatch(name) for name in self.listing.files(self.folder))
        names |= {match[1]: match[0] for match in matches if match}
        unknown = sorted(place for name, place in names.items() if name.upper() not in labelled)
        return [Skipped(join(self.folder, name), "subject without labels") for name in unknown]


def _counted_from_zero(store: _Store, sequences: list[Sequence]) -> list[Problem]:
    """Whether the first recording that has pictures counts them from 0, which is a question for the user."""
    found = (store.find(*sequence) for sequence in sequences[:8])
    pictures = next((pictures for pictures in found if pictures.references), None)
    if pictures is None or 0 not in pictures.references:
        return []
    action = (
        "Nothing, to pair equal numbers as published work does; or first_image=0, to pair frame k with picture k - 1."
    )
    return [
        Problem(pictures.where, "pictures that count from 1, as labels do", "a picture with number 0", action, False)
    ]
