"""Contact sheets: what the built-in faces look like, on one picture."""

from __future__ import annotations

import cv2
import numpy as np

from norface.imaging.pixels import Pixels
from norface.labels import AU_NAMES, EMOTIONS
from norface.synthetic.factors import FaceFactors
from norface.synthetic.rig import RIGGED_AUS
from norface.synthetic.source import ProceduralFaces

_INK, _PAPER = 40, 255


def emotion_sheet(source: ProceduralFaces, *, subjects: int = 5, normalized: bool = True) -> Pixels:
    """Subjects (rows) x emotions (columns); with `normalized`, each row is followed by its true normalized faces."""
    columns = list(EMOTIONS)
    rows: list[tuple[str, list[Pixels]]] = []
    for subject in range(subjects):
        faces = {}
        for index in range(len(EMOTIONS)):
            face = source.face(subject, index)
            faces[face.factors.emotion] = face
        rows.append((f"person {subject + 1}", [faces[emotion].image for emotion in columns]))
        if normalized:
            rows.append(("normalized", [faces[emotion].normalized for emotion in columns]))
    return _sheet(columns, rows)


def au_sheet(source: ProceduralFaces, *, intensities: tuple[float, ...] = (0.0, 1.25, 2.5, 3.75, 5.0)) -> Pixels:
    """Action units x intensities on the common identity, in two blocks side by side."""
    rows = []
    for au in RIGGED_AUS:
        pictures = [source.normalized(FaceFactors(aus={au: level})) for level in intensities]
        rows.append((f"AU{au} {AU_NAMES[au]}", pictures))
    half = (len(rows) + 1) // 2
    columns = [f"{level:g}" for level in intensities]
    left, right = _sheet(columns, rows[:half]), _sheet(columns, rows[half:])
    if right.shape[0] < left.shape[0]:
        right = np.pad(right, ((0, left.shape[0] - right.shape[0]), (0, 0), (0, 0)), constant_values=_PAPER)
    return np.hstack([left, right])


def _sheet(columns: list[str], rows: list[tuple[str, list[Pixels]]]) -> Pixels:
    size, gap = rows[0][1][0].shape[0], 2
    scale = max(0.32, size / 230.0)
    label = int(max(cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0] for name, _ in rows)) + 12
    head = int(40 * scale) + 6
    sheet = np.full((head + len(rows) * (size + gap), label + len(columns) * (size + gap), 3), _PAPER, np.uint8)
    for column, name in enumerate(columns):
        width = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0]
        _write(sheet, name, label + column * (size + gap) + (size - width) // 2, head - 8, scale)
    for row, (name, pictures) in enumerate(rows):
        top = head + row * (size + gap)
        _write(sheet, name, 6, top + size // 2 + 4, scale)
        for column, picture in enumerate(pictures):
            left = label + column * (size + gap)
            sheet[top : top + size, left : left + size] = picture
    return sheet


def _write(sheet: Pixels, text: str, x: int, y: int, scale: float) -> None:
    cv2.putText(sheet, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, (_INK, _INK, _INK), 1, cv2.LINE_AA)
