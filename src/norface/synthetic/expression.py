"""Emotions as noisy combinations of action units."""

from __future__ import annotations

import numpy as np

from norface.synthetic.rig import RIGGED_AUS

# Emotion -> variants of (action unit, probability, mean intensity). After the prototypes of EMFACS (Ekman & Friesen
# 1983) as tabulated by Matsumoto, Keltner, Shiota, O'Sullivan & Frank, "Facial expressions of emotion", 2008.
_PROTOTYPES: dict[str, tuple[tuple[tuple[int, float, float], ...], ...]] = {
    "neutral": ((),),
    "happy": (
        ((12, 1.0, 3.2), (6, 0.75, 2.6), (25, 0.55, 2.8), (26, 0.15, 1.2), (7, 0.2, 1.4)),
        ((12, 1.0, 2.4), (6, 0.45, 1.6), (25, 0.25, 1.6)),
    ),
    "sad": (
        ((1, 0.85, 3.0), (4, 0.75, 2.2), (15, 0.85, 2.8), (17, 0.5, 2.0), (7, 0.15, 1.2), (43, 0.15, 1.5)),
        ((15, 1.0, 2.8), (17, 0.75, 2.4), (4, 0.4, 1.6), (1, 0.5, 2.0)),
    ),
    "surprise": (
        ((1, 1.0, 3.2), (2, 0.95, 3.2), (5, 0.75, 2.4), (26, 0.85, 2.8), (25, 0.5, 2.2)),
        ((1, 0.9, 2.6), (2, 0.9, 2.6), (5, 0.6, 2.0), (26, 0.35, 1.6), (25, 0.6, 2.0)),
    ),
    "fear": (
        (
            (1, 0.95, 3.0),
            (2, 0.65, 2.2),
            (4, 0.85, 2.4),
            (5, 0.85, 3.2),
            (20, 0.8, 2.8),
            (25, 0.65, 2.2),
            (26, 0.4, 1.6),
        ),
        ((1, 0.9, 2.6), (4, 0.7, 2.0), (5, 0.9, 2.8), (7, 0.3, 1.2), (20, 0.5, 2.2), (25, 0.5, 1.8)),
    ),
    "disgust": (
        ((9, 0.95, 3.2), (10, 0.6, 2.4), (4, 0.4, 1.6), (7, 0.4, 1.6), (17, 0.4, 1.8), (25, 0.25, 1.5)),
        ((10, 1.0, 3.2), (9, 0.5, 1.8), (15, 0.4, 1.6), (17, 0.35, 1.8), (6, 0.2, 1.2)),
    ),
    "anger": (
        ((4, 1.0, 3.4), (5, 0.5, 2.0), (7, 0.75, 2.6), (23, 0.8, 3.0), (17, 0.4, 1.8)),
        ((4, 1.0, 3.0), (7, 0.7, 2.4), (10, 0.35, 1.8), (25, 0.55, 2.2), (26, 0.3, 1.6), (9, 0.2, 1.4)),
    ),
    "contempt": (((12, 1.0, 2.9), (10, 0.2, 1.2), (7, 0.2, 1.2), (2, 0.15, 1.4)),),
}
_DISTRACTION = 0.06


def draw_expression(emotion: str, rng: np.random.Generator) -> tuple[dict[int, float], dict[int, float]]:
    """Action-unit intensities 0..5 and left-right skews of one face that shows an emotion.

    Contempt is the one-sided smile; every other expression is only slightly uneven.
    """
    variants = _PROTOTYPES[emotion]
    aus = dict.fromkeys(RIGGED_AUS, 0.0)
    effort = float(np.clip(rng.normal(1.3, 0.22), 0.7, 1.8))
    for au, probability, mean in variants[int(rng.integers(len(variants)))]:
        if rng.random() < probability:
            aus[au] = float(np.clip(effort * mean + rng.normal(0.0, 0.55), 0.5, 5.0))
    for au in RIGGED_AUS:
        if aus[au] == 0.0 and rng.random() < _DISTRACTION:
            aus[au] = float(rng.uniform(0.2, 1.3))
        elif aus[au] == 0.0 and rng.random() < 0.25:
            aus[au] = float(rng.uniform(0.0, 0.4))
    skew = {au: float(np.clip(rng.normal(0.0, 0.08), -0.3, 0.3)) for au in RIGGED_AUS}
    if emotion == "contempt":
        side = float(rng.choice([-1.0, 1.0]))
        for au in (12, 10, 6):
            skew[au] = side * float(rng.uniform(0.78, 1.0))
    return {au: round(value, 3) for au, value in aus.items()}, {au: round(value, 3) for au, value in skew.items()}
