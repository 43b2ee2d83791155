"""DISFA+ in miniature, after py-feat ``feat/evaluation/datasets.py``.

``Labels/SN001/A1_AU1_TrailNo_1/AU1.txt``: comment lines, then ``000.jpg    0``; pictures of the same names in
``Images/SN001/A1_AU1_TrailNo_1``. Trials are spelt "Trail" by the owner.
"""

from __future__ import annotations

from pathlib import Path

from data.readers.miniature import Expected, write
from data.readers.numbered import write_numbered

AUS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
TRIALS = {  # number of frames
    ("SN001", "A1_AU1_TrailNo_1"): 5,
    ("SN001", "A7_AU5z_TrailNo_2"): 4,
    ("SN027", "Y1_Surprise_TrailNo_1"): 6,
}


def intensity(subject: str, trial: str, frame: int, au: int) -> int:
    """The intensity in the label files."""
    return (frame * au + len(trial) + int(subject[2:])) % 6


def make(root: Path) -> Expected:
    """Labels and pictures of three trials."""
    images, subjects, numbers = {}, {}, {}
    for (subject, trial), count in TRIALS.items():
        for au in AUS:
            write(root / "Labels" / subject / trial / f"AU{au}.txt", label_file(subject, trial, au))
        for frame in range(count):
            face, name = f"{subject}_{trial}_{frame:03d}", f"{frame:03d}.jpg"
            images[face] = f"Images/{subject}/{trial}/{name}"
            subjects[face] = subject
            numbers[face] = labels(subject, trial, frame, threshold=2)
            write_numbered(root / images[face], frame)
    return Expected(images=images, subjects=subjects, numbers=numbers)


def label_file(subject: str, trial: str, au: int) -> str:
    """The file of one unit."""
    lines = [f"# Subject: {subject}", f"# Trial: {trial}", f"# AU{au} 0 to 5", "#"]
    frames = range(TRIALS[subject, trial])
    lines += [f"{frame:03d}.jpg        {intensity(subject, trial, frame, au)}" for frame in frames]
    return "\r\n".join(lines) + "\r\n"


def labels(subject: str, trial: str, frame: int, threshold: int) -> dict[str, float]:
    """Intensity, and occurrence from the threshold on."""
    graded = {au: intensity(subject, trial, frame, au) for au in AUS}
    return {f"AU{au:02d}_r": float(value) for au, value in graded.items()} | {
        f"AU{au:02d}_c": float(value >= threshold) for au, value in graded.items()
    }
