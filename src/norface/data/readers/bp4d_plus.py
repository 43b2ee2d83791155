"""BP4D+: 140 people in 10 tasks, four of them coded for 34 action units.

Zhang et al., "Multimodal spontaneous emotion corpus for human behavior analysis", CVPR 2016. Layout as in
rPPG-Toolbox ``BP4DPlusBigSmallLoader.py``.
"""

from __future__ import annotations

from norface.data.readers.binghamton import RecordingReader
from norface.data.readers.contract import DatasetInfo

SUBJECTS = (*(f"F{k:03d}" for k in range(1, 83)), *(f"M{k:03d}" for k in range(1, 59)))
TASKS = ("T1", "T6", "T7", "T8")


class Bp4dPlus(RecordingReader):
    """Reads BP4D+, with pictures in folders or in the owner's archives, one for each person, which stay as they are.

    Args:
        first_image: Number of the picture that belongs to frame 1 of the labels: 1 as in published work, or 0 for
            pictures that somebody numbered from 0.
    """

    info = DatasetInfo(
        name="bp4d_plus",
        title="BP4D+ (Multimodal Spontaneous Emotion)",
        tasks=("au", "au-intensity"),
        licence="research, signed agreement with Binghamton University",
        source="https://www.cs.binghamton.edu/~lijun/Research/3DFE/3DFE_Analysis.html",
        tree="""\
BP4D+/
  2D+3D/F001.zip ...                      (with F001/T1/0001.jpg ... in it; or the same unpacked: 2D+3D/F001/T1/)
  AUCoding/AU_OCC/F001_T1.csv ...         (tasks T1, T6, T7, T8; a header of action units, first column: frame)
  AUCoding/AU_INT/AU06/F001_T1_AU06.csv   (no header; frame, 0 to 5, 9 = not coded; optional)""",
        aus=(1, 2, *range(4, 8), *range(9, 21), 22, 23, 24, *range(27, 40)),
        literature={"faces": 197_875, "subjects": len(SUBJECTS)},
    )
    expected = tuple((subject, task) for subject in SUBJECTS for task in TASKS)
