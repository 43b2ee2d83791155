"""Emotions as people write them, in norface's words. Only names: numbers mean something else in every data set."""

from __future__ import annotations

import re
from collections.abc import Mapping

from norface.labels import EMOTIONS

ALIASES: Mapping[str, tuple[str, ...]] = {
    "neutral": ("neutrality",),
    "happy": ("happiness", "joy"),
    "sad": ("sadness",),
    "surprise": ("surprised", "suprise"),  # sic: a widespread copy of FER2013 has it so
    "fear": ("fearful", "afraid", "scared"),
    "disgust": ("disgusted",),
    "anger": ("angry",),
    "contempt": ("contemptuous",),
}
"""Other names of each emotion."""

_BY_NAME = {name: emotion for emotion in EMOTIONS for name in (emotion, *ALIASES[emotion])}


def emotion_named(text: str) -> str | None:
    """The emotion that a name or alias means, whatever its case; None where it means none."""
    return _BY_NAME.get(re.sub(r"[\s_-]", "", text).lower())


def known_names() -> str:
    """All names, for messages."""
    return ", ".join("/".join((emotion, *ALIASES[emotion])) for emotion in EMOTIONS)
