"""DISFA+: nine people of DISFA who pose action units, each frame coded for the intensity of twelve.

Mavadati, Sanger, Mahoor, "Extended DISFA dataset: investigating posed and spontaneous facial expressions", CVPR
Workshops 2016. Layout and frame count (57,150) as in py-feat ``feat/evaluation/datasets.py``. All nine are in DISFA
too: a model that is tested here must not have been trained on them there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from norface.data.readers.checked import CheckedReader
from norface.data.readers.coding import au_in_name, read_intensity
from norface.data.readers.contract import DatasetInfo, Problem, Reading, Skipped
from norface.data.readers.disfa import AUS
from norface.data.readers.layout import Listing, fold, join
from norface.data.readers.reasons import NOT_A_LABEL_FILE
from norface.data.readers.recordings import (
    FrameTable,
    add_first,
    check_threshold,
    in_folder,
    incomplete,
    merge,
    with_occurrence,
)
from norface.labels import OCCURRENCE_THRESHOLD

LABELS, IMAGES = "Labels", "Images"
SUBJECTS = ("SN001", "SN003", "SN004", "SN007", "SN009", "SN010", "SN013", "SN025", "SN027")

_SUBJECT = re.compile(r"SN\d{3}", re.ASCII | re.IGNORECASE)


@dataclass
class _Files:
    """Label file of each action unit by subject and trial."""

    labels: dict[tuple[str, str], dict[int, str]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)


class DisfaPlus(CheckedReader):
    """Reads DISFA+.

    Args:
        threshold: An action unit counts as present from this intensity on.

    Raises:
        ConfigError: The threshold is not among 1 to 5.
    """

    info = DatasetInfo(
        name="disfa_plus",
        title="DISFA+ (Extended DISFA)",
        tasks=("au", "au-intensity"),
        licence="research, signed agreement with the University of Denver",
        source="https://mohammadmahoor.com/pages/databases/disfa_plus/",
        tree="""\
DISFAPlusDataset/
  Images/SN001/A1_AU1_TrailNo_1/000.jpg ...   (sic)
  Labels/SN001/A1_AU1_TrailNo_1/AU1.txt ...   (lines that begin with #; then name of the picture, intensity 0 to 5)""",
        aus=AUS,
        literature={"faces": 57_150, "subjects": len(SUBJECTS)},
    )

    def __init__(self, *, threshold: int = int(OCCURRENCE_THRESHOLD)) -> None:
        check_threshold(threshold)
        self.threshold = threshold

    def marks(self) -> tuple[str, ...]:
        """See `CheckedReader`."""
        return (LABELS, IMAGES)

    def layout(self, listing: Listing) -> tuple[Problem, ...]:
        """See `CheckedReader`."""
        files = _label_files(listing)
        problems = []
        if not files.labels:
            there = ", ".join(listing.folders(LABELS)[:6]) or "nothing"
            expected, action = "SN001/A1_AU1_TrailNo_1/AU1.txt and others", "Unpack the labels there."
            problems.append(Problem(LABELS, expected, there, action))
        if not any(map(_SUBJECT.fullmatch, listing.folders(IMAGES))):
            there = ", ".join(listing.folders(IMAGES)[:6]) or "nothing"
            expected, action = "SN001/A1_AU1_TrailNo_1/000.jpg and others", "Unpack the pictures there."
            problems.append(Problem(IMAGES, expected, there, action))
        if files.labels:
            problems += incomplete(LABELS, "people with labels", SUBJECTS, {subject for subject, _ in files.labels})
        for (subject, trial), of_trial in sorted(files.labels.items()):
            wanted, found = ([f"AU{au}.txt" for au in aus] for aus in (AUS, of_trial))
            problems += incomplete(f"{LABELS}/{subject}/{trial}", "label files", wanted, found)
        return tuple(problems)

    def rows(self, listing: Listing) -> Reading:
        """See `CheckedReader`."""
        files, table = _label_files(listing), FrameTable()
        table.skipped += files.skipped
        for (subject, trial), of_trial in sorted(files.labels.items()):
            codings = [
                ("r", read_intensity(listing.root, path, au, separator=None)) for au, path in sorted(of_trial.items())
            ]
            pictures = in_folder(listing, f"{IMAGES}/{subject}/{trial}")
            table.skipped += [*(one for _, coding in codings for one in coding.skipped), *pictures.skipped]
            frames, columns = merge(codings)
            table.add(
                subject,
                f"{LABELS}/{subject}/{trial}",
                frames,
                with_occurrence(columns, self.threshold),
                face_id=f"{subject}_{trial}_{{:03d}}".format,
                image=pictures.references.get,
            )
            table.skipped += pictures.without_label(frames)
        table.skipped += _without_labels(listing, files)
        facts = {"occurrence": f"intensity >= {self.threshold}", "threshold": self.threshold}
        return Reading(table.rows(), tuple(table.skipped), facts)


def _label_files(listing: Listing) -> _Files:
    """All label files, by what their own names say."""
    files = _Files()
    for subject in filter(_SUBJECT.fullmatch, listing.folders(LABELS)):
        for trial in listing.folders(f"{LABELS}/{subject}"):
            folder = f"{LABELS}/{subject}/{trial}"
            for name in listing.files(folder, (".txt",)):
                au = au_in_name(name[:-4])
                path = join(listing.find(folder) or folder, name)
                if au is None or not name.lower().startswith("au"):
                    files.skipped.append(Skipped(path, NOT_A_LABEL_FILE))
                else:
                    files.skipped += add_first(files.labels.setdefault((subject.upper(), trial), {}), au, path)
    return files


def _without_labels(listing: Listing, files: _Files) -> list[Skipped]:
    """Trials that have pictures only."""
    known = {(subject, fold(trial)) for subject, trial in files.labels}
    return [
        Skipped(f"{IMAGES}/{subject}/{trial}", "trial without labels")
        for subject in filter(_SUBJECT.fullmatch, listing.folders(IMAGES))
        for trial in listing.folders(f"{IMAGES}/{subject}")
        if (subject.upper(), fold(trial)) not in known
    ]
