from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from norface.imaging.alignment import Alignment
from norface.imaging.files import write_png

SIZE = 32
SUBJECTS, PER_SUBJECT = 8, 3
EMOTIONS = ("happy", "neutral", "anger")


@pytest.fixture
def frame() -> pd.DataFrame:
    """8 subjects, 3 faces each, two in each split; the picture's red tells the row, the normalized one's green."""
    rows = []
    for subject in range(SUBJECTS):
        for k in range(PER_SUBJECT):
            name = f"s{subject}_{k}"
            rows.append(
                {
                    "face_id": name,
                    "image": f"images/{name}.png",
                    "normalized": f"normalized/{name}.png",
                    "subject": f"s{subject}",
                    "split": ("normalizer", "train", "val", "test")[subject // 2],
                    "emotion": EMOTIONS[k],
                    "AU01_r": [0.5, 0.0, 3.0][k],
                    "AU12_r": [4.0, 0.0, 1.0][k],
                    "AU12_c": [1.0, 0.0, 0.0][k],
                }
            )
    return pd.DataFrame(rows)


@pytest.fixture
def write_table(tmp_path: Path) -> Callable[[pd.DataFrame], Path]:
    """Writes the images, ``faces.csv`` and ``faces.json`` of an aligned table; returns the CSV's path."""

    def write(frame: pd.DataFrame) -> Path:
        for k, row in enumerate(frame.to_dict("records")):
            ramp = np.linspace(0, 255, SIZE).astype(np.uint8)[None, :]
            for column, channel in (("image", 0), ("normalized", 1)):
                pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
                pixels[..., channel] = 8 * k + 10
                pixels[..., 2] = ramp
                path = tmp_path / str(row[column])
                if path.resolve().is_relative_to(tmp_path) and not path.exists():
                    write_png(path, pixels)
        frame.to_csv(tmp_path / "faces.csv", index=False)
        described = {"schema": 1, "alignment": Alignment(SIZE).describe()}
        (tmp_path / "faces.json").write_text(json.dumps(described))
        return tmp_path / "faces.csv"

    return write


@pytest.fixture
def table_path(frame: pd.DataFrame, write_table: Callable[[pd.DataFrame], Path]) -> Path:
    return write_table(frame)


@pytest.fixture
def facekit() -> Path:
    default = Path(__file__).resolve().parents[3] / "shared" / "assets"
    path = Path(os.environ.get("NORFACE_ASSETS", default)) / "facekit_faces" / "faces.csv"
    if not path.is_file():
        pytest.skip("facekit_faces is not there; set NORFACE_ASSETS to the folder that holds it")
    return path
