"""DISFA: 27 people watching a video, each frame of both cameras coded for the intensity of twelve action units.

Mavadati et al., "DISFA: A spontaneous facial action intensity database", IEEE Trans. Affective Computing 4(2), 2013.
Label layout as in ME-GraphAU ``DISFA_image_label_process.py``, frame count (130,814) as in the lists it publishes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from norface.data.readers.checked import CheckedReader
from norface.data.readers.coding import Coding, au_in_name, read_intensity
from norface.data.readers.contract import DatasetInfo, Problem, Reading, Skipped
from norface.data.readers.layout import IMAGE_SUFFIXES, Listing, fold, join
from norface.data.readers.reasons import IMAGE_WITHOUT_LABEL, NOT_A_LABEL_FILE
from norface.data.readers.recordings import (
    BAD_FRAME,
    FrameTable,
    Pictures,
    add_first,
    check_threshold,
    frame_set,
    in_folder,
    incomplete,
    merge,
    with_occurrence,
)
from norface.errors import DatasetError
from norface.labels import OCCURRENCE_THRESHOLD

LABELS = "ActionUnit_Labels"
AUS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
SUBJECTS = tuple(f"SN{k:03d}" for k in (*range(1, 14), 16, 17, 18, 21, *range(23, 33)))

BAD_FRAMES = {
    "SN001": "398-420,3190-3243",
    "SN002": "800-826",
    "SN004": "4541-4555",
    "SN006": "1349-1405",
    "SN009": "1736-1808,1851-1885",
    "SN011": "4529-4533,4830-4845",
    "SN021": "574-616,985-1164,1190-1205,1305-1338,1665-1710,1862-2477,2554-4657,4710-4722",
    "SN023": "1021-1049,3378-3557,3584-3668,4547-4621,4741-4772,4825-4845",
    "SN025": "4596-4662,4816-4835",
    "SN027": "3461-3494,4738-4785",
    "SN028": "1875-1885,4571-4690",
    "SN029": "4090-4543",
    "SN030": "939-962,1406-1422,2100-2132,2893-2955",
}
"""Frames, as labels count them, in which the owner's landmark tracker failed; JAA-Net leaves out these 4,670."""

_FACES = 130_814
_SUBJECT = re.compile(r"SN\d{3}", re.ASCII | re.IGNORECASE)
_IN_NAME = re.compile(r"SN\d{3}(?!\d)", re.ASCII | re.IGNORECASE)
_LABEL_FILE = re.compile(r"(SN\d{3})_au0*(\d{1,3})\.txt", re.ASCII | re.IGNORECASE)
_NO_FRAMES = np.zeros(0, np.int64)
_Codings = list[tuple[str, Coding]]


@dataclass
class _Files:
    """By subject: label file of each action unit, and video or folder of frames. `folder` holds the latter."""

    labels: dict[str, dict[int, str]] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    folder: str | None = None
    skipped: list[Skipped] = field(default_factory=list)


