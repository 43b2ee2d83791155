"""Why something in an owner's folder became no row: the same words in every reader, so that they can be counted."""

from __future__ import annotations

from collections.abc import Iterable

from norface.data.readers.contract import Problem, Skipped

LABEL_WITHOUT_IMAGE = "label without image"
IMAGE_WITHOUT_LABEL = "image without label"
DUPLICATE = "duplicate"
CONTRADICTION = "contradictory labels"
UNREADABLE = "unreadable label"
IMPOSSIBLE_BOX = "impossible box"
NOT_UTF8 = "name is not UTF-8"
UNREADABLE_ARCHIVE = "unreadable archive"
NOT_A_LABEL_FILE = "not the name of a label file"
MISSING_LABELS = "labels are not there"
MISSING_FOLDER = "folder is not there"
MISSING_FIRST_FRAME = "first frame is not there"
SURPLUS_FRAME = "second image of a frame, or without a number"
_UNKNOWN_CODE = "unknown code"

_REPAIRS = {
    LABEL_WITHOUT_IMAGE: ("an image for every label", "Unpack all archives of images."),
    IMAGE_WITHOUT_LABEL: ("a label for every image", "Unpack the label files of the same release."),
    DUPLICATE: ("one label for each face", "Nothing: the first of equal labels counts."),
    CONTRADICTION: ("one label for each face", "Correct the label file, or do without these faces."),
    UNREADABLE: ("label files as the owner wrote them", "Copy the label files again from the archive."),
    IMPOSSIBLE_BOX: ("boxes with a width and a height", "Copy the label files again from the archive."),
    MISSING_LABELS: ("all label files of the data set", "Unpack them, or do without this part."),
    MISSING_FOLDER: ("all folders of the data set", "Unpack them, or do without this part."),
    MISSING_FIRST_FRAME: ("sequences from their first frame on", "Unpack the archive of images again."),
    SURPLUS_FRAME: ("one image for each frame, with its number", "Remove what the owner did not put there."),
    NOT_UTF8: ("names in UTF-8", "Unpack the archive again, or rename these files."),
    UNREADABLE_ARCHIVE: ("whole archives", "Copy them again, and compare their sizes with the owner's."),
    NOT_A_LABEL_FILE: ("label files named as the owner names them", "Rename or remove these files."),
    _UNKNOWN_CODE: ("codes that the owner documents", "Copy the label files again from the archive."),
}
"""What is a defect of a folder, rather than a face that the protocol leaves out."""


def unknown_code(code: object) -> str:
    """The reason for a code that the owner does not document."""
    return f"{_UNKNOWN_CODE} {code}"


def problems_of(skipped: Iterable[Skipped]) -> tuple[Problem, ...]:
    """One problem, not fatal, for each kind of defect: how many there are, and the first."""
    groups: dict[str, list[Skipped]] = {}
    for one in skipped:
        groups.setdefault(_UNKNOWN_CODE if one.why.startswith(_UNKNOWN_CODE) else one.why, []).append(one)
    return tuple(
        Problem(
            where=group[0].what,
            expected=_REPAIRS[why][0],
            found=f"{len(group)} x {why}, the first here" + (f": {group[0].why}" if group[0].why != why else ""),
            action=_REPAIRS[why][1],
            fatal=False,
        )
        for why, group in groups.items()
        if why in _REPAIRS
    )
