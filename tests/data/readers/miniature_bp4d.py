"""BP4D in miniature: the 2D+3D release and the FERA 2015 distribution, after public code that reads them.

ME-GraphAU ``BP4D_image_label_process.py`` (``AU_OCC/F001_T1.csv``, column "0" = frame, columns by AU number),
rPPG-Toolbox ``BP4DPlusBigSmallLoader.py`` (``AU_INT/AU06/F001_T1_AU06.csv``, two columns, no header) and OpenFace
``extract_BP4D_labels.m`` (``AUCoding/F001_T1.csv``, last column = occlusion, 9 = unknown).
"""

from __future__ import annotations

from pathlib import Path

from data.readers.miniature import Expected, write
from data.readers.numbered import write_numbered

AUS_CODED = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
AUS_GRADED = (6, 10, 12, 14, 17)
HEADINGS = 100  # 0 .. 99

# recording: label frames, how the pictures' numbers are padded in its folder
RECORDINGS: dict[str, tuple[range, str]] = {
    "F001_T1": (range(2440, 2446), "{}"),
    "F001_T3": (range(1, 6), "{:04d}"),
    "F017_T3": (range(196, 202), "{:03d}"),
    "M009_T4": (range(748, 756), "{:05d}"),
}
UNCODED_PICTURES = 2  # before and behind the coded part, in every folder
OCCLUDED = {"F017_T3": (199, 200)}


def occurrence(recording: str, frame: int, au: int) -> int:
    """The code in the label file; AU 1 of M009_T4 cannot be judged, other units are never coded."""
    if au not in AUS_CODED or (recording == "M009_T4" and au == 1):
        return 9
    return (frame + au) % 2


def intensity(recording: str, frame: int, au: int) -> int:
    """The intensity code; each frame whose number ends with 5 cannot be judged."""
    return 9 if frame % 10 == 5 else (frame + au) % 6


def make(root: Path) -> Expected:
    """The 2D+3D release."""
    for recording in RECORDINGS:
        write(root / "AUCoding" / "AU_OCC" / f"{recording}.csv", occurrence_file(recording))
        write_intensities(root / "AUCoding" / "AU_INT", recording)
        write_pictures(root / "2D+3D", recording)
    return expected("2D+3D")


def make_fera(root: Path) -> Expected:
    """The FERA 2015 distribution, in which two frames are flagged as occluded."""
    for recording in RECORDINGS:
        write(root / "AUCoding" / f"{recording}.csv", occurrence_file(recording, flag=True))
        write_intensities(root / "AU Intensity Codes3.0", recording)
        write_pictures(root / "BP4D-training", recording)
    left_out = {(name, frame) for name, frames in OCCLUDED.items() for frame in frames}
    return expected("BP4D-training", left_out, {"occluded": len(left_out)})


def occurrence_file(recording: str, *, flag: bool = False) -> str:
    """A label file; with `flag`, the last column flags occluded faces."""
    lines = [",".join(map(str, range(HEADINGS)))]
    for frame in RECORDINGS[recording][0]:
        codes = [frame, *(occurrence(recording, frame, au) for au in range(1, HEADINGS))]
        if flag:
            codes[-1] = int(frame in OCCLUDED.get(recording, ()))
        lines.append(",".join(map(str, codes)))
    return "\n".join(lines) + "\n"


def write_intensities(folder: Path, recording: str) -> None:
    """One file for each of the five graded units."""
    for au in AUS_GRADED:
        lines = [f"{frame},{intensity(recording, frame, au)}" for frame in RECORDINGS[recording][0]]
        write(folder / f"AU{au:02d}" / f"{recording}_AU{au:02d}.csv", "\n".join(lines) + "\n")


def write_pictures(folder: Path, recording: str) -> None:
    """Pictures with their own number in them, one before and one behind the coded part, and a mesh beside each."""
    frames, name = RECORDINGS[recording]
    subject, _, task = recording.partition("_")
    for number in range(frames.start - 1, frames.stop + 1):
        stem = folder / subject / task / name.format(number)
        write_numbered(stem.with_name(f"{stem.name}.jpg"), number)
        write(stem.with_name(f"{stem.name}.obj"), "v 0 0 0\n")


def expected(
    folder: str, left_out: set[tuple[str, int]] | None = None, skipped: dict[str, int] | None = None
) -> Expected:
    """What a reader finds of all recordings."""
    faces = [
        (recording, frame)
        for recording, (frames, _) in RECORDINGS.items()
        for frame in frames
        if (recording, frame) not in (left_out or set())
    ]
    names = {face: f"{face[0]}_{face[1]}" for face in faces}
    return Expected(
        images={names[r, k]: f"{folder}/{r.replace('_', '/')}/{RECORDINGS[r][1].format(k)}.jpg" for r, k in faces},
        subjects={names[face]: face[0][:4] for face in faces},
        numbers={names[r, k]: labels(r, k) for r, k in faces},
        skipped={"pictures outside the coded part": len(RECORDINGS), **(skipped or {})},
    )


def labels(recording: str, frame: int) -> dict[str, float]:
    """The known labels of one frame."""
    coded = {f"AU{au:02d}_c": float(occurrence(recording, frame, au)) for au in AUS_CODED}
    graded = {f"AU{au:02d}_r": float(intensity(recording, frame, au)) for au in AUS_GRADED}
    return {column: value for column, value in (coded | graded).items() if value != 9}
