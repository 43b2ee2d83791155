"""What determines one FaceKit picture, and how it is drawn by lot."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import numpy as np

from norface.errors import ConfigError
from norface.synthetic.expression import draw_expression
from norface.synthetic.facekit.backdrop import CLUTTER
from norface.synthetic.facekit.modes import FACEKIT_AUS
from norface.synthetic.facekit.person import COMMON_PERSON, Person
from norface.synthetic.factors import FaceFactors


@dataclass(frozen=True)
class Photography:
    """How often, and how strongly, originals suffer from what photographs suffer from.

    Args:
        blur: Share of pictures that are out of focus.
        noise: Share of pictures with visible sensor noise.
        jpeg: Share of pictures that were compressed, quality 20 to 90.
        low_resolution: Share of pictures enlarged from 25 to 90 % of their side.
        grey: Share of pictures without colour.
        jitter: How badly the crop is aligned: 0 perfectly, 1 as a usual detector does (1 % of the side, 2 degrees), 2
            twice as badly.
    """

    blur: float = 0.35
    noise: float = 0.5
    jpeg: float = 0.4
    low_resolution: float = 0.25
    grey: float = 0.12
    jitter: float = 1.0

    def __post_init__(self) -> None:
        for entry in fields(self):
            value, limit = getattr(self, entry.name), 5.0 if entry.name == "jitter" else 1.0
            if not 0.0 <= value <= limit:
                raise ConfigError(
                    expected=f"from 0 to {limit:g}",
                    found=f"{value:g}",
                    where=f"photo.{entry.name}",
                    action="Change this option.",
                )


@dataclass(frozen=True)
class FaceKitFactors(FaceFactors):
    """All factors of one picture, see `FaceFactors`.

    Args:
        identity: Who.
        resolution, grey, jpeg: See `norface.synthetic.developing.worn`.
    """

    identity: Person = field(default_factory=lambda: COMMON_PERSON)
    resolution: float = 1.0
    grey: float = 0.0
    jpeg: int = 0


# Speech and play of the mouth, which no emotion of the prototypes has: (action unit, probability, highest intensity).
_PLAY = ((14, 0.10, 4.0), (16, 0.06, 3.0), (18, 0.08, 4.5), (22, 0.06, 4.0), (24, 0.09, 4.5))
_TALKING = 0.15
_CLUTTERED = 0.45


def draw_muscles(emotion: str, rng: np.random.Generator) -> tuple[dict[int, float], dict[int, float]]:
    """Action units and their skews: an emotion as the procedural faces show it, and movements of its own."""
    aus, skew = draw_expression(emotion, rng)
    aus = {au: aus.get(au, 0.0) for au in FACEKIT_AUS}
    quiet = emotion == "neutral"
    for au, probability, highest in _PLAY:
        if rng.random() < probability * (0.3 if quiet else 1.0):
            aus[au] = round(float(rng.uniform(0.3, 1.2 if quiet else highest)), 3)
    if not quiet and rng.random() < _TALKING:
        aus[25] = round(max(aus[25], float(rng.uniform(0.5, 4.0))), 3)
        aus[26] = round(max(aus[26], float(rng.uniform(0.0, 2.5))), 3)
    if emotion == "contempt" and rng.random() < 0.5:
        aus[14] = round(float(rng.uniform(2.0, 4.8)), 3)
    if rng.random() < 0.04:
        aus[43] = 5.0  # a blink
    for au in FACEKIT_AUS:
        skew.setdefault(au, round(float(np.clip(rng.normal(0.0, 0.08), -0.3, 0.3)), 3))
    if emotion == "contempt":
        skew[14] = skew[12]
    return aus, skew


def draw_wear(photo: Photography, base: FaceFactors, rng: np.random.Generator) -> dict[str, object]:
    """Fields of `FaceKitFactors` that the procedural faces do not have, or not so."""

    def happens(share: float) -> bool:
        return bool(rng.random() < share)

    zoom, turn, right, down = base.jitter
    blurred, noisy, compressed = happens(photo.blur), happens(photo.noise), happens(photo.jpeg)
    reduced, grey = happens(photo.low_resolution), happens(photo.grey)
    blur, noise, quality, resolution, share = (
        rng.uniform(0.002, 0.014), rng.gamma(1.6, 2.2), rng.integers(20, 91), rng.uniform(0.25, 0.9), rng.random()
    )  # fmt: skip
    fading, cluttered = happens(0.3), happens(_CLUTTERED)
    return {
        "background": replace(base.background, kind=CLUTTER) if cluttered else base.background,
        "blur": round(float(blur), 4) if blurred else 0.0,
        "noise": round(float(min(noise, 14.0)), 2) if noisy else 0.0,
        "jpeg": int(quality) if compressed else 0,
        "resolution": round(float(resolution), 3) if reduced else 1.0,
        "grey": 1.0 if grey else round(float(0.7 * share), 3) if fading and photo.grey > 0.0 else 0.0,
        "jitter": tuple(round(photo.jitter * value, 4) for value in (zoom, 1.6 * turn, right, down)),
    }