class Disfa(CheckedReader):
    """Reads DISFA from the owner's videos or from frames that were taken out of them.

    Frame k of the labels is frame k - 1 of the video, which counts from 0. Pictures of frames may count from 0 or 1.

    Args:
        camera: ``left`` or ``right``.
        frames: Folder of pictures, relative to the root, with a folder for each person (``SN001``,
            ``LeftVideoSN001_comp`` ...). None: the videos where there are any, else the first such folder.
        first_image: Number of the picture of the first frame. None: 0 where a picture has the number 0, 1 where the
            last picture has the number of the last label.
        threshold: An action unit counts as present from this intensity on.
        drop_bad_frames: Leave out the 4,670 frames in which the owner's landmark tracker failed, as JAA-Net does.

    Raises:
        ConfigError: The threshold is not among 1 to 5.
    """

    info = DatasetInfo(
        name="disfa",
        title="DISFA (Denver Intensity of Spontaneous Facial Action)",
        tasks=("au", "au-intensity"),
        licence="research, signed agreement with the University of Denver",
        source="https://mohammadmahoor.com/pages/databases/disfa/",
        tree="""\
DISFA/
  ActionUnit_Labels/SN001/SN001_au1.txt ...             (frame from 1, intensity 0 to 5; 12 files a person)
  Videos_LeftCamera/LeftVideoSN001_comp.avi ...
  Video_RightCamera/RightVideoSN001_Comp.avi ...        (for camera=right)
or, for the videos, frames that were taken out of them in any folder:
  frames/SN001/1.jpg ...  or  frames/LeftVideoSN001_comp/LeftVideoSN001_comp_00001.jpg ...""",
        aus=AUS,
        literature={"faces": _FACES, "subjects": len(SUBJECTS)},
    )

    def __init__(
        self,
        *,
        camera: Literal["left", "right"] = "left",
        frames: str | None = None,
        first_image: Literal[0, 1] | None = None,
        threshold: int = int(OCCURRENCE_THRESHOLD),
        drop_bad_frames: bool = False,
    ) -> None:
        check_threshold(threshold)
        self.camera, self.frames, self.first_image = camera, frames, first_image
        self.threshold, self.drop_bad_frames = threshold, drop_bad_frames
        if drop_bad_frames:
            left = _FACES - sum(len(frame_set(ranges)) for ranges in BAD_FRAMES.values())
            self.info = replace(self.info, literature={**self.info.literature, "faces": left})

    def marks(self) -> tuple[str, ...]:
        """See `CheckedReader`."""
        return (LABELS,)

    def layout(self, listing: Listing) -> tuple[Problem, ...]:
        """See `CheckedReader`."""
        files = self._files(listing)
        problems = []
        if not files.labels:
            there = ", ".join(listing.folders(LABELS)[:6]) or "nothing"
            expected, action = "SN001/SN001_au1.txt and others", "Unpack ActionUnit_Labels.zip there."
            problems.append(Problem(LABELS, expected, there, action))
        if not files.pictures:
            side, there = self.camera.capitalize(), ", ".join(listing.folders()[:8])
            expected = f"{self.frames}/SN001/1.jpg" if self.frames else f"Videos_{side}Camera/{side}VideoSN001_comp.avi"
            action = "Put the videos there, or name the folder of extracted frames with the option `frames`."
            problems.append(Problem(str(listing.root), f"{expected} and others", there, action))
        if files.labels:
            problems += incomplete(LABELS, "people with labels", SUBJECTS, files.labels)
        for subject, of_subject in sorted(files.labels.items()):
            wanted, found = ([f"{subject}_au{au}.txt" for au in aus] for aus in (AUS, of_subject))
            problems += incomplete(f"{LABELS}/{subject}", "label files", wanted, found)
        return tuple(problems)

    def rows(self, listing: Listing) -> Reading:
        """See `CheckedReader`."""
        files, table = self._files(listing), FrameTable()
        codings: dict[str, _Codings] = {
            subject: [("r", read_intensity(listing.root, path, au)) for au, path in sorted(of_subject.items())]
            for subject, of_subject in sorted(files.labels.items())
        }
        table.skipped += files.skipped
        videos, folders = (files.pictures, {}) if files.folder is None else ({}, files.pictures)
        pictures = {subject: in_folder(listing, path) for subject, path in sorted(folders.items())}
        first_image = self._first_image(codings, pictures) if pictures else 1
        for subject, of_subject in codings.items():
            video = videos.get(subject)
            image = _frame_of(video) if video else _picture_of(pictures.get(subject), first_image)
            self._add(table, subject, of_subject, image)
        for subject, there in pictures.items():
            labelled = [coding.frames - 1 + first_image for _, coding in codings.get(subject, [])]
            table.skipped += [*there.skipped, *there.without_label(np.concatenate([_NO_FRAMES, *labelled]))]
        rest = (path for subject, path in sorted(videos.items()) if subject not in codings)
        table.skipped += [Skipped(path, IMAGE_WITHOUT_LABEL) for path in rest]
        facts: dict[str, object] = {
            "camera": self.camera,
            "images": "videos" if files.folder is None else f"frames in {files.folder or 'the root'}",
            "occurrence": f"intensity >= {self.threshold}",
            "threshold": self.threshold,
            "drop_bad_frames": self.drop_bad_frames,
        }
        return Reading(table.rows(), tuple(table.skipped), facts | ({"first_image": first_image} if pictures else {}))

    def _add(
        self,
        table: FrameTable,
        subject: str,
        codings: _Codings,
        image: Callable[[int], str | None],
    ) -> None:
        frames, columns = merge(codings)
        for _, coding in codings:
            table.skipped += coding.skipped
        bad = np.isin(frames, frame_set(BAD_FRAMES.get(subject, "") if self.drop_bad_frames else ""))
        where, side = f"{LABELS}/{subject}", "" if self.camera == "left" else "_right"
        table.skipped += [Skipped(f"{where} frame {frame}", BAD_FRAME) for frame in frames[bad].tolist()]
        kept = with_occurrence({name: values[~bad] for name, values in columns.items()}, self.threshold)
        table.add(subject, where, frames[~bad], kept, face_id=lambda k: f"{subject}{side}_{k:04d}", image=image)

    def _first_image(self, codings: dict[str, _Codings], pictures: dict[str, Pictures]) -> int:
        """Number of the picture of frame 1, the same for all people."""
        if self.first_image is not None:
            return self.first_image
        votes: dict[int, str] = {}
        for subject, of_subject in sorted(pictures.items()):
            last = max((frame for _, coding in codings.get(subject, []) for frame in coding.frames[-1:]), default=0)
            if 0 in of_subject.references:
                votes.setdefault(0, of_subject.where)
            elif last and max(of_subject.references, default=0) >= last:
                votes.setdefault(1, of_subject.where)
        if len(votes) == 1:
            return next(iter(votes))
        raise DatasetError(
            expected="pictures that all count from 0, or all from 1",
            found=f"from 0 in {votes[0]}, from 1 in {votes[1]}" if votes else "neither a number 0 nor the last frame",
            where=self.frames or next(of_subject.where for of_subject in pictures.values()),
            action="Extract the frames of all videos in one way, or set the option `first_image` to 0 or 1.",
        )

    def _files(self, listing: Listing) -> _Files:
        files = _Files()
        inner = f"{LABELS}/{LABELS}"  # some programs unpack so
        labels = listing.find(inner) or listing.find(LABELS) or LABELS
        for subject in filter(_SUBJECT.fullmatch, listing.folders(labels)):
            for name in listing.files(join(labels, subject), (".txt",)):
                match, path = _LABEL_FILE.fullmatch(name), join(labels, f"{subject}/{name}")
                if match and fold(match[1]) == fold(subject) and (au := au_in_name(match[2])) is not None:
                    files.skipped += add_first(files.labels.setdefault(subject.upper(), {}), au, path)
                else:
                    files.skipped.append(Skipped(path, NOT_A_LABEL_FILE))
        files.folder, files.pictures, skipped = self._pictures(listing)
        files.skipped += skipped
        return files

    def _pictures(self, listing: Listing) -> tuple[str | None, dict[str, str], list[Skipped]]:
        """The folder of the frames (None: videos), each person's folder or video, and others that are not used."""
        if self.frames is None:
            found, skipped = self._of_camera(_videos(listing))
            if found:
                return None, found, skipped
        for folder in _candidates(listing) if self.frames is None else [self.frames]:
            found, skipped = self._of_camera([join(listing.find(folder) or folder, n) for n in listing.folders(folder)])
            if any(listing.files(path, IMAGE_SUFFIXES) for path in list(found.values())[:3]):
                return folder, found, skipped
        return None, {}, []

    def _of_camera(self, paths: list[str]) -> tuple[dict[str, str], list[Skipped]]:
        """Videos or folders by the person in their names; not those whose path names the other camera."""
        other = "right" if self.camera == "left" else "left"
        found: dict[str, str] = {}
        skipped = []
        for path in paths:
            match = _IN_NAME.search(path.rpartition("/")[2])
            if not match or (other in fold(path) and self.camera not in fold(path)):
                continue
            if found.setdefault(match[0].upper(), path) != path:
                skipped.append(Skipped(path, "second video or folder of a person"))
        return found, skipped


def _videos(listing: Listing) -> list[str]:
    from norface.imaging.sources import VIDEO_SUFFIXES  # late: listing data sets needs no decoder

    places = ["", *(name for name in listing.folders() if re.fullmatch(r"videos?_?.*camera", fold(name)))]
    return [join(place, name) for place in places for name in listing.files(place, VIDEO_SUFFIXES)]


def _candidates(listing: Listing) -> Iterator[str]:
    """Folders that may hold a folder of frames for each person, to a depth of two."""
    top = listing.folders()
    yield from ("", *top)
    yield from (join(folder, name) for folder in top for name in listing.folders(folder))


def _frame_of(video: str) -> Callable[[int], str | None]:
    return lambda frame: f"{video}#{frame - 1}" if frame >= 1 else None


def _picture_of(pictures: Pictures | None, first_image: int) -> Callable[[int], str | None]:
    references = pictures.references if pictures else {}
    return lambda frame: references.get(frame - 1 + first_image)
