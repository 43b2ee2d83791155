"""BP4D+ in miniature, after rPPG-Toolbox ``BP4DPlusBigSmallLoader.py`` and py-feat ``extract_au_training_features.py``.

One archive per person (``2D+3D/F001.zip`` with ``F001/T1/0001.jpg``), 34 units under a header whose first column, the
frame, has the same heading as AU 1; intensities of five without a header. Only T1, T6, T7 and T8 are coded.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from data.readers.miniature import Expected, write
from data.readers.numbered import jpeg, write_numbered

AUS = (1, 2, 4, 5, 6, 7, *range(9, 21), 22, 23, 24, *range(27, 40))
AUS_GRADED = (6, 10, 12, 14, 17)
FRAMES = range(11, 16)
PICTURES = range(9, 18)
PADDED = {"F001": "{:04d}", "F082": "{:03d}", "M058": "{:04d}"}
TASKS = ("T1", "T6")
UNCODED_TASK = "T2"


def occurrence(subject: str, task: str, frame: int, au: int) -> int:
    """The code in the label file; AU 39 is never coded, AU 20 not in F082."""
    if au == 39 or (au, subject) == (20, "F082"):
        return 9
    return (frame + au + int(task[1:])) % 2


def intensity(subject: str, frame: int, au: int) -> int:
    """The intensity code; 9 in the last frame."""
    return 9 if frame == FRAMES[-1] else (frame * au + int(subject[1:])) % 6


def make(root: Path) -> Expected:
    """As delivered: an archive for each person."""
    write_labels(root)
    for subject in PADDED:
        write_archive(root / "2D+3D" / f"{subject}.zip", subject)
    return expected("2D+3D/{subject}.zip!{subject}/{task}/{name}.jpg")


def make_unpacked(root: Path) -> Expected:
    """The same in folders."""
    write_labels(root)
    for subject, name in PADDED.items():
        for task in (*TASKS, UNCODED_TASK):
            for number in PICTURES:
                write_numbered(root / "2D+3D" / subject / task / f"{name.format(number)}.jpg", number)
    return expected("2D+3D/{subject}/{task}/{name}.jpg")


def write_labels(root: Path) -> None:
    """All label files, and the other folders of the release."""
    for subject in PADDED:
        write(root / "Physiology" / subject / "T1" / "BP_mmHg.txt", "80.1\n")
        for task in TASKS:
            write(root / "AUCoding" / "AU_OCC" / f"{subject}_{task}.csv", occurrence_file(subject, task))
            for au in AUS_GRADED:
                lines = [f"{frame},{intensity(subject, frame, au)}" for frame in FRAMES]
                name = f"{subject}_{task}_AU{au:02d}.csv"
                write(root / "AUCoding" / "AU_INT" / f"AU{au:02d}" / name, "\n".join(lines) + "\n")
    write(root / "BP4D+UserGuide_v0.2.pdf", "%PDF")


def occurrence_file(subject: str, task: str) -> str:
    """A label file; the first heading is 1, as that of AU 1 is."""
    lines = [",".join(map(str, (1, *AUS)))]
    for frame in FRAMES:
        lines.append(",".join(map(str, (frame, *(occurrence(subject, task, frame, au) for au in AUS)))))
    return "\n".join(lines) + "\n"


def write_archive(path: Path, subject: str, above: str | None = None) -> None:
    """The archive of one person, with entries for folders, meshes, and one uncoded task; `above`: its top folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    top = f"{subject}/" if above is None else above
    with zipfile.ZipFile(path, "w") as archive:
        for task in (*TASKS, UNCODED_TASK):
            archive.writestr(f"{top}{task}/", b"")
            for number in PICTURES:
                stem = f"{top}{task}/{PADDED[subject].format(number)}"
                archive.writestr(f"{stem}.obj", b"v 0 0 0\n")
                archive.writestr(f"{stem}.jpg", jpeg(number))


def expected(image: str) -> Expected:
    """What a reader finds; `image` is the pattern of a reference."""
    images, subjects, numbers = {}, {}, {}
    for subject, name in PADDED.items():
        for task in TASKS:
            for frame in FRAMES:
                face = f"{subject}_{task}_{frame}"
                images[face] = image.format(subject=subject, task=task, name=name.format(frame))
                subjects[face] = subject
                numbers[face] = labels(subject, task, frame)
    skipped = {"pictures outside the coded part": len(PADDED) * len(TASKS), "task without labels": len(PADDED)}
    return Expected(images=images, subjects=subjects, numbers=numbers, skipped=skipped)


def labels(subject: str, task: str, frame: int) -> dict[str, float]:
    """The known labels of one frame."""
    coded = {f"AU{au:02d}_c": float(occurrence(subject, task, frame, au)) for au in AUS}
    graded = {f"AU{au:02d}_r": float(intensity(subject, frame, au)) for au in AUS_GRADED}
    return {column: value for column, value in (coded | graded).items() if value != 9}
