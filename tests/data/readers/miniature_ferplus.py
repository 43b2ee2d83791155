"""FERPlus in miniature: the new label file beside fer2013.csv, and the folders that the owner's script makes."""

from __future__ import annotations

from pathlib import Path

import cv2

from data.readers.miniature import Expected, write
from data.readers.miniature_fer2013 import grey, line

HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
# part, ten votes, winner by argmax, winner by the owner's majority (words: why there is none)
ROWS = (
    ("Training", (4, 0, 0, 1, 3, 2, 0, 0, 0, 0), "neutral", "no majority"),  # 4 of 9 after the single vote is dropped
    ("Training", (6, 0, 1, 1, 0, 0, 0, 0, 2, 0), "neutral", "neutral"),
    ("Training", (5, 0, 0, 3, 1, 0, 0, 0, 1, 0), "neutral", "neutral"),  # 5 of 10, but 5 of 8 without single votes
    ("Training", (0, 10, 0, 0, 0, 0, 0, 0, 0, 0), "happy", "happy"),
    ("Training", (0, 0, 5, 0, 0, 0, 5, 0, 0, 0), "surprise", "no majority"),  # a tie: the first counts
    ("Training", (1, 0, 0, 2, 1, 0, 0, 0, 6, 0), "voted unknown", "voted unknown"),
    ("Training", (0, 0, 0, 0, 0, 0, 0, 0, 0, 10), "voted not a face", "voted not a face"),  # has no name
    ("PublicTest", (0, 0, 0, 8, 0, 0, 2, 0, 0, 0), "sad", "sad"),
    ("PublicTest", (0, 0, 0, 0, 2, 7, 0, 1, 0, 0), "disgust", "disgust"),
    ("PrivateTest", (0, 0, 0, 0, 1, 0, 9, 0, 0, 0), "fear", "fear"),
    ("PrivateTest", (1, 1, 1, 1, 1, 1, 1, 1, 1, 1), "neutral", "no majority"),  # only single votes
    ("PrivateTest", (0, 0, 0, 0, 0, 0, 0, 9, 1, 0), "contempt", "contempt"),
    ("PrivateTest", (0, 0, 0, 0, 10, 0, 0, 0, 0, 0), "anger", "anger"),
)
FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
SPLITS = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
VOTED = ("neutral", "happy", "surprise", "sad", "anger", "disgust", "fear", "contempt")
NAMELESS = 6


def label_line(k: int) -> str:
    """One line of fer2013new.csv."""
    usage, votes, _, _ = ROWS[k]
    return ",".join([usage, "" if k == NAMELESS else f"fer{k:07d}.png", *map(str, votes)])


def make(root: Path, *, rule: str = "argmax") -> Expected:
    """fer2013new.csv beside fer2013.csv."""
    pixels = [line(k, 6, row[0]) for k, row in enumerate(ROWS)]  # the old emotions play no part
    write(root / "fer2013.csv", "\n".join(["emotion,pixels,Usage", *pixels]) + "\n")
    write(root / "fer2013new.csv", "\n".join([HEADER, *(label_line(k) for k in range(len(ROWS)))]) + "\n")
    return _expected({k: f"fer2013.csv@{k}" for k in range(len(ROWS))}, rule)


def make_folders(root: Path, *, rule: str = "argmax") -> Expected:
    """FER2013Train/label.csv and so on; faces without a name are in none of them."""
    images = {}
    for usage, folder in FOLDERS.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        lines = []
        for k, (part, votes, _, _) in enumerate(ROWS):
            if part != usage or k == NAMELESS:
                continue
            name = f"fer{k:07d}.png"
            cv2.imwrite(str(root / folder / name), grey(k))
            lines.append(",".join([name, '"(0, 0, 48, 48)"', *map(str, votes)]))
            images[k] = f"{folder}/{name}"
        write(root / folder / "label.csv", "\r\n".join(lines) + "\r\n")
    return _expected(images, rule)


def _expected(images: dict[int, str], rule: str) -> Expected:
    winners = {k: ROWS[k][2] if rule == "argmax" else ROWS[k][3] for k in images}
    kept = {k: f"fer{k:07d}" for k, winner in winners.items() if winner in VOTED}
    lost = [winner for winner in winners.values() if winner not in VOTED]
    shares = {
        name: {f"emotion_share_{emotion}": ROWS[k][1][i] / sum(ROWS[k][1]) for i, emotion in enumerate(VOTED)}
        for k, name in kept.items()
    }
    return Expected(
        images={name: images[k] for k, name in kept.items()},
        emotions={name: winners[k] for k, name in kept.items()},
        splits={name: SPLITS[ROWS[k][0]] for k, name in kept.items()},
        numbers=shares,
        skipped={why: lost.count(why) for why in lost},
    )
