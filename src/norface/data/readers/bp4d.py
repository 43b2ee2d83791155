"""BP4D: 41 people in 8 tasks; action units coded frame by frame in the most expressive 20 seconds of each recording.

Zhang et al., "BP4D-Spontaneous: a high-resolution spontaneous 3D dynamic facial expression database", Image and Vision
Computing 32, 2014. Frame counts as in the lists that ME-GraphAU (146,847) and JAA-Net (146,576) publish.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from norface.data.readers.binghamton import FERA, RecordingReader, Sequence
from norface.data.readers.contract import DatasetInfo, Reading
from norface.data.readers.layout import Listing
from norface.data.readers.recordings import BAD_FRAME, frame_set

SUBJECTS = (*(f"F{k:03d}" for k in range(1, 24)), *(f"M{k:03d}" for k in range(1, 19)))

BAD_FRAMES: dict[Sequence, str] = {
    ("F017", "T3"): "198-201,203-206,209-263,265-267,269-332,335",
    ("F021", "T3"): "223-227",
    ("F023", "T6"): "1002-1031",
    ("M003", "T5"): "844-845",
    ("M003", "T7"): "1386-1461",
    ("M009", "T4"): "749-753,755-760",
    ("M010", "T6"): "942-957",
}
"""The 271 coded frames without landmarks in the release, which JAA-Net and its successors leave out."""

_FACES = 146_847


class Bp4d(RecordingReader):
    """Reads BP4D, the 2D+3D release or that of the FERA 2015 challenge.

    Args:
        first_image: Number of the picture that belongs to frame 1 of the labels: 1 as in published work, or 0 for
            pictures that somebody numbered from 0.
        drop_bad_frames: Leave out the 271 frames without landmarks in the release, as JAA-Net does.
        drop_occluded: Leave out frames that the label files of FERA 2015 flag as hidden; the other release has no flag.
    """

    info = DatasetInfo(
        name="bp4d",
        title="BP4D-Spontaneous",
        tasks=("au", "au-intensity"),
        licence="research, signed agreement with Binghamton University",
        source="https://www.cs.binghamton.edu/~lijun/Research/3DFE/3DFE_Analysis.html",
        tree="""\
BP4D/
  2D+3D/F001/T1/2440.jpg ...              (also Sequences/, or 2D+3D/F001.zip; numbers padded with zeros or not)
  AUCoding/AU_OCC/F001_T1.csv ...         (a header of action units, first column: frame; 0, 1, 9 = not coded)
  AUCoding/AU_INT/AU06/F001_T1_AU06.csv   (no header; frame, 0 to 5, 9 = not coded; optional)
or, as for FERA 2015,
BP4D/
  BP4D-training/F001/T1/2440.jpg ...
  AUCoding/F001_T1.csv ...                (last column: face hidden)
  AU Intensity Codes3.0/AU06/F001_T1_AU06.csv""",
        aus=(1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24),
        literature={"faces": _FACES, "subjects": len(SUBJECTS)},
    )
    expected = tuple((subject, f"T{task}") for subject in SUBJECTS for task in range(1, 9))

    def __init__(
        self, *, first_image: Literal[0, 1] = 1, drop_bad_frames: bool = False, drop_occluded: bool = True
    ) -> None:
        super().__init__(first_image=first_image)
        self.drop_bad_frames = drop_bad_frames
        self.drop_occluded = drop_occluded
        if drop_bad_frames:
            left = _FACES - sum(len(frame_set(ranges)) for ranges in BAD_FRAMES.values())
            self.info = replace(self.info, literature={**self.info.literature, "faces": left})

    def left_out(self, sequence: Sequence, frames: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.bool_], str]]:
        """See `RecordingReader`."""
        if self.drop_bad_frames and sequence in BAD_FRAMES:
            yield np.isin(frames, frame_set(BAD_FRAMES[sequence])), BAD_FRAME

    def occluded_out(self, release: str) -> bool:
        """See `RecordingReader`."""
        return self.drop_occluded and release == FERA

    def rows(self, listing: Listing) -> Reading:
        """See `CheckedReader`."""
        reading = super().rows(listing)
        facts = {**reading.facts, "drop_bad_frames": self.drop_bad_frames}
        if reading.facts["release"] == FERA:
            facts["drop_occluded"] = self.drop_occluded
        return replace(reading, facts=facts)
