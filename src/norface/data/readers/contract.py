"""What every data set's reader promises: an owner's folder in, rows of one face table out, nothing lost in silence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from norface.imaging.pixels import Pixels


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set before any folder is opened.

    Args:
        name: As in ``norface data prepare --dataset``.
        title: Full name.
        tasks: Among `norface.labels.TASKS`.
        licence: Who may use it, in a few words.
        source: Where to ask for it; a page, not a download address.
        tree: The folder as its owner delivers it, drawn as a tree; shown where a folder does not fit.
        emotions: Emotion vocabulary in norface's names; empty where it has no emotions, or where the rows decide.
        aus: Action units that it codes, empty where none.
        literature: Counts that papers report, compared by ``norface data stats``. Keys: ``faces``, ``subjects``, a
            split (``train``), an emotion (``happy``), both (``train/happy``), ``AU12`` (faces that show it).
        subjects_known: Whether images name their person. If not, every image is its own subject.
    """

    name: str
    title: str
    tasks: tuple[str, ...]
    licence: str
    source: str
    tree: str
    emotions: tuple[str, ...] = ()
    aus: tuple[int, ...] = ()
    literature: Mapping[str, int] = field(default_factory=dict)
    subjects_known: bool = True


@dataclass(frozen=True)
class Skipped:
    """Something in the owner's folder that became no row, or a row without its label.

    Args:
        what: File, or file and line, relative to the root.
        why: One of a few reasons, in words that can be counted: ``image without label``, ``label without image``,
            ``duplicate``, ``unknown code 11``, ``bad frame``, ``unreadable label`` ...
    """

    what: str
    why: str


@dataclass(frozen=True)
class Reading:
    """What a reader found.

    Args:
        rows: One row per face. ``face_id`` (unique, stable, from the owner's names), ``image`` (reference relative to
            the root, see `norface.imaging.sources`), ``subject``, and whichever hold: ``split`` (train, val, test),
            ``emotion``, ``AU01_c`` ..., ``AU01_r`` ..., ``box_left``, ``box_top``, ``box_width``, ``box_height``
            (pixels of the image; the labelled face), the five landmarks, ``emotion_share_<name>`` (vote shares in
            0..1). Missing = NaN.
        skipped: Everything that was left out, with its reason.
        facts: Decisions that belong to the protocol, as plain data: label rule, threshold, whether bad frames were
            dropped, release. They become part of the table's provenance. One name is reserved: ``frame`` (a short name
            such as ``rafdb-aligned``) says that the images already are faces that the owner cropped; only then can they
            be prepared without a detector. Without it, images are photographs or video frames.
    """

    rows: pd.DataFrame
    skipped: tuple[Skipped, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """What is wrong with a folder.

    Args:
        where: Path relative to the root, or the root itself.
        expected: What should be there.
        found: What is there instead.
        action: What to do about it.
        fatal: False: the set can still be read, with what is named here left out.
    """

    where: str
    expected: str
    found: str
    action: str
    fatal: bool = True


class DatasetReader:
    """Reads one data set as its owner delivers it. Its options are the keyword arguments of its constructor.

    A reader looks at names and label files, never at pixels, and never writes.
    """

    info: DatasetInfo

    def check(self, root: Path) -> tuple[Problem, ...]:
        """What is missing or unexpected in `root`; empty = it can be read. Does not raise for what it can describe."""
        raise TypeError(f"{type(self).__name__} defines no check")

    def read(self, root: Path) -> Reading:
        """All faces of the data set.

        Raises:
            DatasetError: The folder is not this data set, or a label file breaks its format.
        """
        raise TypeError(f"{type(self).__name__} defines no read")

    def pixels(self, root: Path, image: str) -> Pixels:
        """The image that a row names; a reader whose owner keeps pixels elsewhere than in image files overrides this.

        Args:
            root: As given to `read`.
            image: The row's ``image``.

        Returns:
            uint8 RGB ``(H, W, 3)``.

        Raises:
            ImageError: It is missing, damaged or not an image.
        """
        from norface.imaging.sources import read_reference  # late: listing data sets needs no decoder

        return read_reference(root, image)
