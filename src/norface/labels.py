"""The vocabulary everyone shares: emotions, action units, landmarks and the columns of the face table."""

from __future__ import annotations

import re
from collections.abc import Iterable

EMOTIONS: tuple[str, ...] = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
"""Canonical names, in AffectNet's code order. Tables may use fewer; addressed by name, never by position."""

AU_NAMES: dict[int, str] = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    11: "nasolabial deepener",
    12: "lip corner puller",
    13: "sharp lip puller",
    14: "dimpler",
    15: "lip corner depressor",
    16: "lower lip depressor",
    17: "chin raiser",
    18: "lip pucker",
    19: "tongue show",
    20: "lip stretcher",
    22: "lip funneler",
    23: "lip tightener",
    24: "lip pressor",
    25: "lips part",
    26: "jaw drop",
    27: "mouth stretch",
    28: "lip suck",
    29: "jaw thrust",
    30: "jaw sideways",
    31: "jaw clencher",
    32: "lip bite",
    33: "cheek blow",
    34: "cheek puff",
    35: "cheek suck",
    36: "tongue bulge",
    37: "lip wipe",
    38: "nostril dilator",
    39: "nostril compressor",
    43: "eyes closed",
}
"""Action units of the Facial Action Coding System that norface knows by name."""

MAX_INTENSITY = 5.0
"""Action unit intensities run from 0 (absent) to 5 (maximum), as FACS levels A to E do."""

OCCURRENCE_THRESHOLD = 2.0
"""An action unit counts as present from this intensity on, where only intensities are known (DISFA's convention)."""

PROBABILITY_THRESHOLD = 0.5
"""From this probability on, a classifier says that an action unit is shown (the literature's)."""

LANDMARKS: tuple[str, ...] = ("right_eye", "left_eye", "nose", "mouth_right", "mouth_left")
"""The five points; right and left are the subject's own."""

LANDMARK_COLUMNS: tuple[str, ...] = tuple(f"{name}_{axis}" for name in LANDMARKS for axis in "xy")

BOX_COLUMNS: tuple[str, ...] = ("box_left", "box_top", "box_width", "box_height")
"""The face's box in pixels of the picture it was found in; edges, so a box of the whole picture starts at 0."""

POSE_COLUMNS: tuple[str, ...] = ("yaw", "pitch", "roll")
"""Head pose in degrees. Positive yaw: the subject turns to its own left; pitch: upwards; roll: clockwise on screen."""

ATTRIBUTES: tuple[str, ...] = (*POSE_COLUMNS, "light_azimuth", "light_ambient", "id_skin_tone", "id_age", "id_beard")
"""Columns beside the labels by which test faces may be sliced; the built-in faces have all of them."""

TASKS: tuple[str, ...] = ("fer", "au", "au-intensity")

SPLITS: tuple[str, ...] = ("normalizer", "train", "val", "test")
"""`normalizer` subjects train the teachers and the normalizer, the other three are the classifier's. All disjoint."""

_AU_COLUMN = re.compile(r"^AU(\d{2})_([cr])$")


def au_column(au: int, kind: str) -> str:
    """Column of one action unit; `kind` is ``"c"`` for occurrence (0 or 1) or ``"r"`` for intensity (0..5)."""
    return f"AU{au:02d}_{kind}"


def aus_in_columns(columns: Iterable[str], kind: str) -> tuple[int, ...]:
    """Action units that have a column of this kind, ascending."""
    matches = (_AU_COLUMN.match(str(column)) for column in columns)
    return tuple(sorted(int(m[1]) for m in matches if m and m[2] == kind))
