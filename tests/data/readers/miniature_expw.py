"""ExpW in miniature. The box has the order top, left, right, bottom."""

from __future__ import annotations

from pathlib import Path

from data.readers.miniature import Expected, picture, write

# image, face in it, top, left, right, bottom, confidence, code, what the code is
FACES = (
    ("afraid_actor_10.jpg", 0, 10, 22, 52, 44, 99.83, 2, "fear"),
    ("afraid_actor_10.jpg", 1, 12, 60, 88, 41, 63.5, 6, "neutral"),
    ("amazed_teacher_289.jpg", 0, 5, 8, 41, 39, 100, 5, "surprise"),
    ("angry_african_224.jpg", 0, 5, 8, 41, 39, 98, 0, "anger"),
    ("awe_lady_1.jpg", 0, 5, 8, 41, 39, 98, 3, "happy"),
    ("gloomy_man_7.jpg", 0, 5, 8, 41, 39, 98, 4, "sad"),
    ("sick_baby_2.jpg", 0, 5, 8, 41, 39, 98, 1, "disgust"),
)


def lines() -> list[str]:
    """The lines of label.lst."""
    return [" ".join(map(str, face[:8])) for face in FACES]


def make(root: Path) -> Expected:
    """As unpacked."""
    write_labels(root, lines())
    for k, name in enumerate(dict.fromkeys(face[0] for face in FACES)):
        picture(root / "image" / "origin" / name, k, (96, 60))
    names = {f"{face[0].removesuffix('.jpg')}_{face[1]}": face for face in FACES}
    return Expected(
        images={name: f"image/origin/{face[0]}" for name, face in names.items()},
        emotions={name: face[8] for name, face in names.items()},
        numbers={
            name: {
                "box_left": left,
                "box_top": top,
                "box_width": right - left,
                "box_height": bottom - top,
                "box_confidence": confidence,
            }
            for name, (_, _, top, left, right, bottom, confidence, _, _) in names.items()
        },
    )


def write_labels(root: Path, rows: list[str]) -> None:
    """Write label.lst."""
    write(root / "label" / "label.lst", "\n".join(rows) + "\n")
