"""What every miniature data set tells of itself, and how its tiny pictures are drawn.

A miniature is written from the owner's documentation and knows nothing of norface.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from norface.data.readers.contract import Reading
from norface.labels import EMOTIONS, SPLITS


@dataclass(frozen=True)
class Expected:
    """What a reader must find in a miniature.

    Args:
        images: Reference of the image of every face, by face_id; its length is the number of rows.
        emotions: Emotion by face_id; a face without an entry has none.
        splits: Split by face_id; empty: the set has no splits.
        subjects: Subject by face_id; empty: every face is its own.
        numbers: Numeric columns (AUs, boxes, landmarks, vote shares) by face_id; a face without an entry has NaN.
        skipped: How many things are left out, by reason.
    """

    images: Mapping[str, str]
    emotions: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, str] = field(default_factory=dict)
    subjects: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)


def agree(reading: Reading, expected: Expected) -> None:
    """Fail unless a reading is what is expected, and fit for a face table."""
    rows = reading.rows.set_index("face_id")
    assert rows.index.is_unique
    assert list(reading.rows.index) == list(range(len(reading.rows)))
    assert rows["image"].to_dict() == dict(expected.images)
    named = rows["emotion"].dropna().to_dict() if "emotion" in rows.columns else {}
    assert named == dict(expected.emotions)
    assert set(named.values()) <= set(EMOTIONS)
    assert (rows["split"].to_dict() if "split" in rows.columns else {}) == dict(expected.splits)
    assert set(expected.splits.values()) <= set(SPLITS)
    assert rows["subject"].to_dict() == (dict(expected.subjects) or {name: name for name in expected.images})
    assert dict(Counter(one.why for one in reading.skipped)) == dict(expected.skipped)
    for column in {name for numbers in expected.numbers.values() for name in numbers}:
        wanted = [expected.numbers.get(name, {}).get(column, np.nan) for name in rows.index]
        np.testing.assert_allclose(rows[column].to_numpy(float), wanted, atol=1e-6, err_msg=column)


def picture(path: Path, number: int = 0, size: tuple[int, int] = (24, 20)) -> None:
    """Write a tiny picture (width, height) with something like a face in it; the suffix says in which format."""
    width, height = size
    image = np.full((height, width, 3), (40 + number % 150, 90, 60), np.uint8)
    centre = (width // 2, height // 2)
    cv2.ellipse(image, centre, (width // 4, height // 3), 0, 0, 360, (120, 160, 210), -1)
    for side in (-1, 1):
        cv2.circle(image, (centre[0] + side * width // 9, centre[1] - height // 9), 1, (20, 20, 20), -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(path.suffix, image)
    assert done
    path.write_bytes(data.tobytes())


def write(path: Path, text: str) -> None:
    """Write a label file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
