"""What every face detector promises: a picture in, boxes with five points and scores out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from norface.errors import AlignmentError
from norface.imaging.alignment import FIVE_POINTS, Alignment, Points, place, place_box
from norface.imaging.pixels import Pixels

Row = Mapping[str, object]
"""One row of a face table, by column."""


class Box(NamedTuple):
    """A rectangle in pixels of the image; (0, 0, width, height) is the whole image."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, eq=False)
class Detection:
    """One face.

    Args:
        box: Where it is.
        points: Right eye, left eye, nose, right and left mouth corner ``(5, 2)``, the subject's right first, in pixels
            with the origin at the centre of the top-left pixel. None where only a box is known.
        score: Confidence in 0..1; 1 where a file or the owner says that there is a face.
    """

    box: Box
    points: Points | None
    score: float

    def placement(self, alignment: Alignment) -> Points:
        """The ``(2, 3)`` matrix that leads from pixels of the image to pixels of the crop; see `alignment.warp`.

        Five points decide it where `alignment` is made from them, else the box does.

        Raises:
            AlignmentError: The points are degenerate, or needed and not known, or the box is empty.
        """
        if alignment.frame != FIVE_POINTS:
            return place_box(self.box, alignment)
        if self.points is None:
            raise AlignmentError(
                expected="five landmarks",
                found="only a box",
                where="face detection",
                action='Use a detector that finds landmarks, or crop by boxes (frame "box").',
            )
        return place(self.points, alignment)


class Detector:
    """Finds faces. Heavy libraries are imported when an object is made, never when its module is.

    An object belongs to the process that made it: make one per process, by `norface.faces.detectors.make_detector`.
    """

    name: str

    def detect(self, pixels: Pixels) -> list[Detection]:
        """All faces of a picture, in no particular order; empty where there is none.

        Args:
            pixels: uint8 RGB ``(H, W, 3)`` of any size.
        """
        raise TypeError(f"{type(self).__name__} defines no detect")

    def find(self, pixels: Pixels, row: Row) -> list[Detection]:
        """All faces of the picture of a row. Detectors that look at pixels ignore the row; `table` looks it up."""
        return self.detect(pixels)

    def describe(self) -> dict[str, object]:
        """What made the detections, as plain data for the provenance of a table.

        Always ``name``; where they apply ``library``, ``version``, ``weights`` (file name), ``sha256`` and settings.
        """
        raise TypeError(f"{type(self).__name__} defines no describe")
