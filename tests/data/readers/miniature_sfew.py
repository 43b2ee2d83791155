"""SFEW 2.0 in miniature: frames of films, or the owner's crops of them."""

from __future__ import annotations

from pathlib import Path

from data.readers.miniature import Expected, picture

FACES = {
    "Train": (
        ("Angry/Airheads_000519240_00000005.png", "anger"),
        ("Disgust/Bridesmaids_000123_00000010.png", "disgust"),
        ("Fear/Alien_000111_00000001.png", "fear"),
        ("Happy/Hall_Pass_000222_00000033.png", "happy"),
        ("Neutral/Hall_Pass_000222_00000044.png", "neutral"),
    ),
    "Val": (("Sad/Juno_000333_00000001.png", "sad"), ("Surprise/Juno_000333_00000002.png", "surprise")),
}
TEST = ("Unknown_000001_00000001.png", "Unknown_000001_00000002.png")
SPLITS = {"Train": "train", "Val": "val"}


def make(root: Path) -> Expected:
    """The frames of the films."""
    return _make(root, {"Train": "Train", "Val": "Val", "Test": "Test"}, (120, 90))


def make_aligned(root: Path) -> Expected:
    """The owner's crops; the archive of the validation images is named _new."""
    folders = {"Train": "Train_Aligned_Faces", "Val": "Val_Aligned_Faces_new", "Test": "Test_Aligned_Faces"}
    return _make(root, folders, (143, 181))


def make_aligned_inside(root: Path) -> Expected:
    """The owner's crops in folders of each part."""
    return _make(root, {part: f"{part}/{part}_Aligned_Faces" for part in ("Train", "Val", "Test")}, (143, 181))


def _make(root: Path, folders: dict[str, str], size: tuple[int, int]) -> Expected:
    images: dict[str, str] = {}
    emotions: dict[str, str] = {}
    splits: dict[str, str] = {}
    for part, faces in FACES.items():
        for path, emotion in faces:
            picture(root / folders[part] / path, len(images), size)
            name = Path(path).stem
            images[name], emotions[name], splits[name] = f"{folders[part]}/{path}", emotion, SPLITS[part]
    for name in TEST:
        picture(root / folders["Test"] / name, 0, size)
    skipped = {"test image, label not public": len(TEST)}
    return Expected(images=images, emotions=emotions, splits=splits, skipped=skipped)
