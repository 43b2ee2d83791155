from __future__ import annotations

import numpy as np

from norface.imaging.alignment import Alignment
from norface.synthetic import ProceduralFaces, au_sheet, emotion_sheet
from norface.synthetic.rig import RIGGED_AUS


def test_sheets_hold_every_face() -> None:
    source = ProceduralFaces(alignment=Alignment(size=32))
    alone, paired = emotion_sheet(source, subjects=1, normalized=False), emotion_sheet(source, subjects=1)
    assert alone.dtype == np.uint8
    assert alone.shape[1] >= 8 * 32
    assert paired.shape[0] >= alone.shape[0] + 32
    units = au_sheet(source, intensities=(0.0, 5.0))
    assert units.shape[0] >= len(RIGGED_AUS) // 2 * 32
    assert units.shape[1] >= 4 * 32
