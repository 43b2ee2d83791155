"""The built-in faces: pictures drawn per second, files included."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from benchmarks.timing import Figure, in_turns, rate
from norface.synthetic import draw_faces

TARGETS = {64: ">= 200", 128: ">= 60"}


def measure(*, quick: bool = False) -> list[Figure]:
    """Original and true normalized face, at two sizes."""
    subjects, faces = (1, 2) if quick else (100, 12)  # enough that starting the processes no longer shows
    with tempfile.TemporaryDirectory() as name:
        work = {
            str(size): partial(
                draw_faces,
                Path(name) / str(size),
                subjects=subjects,
                faces_per_subject=faces,
                size=size,
                progress=False,
            )
            for size in ((64,) if quick else TARGETS)
        }
        # Once each: drawn again, files that are there would be kept.
        times = in_turns(work, rounds=1, warm_up=0)
    pictures = 2 * subjects * faces
    return [rate(f"drawing at {size} px", times[size], pictures, "pictures/s", TARGETS[int(size)]) for size in times]
