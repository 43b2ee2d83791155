"""AffectNet (manually annotated) in miniature: the CSV release, and the .npy release of March 2021."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.readers.miniature import Expected, picture, write

COLUMNS = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
# path below Manually_Annotated_Images, code, what the code is, valence
TRAIN = (
    ("689/737db2483489148d783ef278f43f486c.JPG", 1, "happy", "0.785714"),
    ("392/c4db2f9b7e4b422d14b6e038f0cdc3ec.jpg", 0, "neutral", "-0.0553"),
    ("468/21772b68dc8c2a11678c8739eca33adb.png", 3, "surprise", "0.1"),
    ("468/31772b68dc8c2a11678c8739eca33adb.bmp", 4, "fear", "-0.2"),
    ("1/01d29c49-no-hash.tif", 6, "anger", "-0.4"),
    ("1/aaaa.jpg", 7, "contempt", "-0.6"),
    ("1/bbbb.jpg", 8, "no emotion (none)", "-2"),
    ("1/cccc.jpg", 9, "uncertain emotion", "-2"),
    ("1/dddd.jpg", 10, "no face", "-2"),
)
VAL = (
    ("2/eeee.jpg", 2, "sad", "-0.5"),
    ("2/ffff.jpg", 5, "disgust", "-0.5"),
    ("3/abcd.jpg", 7, "contempt", "-0.5"),
)
EMOTIONS = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
BOX = (14.0, 11.0, 60.0, 62.0)  # x, y, width, height
LISTS = Path("Manually_Annotated_file_lists")
IMAGES = Path("Manually_Annotated/Manually_Annotated_Images")

# 68 points as of iBUG: only those of the eyes (36-47), the tip of the nose (30) and the mouth's corners (48, 54) differ
_POINTS = np.zeros((68, 2))
_POINTS[36:42] = [(20, 30), (24, 27), (28, 27), (32, 30), (28, 33), (24, 33)]
_POINTS[42:48] = [(50, 30), (54, 27), (58, 27), (62, 30), (58, 33), (54, 33)]
_POINTS[30], _POINTS[48], _POINTS[54] = (41, 45), (29, 58), (55, 59)
LANDMARKS = ";".join(f"{value:g}" for value in _POINTS.ravel())
FIVE = {"right_eye": (26, 30), "left_eye": (56, 30), "nose": (41, 45), "mouth_right": (29, 58), "mouth_left": (55, 59)}


def line(path: str, code: int, valence: str = "0", box: tuple[float, ...] = BOX) -> str:
    """One line of training.csv or validation.csv."""
    return ",".join([path, *(f"{value:g}" for value in box), LANDMARKS, str(code), valence, "0.25"])


def make(root: Path) -> Expected:
    """The CSV release; both lists have a header."""
    return make_csv(root)


def make_headerless(root: Path) -> Expected:
    """As make, but validation.csv has no header, and the lists lie beside the images."""
    return make_csv(root, lists=Path("Manually_Annotated"), val_header=False)


def make_csv(
    root: Path, *, lists: Path = LISTS, val_header: bool = True, train: tuple[str, ...] = (), classes: int = 8
) -> Expected:
    """The CSV release; `train` are more lines of training.csv."""
    write(
        root / lists / "training.csv", "\n".join([COLUMNS, *(line(*row[:2], row[3]) for row in TRAIN), *train]) + "\n"
    )
    header = [COLUMNS] if val_header else []
    write(root / lists / "validation.csv", "\n".join(header + [line(*row[:2], row[3]) for row in VAL]) + "\n")
    rows = [("train", *row) for row in TRAIN] + [("val", *row) for row in VAL]
    for k, (_, path, _, _, _) in enumerate(rows):
        (root / IMAGES / path).parent.mkdir(parents=True, exist_ok=True)
        picture(root / IMAGES / path, k, (80, 84))
    names = {row[1]: row[1].rpartition(".")[0].replace("/", "_") for row in rows}
    kept = [row for row in rows if row[2] < classes]
    numbers: dict[str, dict[str, float]] = {}
    for row in kept:
        box = dict(zip(("box_left", "box_top", "box_width", "box_height"), BOX, strict=True))
        points = {f"{place}_{axis}": float(v) for place, xy in FIVE.items() for axis, v in zip("xy", xy, strict=True)}
        numbers[names[row[1]]] = {**box, **points, "valence": float(row[4]), "arousal": 0.25}
    left_out = {row[3]: 1 for row in rows if row[2] > 7}
    if classes == 7:
        left_out["contempt, not among the 7 classes"] = 2
    return Expected(
        images={names[row[1]]: (IMAGES / row[1]).as_posix() for row in kept},
        emotions={names[row[1]]: row[3] for row in kept},
        splits={names[row[1]]: row[0] for row in kept},
        numbers=numbers,
        skipped=left_out,
    )


def make_npy(root: Path, *, kind: str = "text") -> Expected:
    """The .npy release.

    Args:
        root: Where.
        kind: How a label is stored: as text, or as a number.
    """
    labels = {"train": {0: 1, 1: 0, 10: 7, 11: 6, 3: 3}, "val": {0: 2, 1: 5, 2: 4}}
    images, emotions, splits = {}, {}, {}
    for split, codes in labels.items():
        for number, code in codes.items():
            picture(root / f"{split}_set" / "images" / f"{number}.jpg", number, (224, 224))
            folder = root / f"{split}_set" / "annotations"
            folder.mkdir(parents=True, exist_ok=True)
            np.save(folder / f"{number}_exp.npy", np.array(str(code) if kind == "text" else code))
            np.save(folder / f"{number}_val.npy", np.array("0.1"))
            np.save(folder / f"{number}_aro.npy", np.array("0.1"))
            np.save(folder / f"{number}_lnd.npy", np.zeros(136))
            name = f"{split}_{number}"
            images[name] = f"{split}_set/images/{number}.jpg"
            emotions[name], splits[name] = EMOTIONS[code], split
    return Expected(images=images, emotions=emotions, splits=splits)
