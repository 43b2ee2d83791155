"""Images in one folder per emotion."""

from __future__ import annotations

from pathlib import Path

from data.readers.miniature import Expected, picture

CLASSES = {"neutral": "neutral", "Happiness": "happy", "SAD": "sad", "angry": "anger", "surprised": "surprise"}
SPLITS = {"train": "train", "valid": "val", "Test": "test"}


def make(root: Path) -> Expected:
    """Classes alone; one image lies deeper, and three have the same name but for its suffix or folder."""
    images, emotions = {}, {}
    for k, (folder, emotion) in enumerate(CLASSES.items()):
        for name in ("a.jpg", "B.PNG", "deeper/c.bmp"):
            _picture(root, f"{folder}/{name}", k)
            face_id = f"{folder}/{name.rpartition('.')[0]}"
            images[face_id], emotions[face_id] = f"{folder}/{name}", emotion
    return Expected(images=images, emotions=emotions)


def make_splits(root: Path) -> Expected:
    """train, valid and Test above the classes."""
    images, emotions, splits = {}, {}, {}
    for top, split in SPLITS.items():
        for k, (folder, emotion) in enumerate(CLASSES.items()):
            face_id = f"{top}/{folder}/a"
            _picture(root, f"{face_id}.webp", k)
            images[face_id], emotions[face_id], splits[face_id] = f"{face_id}.webp", emotion, split
    return Expected(images=images, emotions=emotions, splits=splits)


def _picture(root: Path, path: str, number: int) -> None:
    picture(root / path, number, (40, 40))
