"""Who is drawn: about fifty independent numbers that shape and colour one person."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

# (mean, standard deviation) in centimetres unless named otherwise; the mean person's neutral landmarks are proportional
# to the alignment template. Draws are clipped to 2.2 standard deviations.
_NORMAL: dict[str, tuple[float, float]] = {
    "head_width": (1.0, 0.05),
    "head_height": (1.0, 0.045),
    "forehead_slope": (0.0, 0.35),
    "brow_ridge": (0.25, 0.22),
    "cheekbone": (0.0, 0.32),
    "cheek_fullness": (0.0, 0.40),
    "jaw_width": (1.0, 0.085),
    "jaw_square": (0.0, 0.35),
    "chin_length": (0.0, 0.50),
    "chin_forward": (0.0, 0.35),
    "chin_width": (1.0, 0.20),
    "chin_cleft": (0.0, 0.12),
    "eye_distance": (6.3, 0.30),
    "eye_width": (1.68, 0.11),
    "eye_opening": (1.0, 0.08),
    "eye_tilt": (0.05, 0.07),
    "eye_depth": (0.75, 0.25),
    "lid_crease": (0.55, 0.25),
    "brow_height": (1.95, 0.12),
    "brow_arch": (0.45, 0.15),
    "brow_tilt": (0.0, 0.08),
    "brow_thickness": (0.36, 0.12),
    "brow_length": (1.0, 0.08),
    "nose_length": (3.58, 0.28),
    "nose_width": (1.0, 0.14),
    "nose_height": (2.6, 0.35),
    "nose_hump": (0.0, 0.28),
    "nose_tip": (0.0, 0.20),
    "mouth_width": (2.61, 0.20),
    "mouth_height": (-7.27, 0.25),
    "mouth_curve": (0.0, 0.08),
    "lip_upper": (0.55, 0.15),
    "lip_lower": (0.80, 0.18),
    "cupid_bow": (0.5, 0.30),
    "ear_size": (1.0, 0.14),
    "fold_depth": (0.16, 0.13),
    "eye_bags": (0.15, 0.15),
    "skin_red": (0.0, 0.35),
    "lip_red": (0.6, 0.25),
    "lip_dark": (0.32, 0.15),
    "iris_size": (0.70, 0.035),
    "neck_width": (1.0, 0.09),
}


@dataclass(frozen=True)
class Identity:
    """One person: lengths in centimetres of a head whose eyes lie at height 0; ratios are relative to the mean.

    `age` (wrinkles at rest), `skin_tone` (0 fair .. 1 dark), `hair_tone`, `brow_dark`, `iris_tone`, `beard` and the
    numbers of the hair style lie in [0, 1]; `parting` in [-1, 1]; `hairline` is a height.
    """

    head_width: float = 1.0
    head_height: float = 1.0
    forehead_slope: float = 0.0
    brow_ridge: float = 0.25
    cheekbone: float = 0.0
    cheek_fullness: float = 0.0
    jaw_width: float = 1.0
    jaw_square: float = 0.0
    chin_length: float = 0.0
    chin_forward: float = 0.0
    chin_width: float = 1.0
    chin_cleft: float = 0.0
    eye_distance: float = 6.3
    eye_width: float = 1.68
    eye_opening: float = 1.0
    eye_tilt: float = 0.05
    eye_depth: float = 0.75
    lid_crease: float = 0.55
    brow_height: float = 1.95
    brow_arch: float = 0.45
    brow_tilt: float = 0.0
    brow_thickness: float = 0.36
    brow_length: float = 1.0
    nose_length: float = 3.58
    nose_width: float = 1.0
    nose_height: float = 2.6
    nose_hump: float = 0.0
    nose_tip: float = 0.0
    mouth_width: float = 2.61
    mouth_height: float = -7.27
    mouth_curve: float = 0.0
    lip_upper: float = 0.55
    lip_lower: float = 0.80
    cupid_bow: float = 0.5
    ear_size: float = 1.0
    fold_depth: float = 0.10
    eye_bags: float = 0.1
    skin_red: float = 0.0
    lip_red: float = 0.7
    lip_dark: float = 0.35
    iris_size: float = 0.70
    neck_width: float = 1.0
    age: float = 0.15
    skin_tone: float = 0.22
    hair_tone: float = 0.30
    brow_dark: float = 0.6
    iris_tone: float = 0.15
    beard: float = 0.0
    hair_volume: float = 0.35
    hair_length: float = 0.0
    hairline: float = 6.3
    fringe: float = 0.0
    parting: float = 0.0
    curls: float = 0.1
    clothes: float = 0.6


COMMON = Identity()
"""Whom every true normalized face shows: the mean person."""


def draw_identity(rng: np.random.Generator) -> Identity:
    """A random person; every number is independent of the others but for the few combinations nobody has."""
    draws = {name: mean + sd * float(np.clip(rng.standard_normal(), -2.2, 2.2)) for name, (mean, sd) in _NORMAL.items()}
    for name in ("brow_thickness", "lip_upper", "lip_lower", "fold_depth", "eye_bags", "lid_crease", "chin_cleft"):
        draws[name] = max(draws[name], 0.0 if name in {"fold_depth", "eye_bags", "chin_cleft", "lid_crease"} else 0.16)
    masculine = rng.random() < 0.5
    style = float(rng.random())
    length = float(rng.uniform(0.45, 1.0)) if rng.random() < (0.12 if masculine else 0.65) else 0.0
    bald = masculine and style < 0.16
    person = Identity(
        **draws,
        age=float(rng.beta(1.3, 2.2)),
        skin_tone=float(rng.beta(1.1, 1.6)),
        hair_tone=float(rng.random()),
        brow_dark=float(rng.uniform(0.25, 1.0)),
        iris_tone=float(rng.random()),
        beard=float(rng.uniform(0.25, 1.0)) if masculine and rng.random() < 0.4 else 0.0,
        hair_volume=0.0 if bald else float(rng.uniform(0.12, 1.0)),
        hair_length=0.0 if bald else length,
        hairline=float(rng.uniform(5.2, 7.2)) + (0.8 if masculine and rng.random() < 0.25 else 0.0),
        fringe=float(rng.uniform(0.5, 1.0)) if rng.random() < 0.25 else 0.0,
        parting=float(rng.uniform(-1.0, 1.0)),
        curls=float(rng.random() ** 2),
        clothes=float(rng.random()),
    )
    person = replace(person, fringe=0.0) if bald else person
    if person.skin_tone > 0.5:  # fair hair and eyes hardly occur with dark skin
        grey = person.hair_tone > 0.85
        person = replace(person, hair_tone=0.9 if grey else 0.25 * person.hair_tone, iris_tone=0.2 * person.iris_tone)
    return person


def identity_names() -> tuple[str, ...]:
    """Names of all parameters, in order."""
    return tuple(field.name for field in fields(Identity))
