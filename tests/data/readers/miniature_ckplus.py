"""CK+ in miniature, after the owner's readme."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from data.readers.miniature import Expected, picture, write

# subject, sequence, frames, code of the emotion or None, (AU, intensity) pairs of the last frame or None
SEQUENCES = (
    ("S005", "001", range(1, 12), 3, ((9, 4), (17, 2))),
    ("S010", "002", range(1, 8), 7, ((1, 3), (2, 0), (5, 4), (27, 5))),  # 0: intensity not given
    ("S010", "004", range(1, 9), None, ((4, 1), (54, 0))),  # no emotion; 54 is a movement of the head
    ("S011", "003", range(1, 6), 5, ((6, 3), (12, 4))),
    ("S109", "001", range(1235900, 1235905), 1, ((4, 3), (23, 0))),  # time codes for numbers
    ("S130", "009", range(1, 4), 2, ((12, 0), (14, 2))),  # three frames: one neutral, two with the emotion
    ("S137", "002", range(1, 7), 6, ((1, 1), (4, 1), (15, 2))),
    ("S502", "003", range(1, 7), 4, ((1, 2), (20, 3))),
)
EMOTIONS = ("neutral", "anger", "contempt", "disgust", "fear", "happy", "sad", "surprise")  # by code
AUS = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 23, 24, 25, 26, 27, 28, 29, 31, 34, 38, 39, 43)


def write_emotion(root: Path, subject: str, sequence: str, frame: int, text: str) -> None:
    """One emotion file."""
    write(root / "Emotion" / subject / sequence / f"{subject}_{sequence}_{frame:08d}_emotion.txt", text)


def write_facs(root: Path, subject: str, sequence: str, frame: int, lines: Iterable[str]) -> None:
    """One FACS file."""
    path = root / "FACS" / subject / sequence / f"{subject}_{sequence}_{frame:08d}_facs.txt"
    write(path, "".join(f"{line}\n" for line in lines))


def make(root: Path) -> Expected:
    """Images, emotions and FACS codes."""
    return make_parts(root, facs=True)


def make_parts(root: Path, *, facs: bool) -> Expected:
    """With or without the FACS codes."""
    images: dict[str, str] = {}
    emotions: dict[str, str] = {}
    subjects: dict[str, str] = {}
    numbers: dict[str, dict[str, float]] = {}
    for subject, sequence, frames, code, units in SEQUENCES:
        stems = {frame: f"{subject}_{sequence}_{frame:08d}" for frame in frames}
        folder = f"cohn-kanade-images/{subject}/{sequence}"
        for frame, stem in stems.items():
            picture(root / folder / f"{stem}.png", frame, (64, 49))
        last = frames[-1]
        (root / "Emotion" / subject / sequence).mkdir(parents=True, exist_ok=True)  # empty where there is no emotion
        if code is not None:
            write_emotion(root, subject, sequence, last, f"   {float(code):.7e}\n")
        shown = {last} if facs or code is not None else set()
        if code is not None:
            shown = {frames[0], *frames[1:][-3:]}
            emotions |= {stems[frame]: EMOTIONS[code] for frame in frames[1:][-3:]}
            emotions[stems[frames[0]]] = "neutral"
        if facs:
            write_facs(root, subject, sequence, last, (f"   {float(au):.7e}   {float(r):.7e}" for au, r in units))
            numbers[stems[last]] = _columns(dict(units))
        images |= {stems[frame]: f"{folder}/{stems[frame]}.png" for frame in sorted(shown)}
        subjects |= {stems[frame]: subject for frame in shown}
    with_facs = {"sequence without emotion": 1, "no column for action unit 54": 1}
    without = {"sequence without emotion": 1, "image without label": 1, "labels are not there": 1}
    return Expected(
        images=images,
        emotions=emotions,
        subjects=subjects,
        numbers=numbers,
        skipped=with_facs if facs else without,
    )


def _columns(listed: dict[int, int]) -> dict[str, float]:
    occurrence = {f"AU{au:02d}_c": float(au in listed) for au in AUS}
    given = {f"AU{au:02d}_r": float(listed.get(au, 0)) for au in AUS if listed.get(au) != 0}
    return occurrence | given
