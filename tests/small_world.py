"""A table of small faces and a tiny normalizer on disk: all that `norface cache build` asks for, made in a moment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from norface.data.table import FaceTable, TableMeta
from norface.imaging.alignment import Alignment
from norface.imaging.files import write_png
from norface.specs import describe
from toy_world import SIZE, make_generator

FACES, SHARD_SIZE, BATCH_SIZE = 200, 24, 8


@dataclass(frozen=True)
class World:
    """Where the parts of a world lie."""

    table: Path
    checkpoint: Path

    def command(self, out: Path, *options: str) -> list[str]:
        """The words of the command that builds its cache in `out`."""
        parents = ["--normalizer", str(self.checkpoint), "--table", str(self.table), "--out", str(out)]
        sizes = ["--shard_size", str(SHARD_SIZE), "--batch_size", str(BATCH_SIZE)]
        return ["cache", "build", *parents, *sizes, "--trainer.accelerator", "cpu", *options]


def make_world(folder: Path, *, faces: int = FACES) -> World:
    """Write the faces, their table and the checkpoint of an untrained normalizer."""
    random = np.random.default_rng(0)
    names = [f"face{k:04d}" for k in range(faces)]
    for name in names:
        write_png(folder / f"images/{name}.png", random.integers(0, 256, (SIZE, SIZE, 3), np.uint8))
    frame = pd.DataFrame(
        {
            "face_id": names,
            "image": [f"images/{name}.png" for name in names],
            "subject": [f"s{k // 10}" for k in range(faces)],
            "success": 1.0,
        }
    )
    frame = frame.astype({name: "str" for name in ("face_id", "image", "subject")})
    FaceTable(frame, folder, TableMeta((), (), Alignment(SIZE), {})).save(folder)
    torch.manual_seed(0)
    generator = make_generator()
    for parameter in generator.parameters():  # as it begins, all its pictures are grey
        torch.nn.init.normal_(parameter, std=0.4)
    about = {
        "kind": "normalizer",
        "network": describe(generator),
        "alignment": Alignment(SIZE).describe(),
        "subjects": ["ada"],
    }
    state = {f"average.network.{name}": value for name, value in generator.state_dict().items()}
    state["target"] = torch.zeros(1, 3, SIZE, SIZE)
    torch.save({"state_dict": state, "norface": about}, folder / "normalizer.ckpt")
    return World(folder, folder / "normalizer.ckpt")


def contents(out: Path) -> dict[str, bytes]:
    """The files of the one cache in `out`, whatever their names."""
    [folder] = out.iterdir()
    return {path.name: path.read_bytes() for path in folder.iterdir()}
