"""DISFA in miniature, after ME-GraphAU ``DISFA_image_label_process.py`` and public code that reads its videos.

``ActionUnit_Labels/SN001/SN001_au1.txt`` with lines ``frame,intensity``, frame from 1; 25 frames here. Videos
``Videos_LeftCamera/LeftVideoSN001_comp.avi`` and ``Video_RightCamera/RightVideoSN001_Comp.avi``, with the case and the
singular as delivered. Each picture carries the number of its label, so frame k - 1 of a video shows k.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from data.readers.miniature import Expected, write
from data.readers.numbered import write_numbered, write_video

AUS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
LAST = {"SN001": 25, "SN010": 24, "SN032": 25}  # SN010 is one frame shorter, as in the release
RIGHT = 1000  # added to the number in the pictures of the right camera


def intensity(subject: str, frame: int, au: int) -> int:
    """The intensity in the label files."""
    return (frame + au + int(subject[2:])) % 6


def make(root: Path) -> Expected:
    """As delivered: labels, landmarks, the videos of both cameras."""
    write_labels(root)
    for subject, last in LAST.items():
        write_video(root / "Videos_LeftCamera" / f"LeftVideo{subject}_comp.avi", range(1, last + 1))
        write_video(root / "Video_RightCamera" / f"RightVideo{subject}_Comp.avi", range(RIGHT + 1, RIGHT + last + 1))
        write(root / "Landmark_Points" / subject / "tmp_frame_lm" / f"{subject}_0000_lm.mat", "MATLAB 5.0")
    return expected(lambda subject, frame: f"Videos_LeftCamera/LeftVideo{subject}_comp.avi#{frame - 1}")


def make_frames(root: Path, folder: str, name: str, first: int) -> Expected:
    """Labels and frames taken out of the videos.

    Args:
        root: Where.
        folder: Pattern of a person's folder, with ``{subject}``.
        name: Pattern of a picture's name, with ``{subject}`` and ``{number}``.
        first: Number of the first picture.
    """
    write_labels(root)
    paths = {}
    for subject, last in LAST.items():
        for frame in range(1, last + 1):
            file = name.format(subject=subject, number=frame - 1 + first)
            paths[subject, frame] = f"{folder.format(subject=subject)}/{file}"
            write_numbered(root / paths[subject, frame], frame)
    return expected(lambda subject, frame: paths[subject, frame])


def write_labels(root: Path) -> None:
    """Twelve label files for each person."""
    for subject, last in LAST.items():
        for au in AUS:
            lines = [f"{frame},{intensity(subject, frame, au)}" for frame in range(1, last + 1)]
            write(root / "ActionUnit_Labels" / subject / f"{subject}_au{au}.txt", "\n".join(lines) + "\n")


def expected(image: Callable[[str, int], str], *, threshold: int = 2, name: str = "{subject}_{frame:04d}") -> Expected:
    """What a reader finds; `image` is a function of subject and frame."""
    faces = {
        name.format(subject=subject, frame=frame): (subject, frame)
        for subject, last in LAST.items()
        for frame in range(1, last + 1)
    }
    return Expected(
        images={face: image(subject, frame) for face, (subject, frame) in faces.items()},
        subjects={face: subject for face, (subject, _) in faces.items()},
        numbers={face: labels(subject, frame, threshold) for face, (subject, frame) in faces.items()},
    )


def labels(subject: str, frame: int, threshold: int) -> dict[str, float]:
    """Intensity, and occurrence from the threshold on."""
    graded = {au: intensity(subject, frame, au) for au in AUS}
    return {f"AU{au:02d}_r": float(value) for au, value in graded.items()} | {
        f"AU{au:02d}_c": float(value >= threshold) for au, value in graded.items()
    }
