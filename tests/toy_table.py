"""A face table of the toy world: people with the same number of faces, their true normalized faces, splits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from norface.data.table import FaceTable, TableMeta
from norface.imaging.alignment import Alignment
from norface.imaging.convert import to_pixels
from norface.imaging.files import write_png
from toy_world import SIZE, draw

SPLITS = {"normalizer": 6, "train": 2, "val": 2, "test": 3}
EMOTIONS = ("neutral", "happy")


def toy_table(folder: Path, *, people: Mapping[str, int] = SPLITS, each: int = 4, truth: bool = True) -> Path:
    """Write it; the emotion says whether the bar is high."""
    random = np.random.default_rng(0)
    rows: list[dict[str, object]] = []
    for split, count in people.items():
        for person in range(count):
            colour = torch.tensor(random.uniform(-0.5, 0.9, (1, 3)), dtype=torch.float32)
            for k in range(each):
                name = f"{split}{person}_{k}"
                height = torch.tensor([random.random()], dtype=torch.float32)
                for kind, image in (("images", draw(height, colour)), ("normalized", draw(height, torch.zeros(1, 3)))):
                    write_png(folder / kind / f"{name}.png", to_pixels(image[0]))
                rows.append(
                    {
                        "face_id": name,
                        "image": f"images/{name}.png",
                        "normalized": f"normalized/{name}.png" if truth else "",
                        "subject": f"{split}{person}",
                        "success": 1.0,
                        "split": split,
                        "emotion": EMOTIONS[int(height > 0.5)],
                        "AU12_r": float(height) * 5,
                    }
                )
    frame = pd.DataFrame(rows).drop(columns=[] if truth else ["normalized"])
    frame = frame.astype({name: "str" for name in frame.columns if frame[name].dtype == object})
    write_png(folder / "target.png", to_pixels(draw(torch.zeros(1), torch.zeros(1, 3))[0]))
    FaceTable(frame, folder, TableMeta(EMOTIONS, (12,), Alignment(SIZE), {})).save(folder)
    return folder
