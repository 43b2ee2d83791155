"""RAF-DB (basic) in miniature, after the owner's readme and label file."""

from __future__ import annotations

from pathlib import Path

from data.readers.miniature import Expected, picture, write

# name, code of list_patition_label.txt, what the readme says the code is, in norface's words
FACES = (
    ("train_00001", 5, "sad"),
    ("train_00002", 5, "sad"),
    ("train_00003", 4, "happy"),
    ("train_00004", 1, "surprise"),
    ("train_00005", 2, "fear"),
    ("train_00006", 3, "disgust"),
    ("train_12271", 7, "neutral"),
    ("test_0001", 6, "anger"),
    ("test_0002", 7, "neutral"),
    ("test_3068", 4, "happy"),
)
BOX = (12, 9, 90, 111)  # left, top, right, bottom
POINTS = ((30.5, 40.25), (70.0, 41.0), (50.0, 62.0), (36.0, 84.0), (66.0, 85.0))  # eyes, nose, mouth corners


def make(root: Path) -> Expected:
    """Aligned images, the release that most papers use."""
    write_labels(root)
    for k, (name, _, _) in enumerate(FACES):
        picture(root / "Image" / "aligned" / f"{name}_aligned.jpg", k, (100, 100))
    return _expected({name: f"Image/aligned/{name}_aligned.jpg" for name, _, _ in FACES})


def make_original(root: Path) -> Expected:
    """Original photographs with the owner's boxes and landmarks; one face has neither, as in version 1.0."""
    write_labels(root)
    without = FACES[-1][0]
    for k, (name, _, _) in enumerate(FACES):
        picture(root / "Image" / "original" / f"{name}.jpg", k, (120 + k, 130))
        if name == without:
            continue
        # the owner's files have one trailing space after the box, and tabs between coordinates
        write(root / "Annotation" / "boundingbox" / f"{name}_boundingbox.txt", " ".join(map(str, BOX)) + " \n")
        lines = [f"{x:.6f}\t{y:.6f}" for x, y in POINTS] + ["1", "0", "2"]
        write(root / "Annotation" / "manual" / f"{name}_manu_attri.txt", "\n".join(lines) + "\n")
    left, top, right, bottom = BOX
    numbers: dict[str, float] = {
        "box_left": left,
        "box_top": top,
        "box_width": right - left,
        "box_height": bottom - top,
    }
    for place, (x, y) in zip(("right_eye", "left_eye", "nose", "mouth_right", "mouth_left"), POINTS, strict=True):
        numbers |= {f"{place}_x": x, f"{place}_y": y}
    images = {name: f"Image/original/{name}.jpg" for name, _, _ in FACES}
    return _expected(images, {name: numbers for name in images if name != without})


def write_labels(root: Path, extra: tuple[str, ...] = ()) -> None:
    """The label file, without a final newline, as the owner's; `extra` lines come first."""
    lines = [*extra, *(f"{name}.jpg {code}" for name, code, _ in FACES)]
    write(root / "EmoLabel" / "list_patition_label.txt", "\n".join(lines))


def _expected(images: dict[str, str], numbers: dict[str, dict[str, float]] | None = None) -> Expected:
    return Expected(
        images=images,
        emotions={name: emotion for name, _, emotion in FACES},
        splits={name: name.partition("_")[0] for name, _, _ in FACES},
        numbers=numbers or {},
    )
