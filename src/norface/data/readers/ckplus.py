"""CK+ (Extended Cohn-Kanade): 593 short sequences from a neutral face to a posed expression, 123 people.

Lucey et al., "The extended Cohn-Kanade dataset (CK+): a complete dataset for action unit and emotion-specified
expression", CVPR workshops 2010. Files and codes as in the owner's readme.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd

from norface.data.readers.checked import CheckedReader
from norface.data.readers.contract import DatasetInfo, Problem, Reading, Skipped
from norface.data.readers.layout import IMAGE_SUFFIXES, Listing, by_frame_number, fold, frame_number, join
from norface.data.readers.parsing import code, number, text_lines
from norface.data.readers.reasons import (
    CONTRADICTION,
    IMAGE_WITHOUT_LABEL,
    LABEL_WITHOUT_IMAGE,
    MISSING_FIRST_FRAME,
    MISSING_LABELS,
    SURPLUS_FRAME,
    UNREADABLE,
    unknown_code,
)
from norface.labels import MAX_INTENSITY, au_column

EMOTIONS_BY_CODE = {
    0: "neutral",
    1: "anger",
    2: "contempt",
    3: "disgust",
    4: "fear",
    5: "happy",
    6: "sad",
    7: "surprise",
}
PEAK_FRAMES = 3
"""So many frames at the end of a sequence show its emotion, by convention; the first shows a neutral face."""

NO_EMOTION = "sequence without emotion"
_TIME_CODE = 10_000  # some sequences number their frames by time codes, which jump
_IMAGES = ("cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images", "extended-cohn-kanade-images")
_EMOTIONS = ("Emotion", "Emotion_labels/Emotion", "Emotion_labels")
_FACS = ("FACS", "FACS_labels/FACS", "FACS_labels")
_SEQUENCES = {"anger": 45, "contempt": 18, "disgust": 59, "fear": 25, "happy": 69, "sad": 28, "surprise": 83}
_AUS = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 23, 24, 25, 26, 27, 28, 29, 31, 34, 38, 39, 43)


class CkPlus(CheckedReader):
    """Reads CK+.

    Of a sequence with an emotion: its first frame as neutral, its last three with the emotion. Of one without: the last
    frame alone, for its action units. Action units are coded for the last frame only, all of them: one that is not
    listed is absent. An intensity that the owner does not give (0 beside a listed unit) is missing.
    """

    info = DatasetInfo(
        name="ckplus",
        title="CK+ (Extended Cohn-Kanade)",
        tasks=("fer", "au"),
        licence="non-commercial research, on request",
        source="http://www.jeffcohn.net/Resources/",
        tree="""\
CK+/
  cohn-kanade-images/S005/001/S005_001_00000001.png ...
  Emotion/S005/001/S005_001_00000011_emotion.txt   (327 of 593 sequences)
  FACS/S005/001/S005_001_00000011_facs.txt         (optional)""",
        emotions=("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"),
        aus=_AUS,
        literature={"subjects": 123, "neutral": 327} | {name: PEAK_FRAMES * n for name, n in _SEQUENCES.items()},
    )

    def marks(self) -> tuple[str, ...]:
        """See `CheckedReader`."""
        return (*_IMAGES, *_EMOTIONS)

    def layout(self, listing: Listing) -> tuple[Problem, ...]:
        """See `CheckedReader`."""
        wanted = (
            (_IMAGES, "the images", "Unpack extended-cohn-kanade-images.zip there."),
            (_EMOTIONS, "the emotions", "Unpack Emotion_labels.zip there."),
        )
        found = ", ".join((listing.folders() + listing.files())[:8])
        return tuple(
            Problem(places[0], what, found, action)
            for places, what, action in wanted
            if _first(listing, places) is None
        )

    def rows(self, listing: Listing) -> Reading:
        """See `CheckedReader`."""
        work = _Work(listing, _first(listing, _EMOTIONS) or "", _first(listing, _FACS))
        images = _first(listing, _IMAGES) or ""
        if work.facs is None:
            work.skipped.append(Skipped(_FACS[0], MISSING_LABELS))
        sequences = [(s, q) for s in listing.folders(images) for q in listing.folders(join(images, s))]
        rows = [row for subject, name in sequences for row in _sequence(work, images, subject, name)]
        work.count_labels_without_images(set(sequences))
        aus = {au_column(au, kind) for au in _AUS for kind in "cr"} if work.facs else set()
        columns = ["face_id", "image", "subject", "emotion", *sorted(aus)]
        frame = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[:4], "str"))
        facts = {
            "frames": f"first of a sequence as neutral, last {PEAK_FRAMES} with its emotion",
            "unused": work.unused,
        }
        return Reading(frame, tuple(work.skipped), facts)


@dataclass
class _Work:
    """Where labels are, and what was left out so far."""

    listing: Listing
    emotions: str
    facs: str | None
    skipped: list[Skipped] = field(default_factory=list)
    unused: int = 0

    def skip(self, what: str, why: str) -> None:
        self.skipped.append(Skipped(what, why))

    def emotion(self, sequence: str, frames: dict[int, str]) -> tuple[int, str] | None:
        """Frame and emotion of a sequence's peak."""
        labels: set[tuple[int, str]] = set()
        paths = self._paths(self.emotions, sequence)
        for path in paths:
            texts = [text for _, line in text_lines(self.listing.root, path) for text in line.split()]
            value = code(texts[0]) if len(texts) == 1 else None
            peak = frame_number(path.lower().removesuffix(".txt").removesuffix("_emotion"))
            if value is None or peak is None:
                self.skip(path, UNREADABLE)
            elif value not in EMOTIONS_BY_CODE:
                self.skip(path, unknown_code(value))
            elif peak not in frames:
                self.skip(path, LABEL_WITHOUT_IMAGE)
            else:
                labels.add((peak, EMOTIONS_BY_CODE[value]))
        if len(labels) > 1:
            self.skip(paths[0], CONTRADICTION)
        return labels.pop() if len(labels) == 1 else None

    def action_units(self, sequence: str, frames: dict[int, str]) -> tuple[int, dict[str, float]] | None:
        """Frame and AU columns of a sequence's peak."""
        paths = self._paths(self.facs, sequence) if self.facs else []
        if len(paths) > 1:
            self.skip(paths[0], CONTRADICTION)
        if len(paths) != 1:
            return None
        peak = frame_number(paths[0].lower().removesuffix(".txt").removesuffix("_facs"))
        listed = _listed_units(self.listing, paths[0])
        if peak is None or listed is None:
            self.skip(paths[0], UNREADABLE)
            return None
        if peak not in frames:
            self.skip(paths[0], LABEL_WITHOUT_IMAGE)
            return None
        for au in sorted(listed.keys() - set(_AUS)):
            self.skip(paths[0], f"no column for action unit {au}")
        return peak, _columns(listed)

    def count_labels_without_images(self, sequences: set[tuple[str, str]]) -> None:
        known = {(fold(subject), fold(name)) for subject, name in sequences}
        for base in filter(None, (self.emotions, self.facs)):
            for subject in self.listing.folders(base):
                names = self.listing.folders(join(base, subject))
                absent = [f"{subject}/{name}" for name in names if (fold(subject), fold(name)) not in known]
                self.skipped += [Skipped(p, LABEL_WITHOUT_IMAGE) for a in absent for p in self._paths(base, a)]

    def _paths(self, base: str, sequence: str) -> list[str]:
        folder = self.listing.find(join(base, sequence))
        return [join(folder, name) for name in self.listing.files(folder, (".txt",))] if folder else []


