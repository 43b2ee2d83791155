"""Random changes of face images for training, the same geometry for an original and its normalized face.

Uses albumentations (https://albumentations.ai, Buslaev et al., Information 2020). Everything depends on the seed given
with each call and on nothing else.
"""

from __future__ import annotations

import importlib
import os
import random
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from norface.imaging.pixels import Pixels

if TYPE_CHECKING:
    import albumentations


class Turn(NamedTuple):
    """How a picture was mirrored and then turned; shifts and zoom turn nothing."""

    mirrored: bool
    """Left and right are swapped."""
    degrees: float
    """Clockwise on screen."""


UNTURNED = Turn(False, 0.0)


@dataclass(frozen=True)
class Augmentation:
    """Which changes are made.

    Args:
        flip: Mirror every second face (labels do not name sides); a pair together with its target and right answer.
        geometric: Strength of shift, zoom and rotation; 1 is up to 4 %, 7 % and 8 degrees, 0 is none.
        photometric: Strength of brightness, contrast, colour, grey, blur, noise and JPEG; 0 is none.
        dropout: Share of originals of which one or two rectangles are covered.
    """

    flip: bool = True
    geometric: float = 1.0
    photometric: float = 1.0
    dropout: float = 0.25

    def prepare(self) -> None:
        """Import what is needed now, so that worker processes forked later need not."""
        _moves(self.flip, self.geometric)
        _changes(self.photometric, self.dropout)

    def together(self, original: Pixels, normalized: Pixels, *, seed: int) -> tuple[Pixels, Pixels, Turn]:
        """Flip and move both alike, change light, colour and quality of the original only.

        Args:
            original, normalized: uint8 RGB ``(H, W, 3)``.
            seed: Non-negative.

        Returns:
            The two, and how both were turned.
        """
        moved, turn = _moves(self.flip, self.geometric), UNTURNED
        if moved is not None:
            moved.set_random_state(np.random.default_rng(seed), random.Random(seed))
            both = moved(image=original, normalized=normalized)
            original, normalized, turn = both["image"], both["normalized"], _last_turn(moved)
        return self._recoloured(original, seed), normalized, turn

    def alone(self, original: Pixels, *, seed: int) -> Pixels:
        """Move and recolour an image whose right answer stays as it is; `flip` is left to whoever mirrors both.

        Args:
            original: uint8 RGB ``(H, W, 3)``.
            seed: Non-negative.
        """
        moved = _moves(False, self.geometric)
        if moved is not None:
            moved.set_random_state(np.random.default_rng(seed), random.Random(seed))
            original = moved(image=original)["image"]
        return self._recoloured(original, seed)

    def _recoloured(self, pixels: Pixels, seed: int) -> Pixels:
        changes = _changes(self.photometric, self.dropout)
        if changes is None:
            return pixels
        # One shared stream: seeded one by one, all transforms would draw the same numbers.
        changes.set_random_state(np.random.default_rng(seed + 1), random.Random(seed + 1))
        return np.ascontiguousarray(changes(image=pixels)["image"], np.uint8)


@cache
def _moves(flip: bool, strength: float) -> albumentations.Compose | None:
    alb = _albumentations()
    steps: list[albumentations.BasicTransform] = [alb.HorizontalFlip(p=0.5)] if flip else []
    if strength > 0:
        shift, zoom, degrees = 0.04 * strength, 0.07 * strength, 8.0 * strength
        steps.append(
            alb.Affine(
                scale=(1 - zoom, 1 + zoom),
                translate_percent=(-shift, shift),
                rotate=(-degrees, degrees),
                border_mode=1,  # repeat the border, as alignment does
                p=1.0,
            )
        )
    return alb.Compose(steps, additional_targets={"normalized": "image"}) if steps else None


def _last_turn(moved: albumentations.Compose) -> Turn:
    """What the last call did; albumentations counts degrees the other way round."""
    applied = {type(step).__name__: step.get_applied_params() for step in moved.transforms}
    return Turn(bool(applied.get("HorizontalFlip")), -float(applied.get("Affine", {}).get("rotate", 0.0)))


@cache
def _changes(strength: float, dropout: float) -> albumentations.Compose | None:
    alb = _albumentations()
    steps: list[albumentations.BasicTransform] = []
    if strength > 0:
        level = min(0.3 * strength, 0.9)
        steps += [
            alb.ColorJitter(
                brightness=(1 - level, 1 + level),
                contrast=(1 - level, 1 + level),
                saturation=(1 - level, 1 + level),
                hue=(-0.05 * strength, 0.05 * strength),
                p=0.8,
            ),
            alb.ToGray(p=min(0.1 * strength, 1.0)),
            alb.GaussianBlur(blur_limit=(3, 5), p=min(0.1 * strength, 1.0)),
            alb.GaussNoise(std_range=(0.005, min(0.03 * strength + 0.005, 1.0)), p=min(0.2 * strength, 1.0)),
            alb.ImageCompression(quality_range=(40, 95), p=min(0.1 * strength, 1.0)),
        ]
    if dropout > 0:
        part = (0.1, 0.25)
        steps.append(alb.CoarseDropout((1, 2), hole_height_range=part, hole_width_range=part, fill=127, p=dropout))
    return alb.Compose(steps) if steps else None


@cache
def _albumentations() -> ModuleType:
    """Imported late: it takes seconds, and most commands do not need it."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask a server for its newest version
    return importlib.import_module("albumentations")
