"""The cache: building it relative to the normalizer's bare forward on images that are in memory, same batch size."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import torch

from benchmarks.demo import SIZE, drawn_faces, make_data, make_normalizer
from benchmarks.timing import Figure, in_turns, rate, ratio
from norface.data.caching import build_cache


def measure(*, quick: bool = False) -> list[Figure]:
    """Reading, normalizing, encoding, writing."""
    batch = 8 if quick else 32
    normalizer = make_normalizer()
    with drawn_faces(2 if quick else 24) as table, tempfile.TemporaryDirectory() as name:
        data = make_data("classifier", table)
        data.setup("fit")
        faces = len(data.table)
        images = torch.rand(batch, 3, SIZE, SIZE) * 2 - 1
        numbers = itertools.count()

        def forward() -> None:
            for start in range(0, faces, batch):
                normalizer.normalize(images[: faces - start])

        def build() -> None:
            folder = Path(name) / str(next(numbers))
            build_cache(data.table, normalizer, folder, alignment=data.alignment, batch_size=batch, progress=False)

        times = in_turns({"forward": forward, "build": build}, rounds=1 if quick else 5)
    return [
        ratio("cache build: rate relative to the bare forward", times, "forward", "build", ">= 0.95"),
        rate("cache build", times["build"], faces),
    ]