def _sequence(work: _Work, images: str, subject: str, name: str) -> Iterator[dict[str, object]]:
    """Rows of one sequence."""
    folder = f"{images}/{subject}/{name}"
    frames, without = by_frame_number(work.listing.files(folder, IMAGE_SUFFIXES))
    work.skipped += [Skipped(join(folder, image), SURPLUS_FRAME) for image in without]
    had = len(work.skipped)
    emotion = work.emotion(f"{subject}/{name}", frames)
    if emotion is None and len(work.skipped) == had:
        work.skip(folder, NO_EMOTION)
    units = work.action_units(f"{subject}/{name}", frames)
    rows: dict[int, dict[str, object]] = {}
    if emotion is not None:
        rows = _labelled(frames, *emotion)
        if "neutral" not in {row["emotion"] for row in rows.values()}:
            work.skip(folder, MISSING_FIRST_FRAME)
    if units is not None:
        rows.setdefault(units[0], {}).update(units[1])
    if not rows and frames:
        work.skip(folder, IMAGE_WITHOUT_LABEL)
    work.unused += len(frames) - len(rows)
    for frame in sorted(rows):
        names = {"face_id": f"{subject}_{name}_{frame:08d}", "image": join(folder, frames[frame]), "subject": subject}
        yield names | rows[frame]


def _labelled(frames: dict[int, str], peak: int, emotion: str) -> dict[int, dict[str, object]]:
    """The emotion's frames and the neutral one, by frame; frames that are missing are not replaced by others."""
    until = [frame for frame in frames if frame <= peak]
    timed = peak >= _TIME_CODE
    shown = [frame for frame in until[-PEAK_FRAMES:] if timed or frame > peak - PEAK_FRAMES]
    first = until[0] if timed else 1
    rows: dict[int, dict[str, object]] = {frame: {"emotion": emotion} for frame in shown}
    return rows | ({first: {"emotion": "neutral"}} if first in frames and first != peak else {})


def _listed_units(listing: Listing, path: str) -> dict[int, float] | None:
    """Intensity (0 = not given) of each listed action unit; None where the file breaks the format.

    One bad line makes the whole file useless: nobody knows then which units are absent.
    """
    listed: dict[int, float] = {}
    for _, line in text_lines(listing.root, path):
        texts = line.split()
        au = code(texts[0])
        intensity = number(texts[1]) if len(texts) == 2 else None
        if au is None or au < 1 or intensity is None or not 0 <= intensity <= MAX_INTENSITY or au in listed:
            return None
        listed[au] = intensity
    return listed or None


def _columns(listed: dict[int, float]) -> dict[str, float]:
    occurrence = {au_column(au, "c"): float(au in listed) for au in _AUS}
    intensity = {au_column(au, "r"): (listed[au] or float("nan")) if au in listed else 0.0 for au in _AUS}
    return occurrence | intensity


def _first(listing: Listing, places: tuple[str, ...]) -> str | None:
    return next((path for path in map(listing.find, places) if path), None)
