"""The visible skin as a list of pixels on which features are painted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from norface.synthetic.identity import Identity
from norface.synthetic.sphere import Floats
from norface.synthetic.surface import Hits

Index = NDArray[np.intp]
Numbers = NDArray[np.floating]


def linear(*rgb: float) -> Floats:
    """An sRGB colour of 0..255 as (approximately) linear light 0..1: colours are mixed and lit in this scale."""
    return np.asarray(np.square(np.array(rgb, np.float32) / 255.0), np.float32)


def ramp(colours: NDArray[np.floating], position: float) -> Floats:
    """Colour at `position` 0..1 of a ramp ``(N, 3)``."""
    at = float(np.clip(position, 0.0, 1.0)) * (len(colours) - 1)
    low = min(int(at), len(colours) - 2)
    return np.asarray(colours[low] * (1.0 - (at - low)) + colours[low + 1] * (at - low), np.float32)


def edge(inside: Numbers, pitch: float) -> Floats:
    """Antialiased 0..1 step of a signed distance in centimetres, one pixel wide."""
    return np.asarray(np.clip(inside / np.float32(pitch) + np.float32(0.5), 0.0, 1.0), np.float32)


def stroke(distance: Numbers, sigma: float, pitch: float) -> Floats:
    """A soft line, prefiltered: below a pixel it gets fainter instead of thinner."""
    wide = np.sqrt(np.square(sigma) + np.float32(0.16 * pitch * pitch))
    return np.asarray(sigma / wide * np.exp(-0.5 * np.square(distance / wide)), np.float32)


def smooth(low: float, high: float, value: Numbers) -> Floats:
    """Smoothstep from 0 at `low` to 1 at `high`."""
    t = np.clip((value - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
    return np.asarray(t * t * (np.float32(3.0) - np.float32(2.0) * t), np.float32)


@dataclass
class Skin:
    """N pixels that show the head, and what has been painted on them.

    Args:
        x, y, z: Head coordinates ``(N,)`` in centimetres.
        pitch: Centimetres per pixel.
        albedo: ``(N, 3)`` linear.
        gloss: ``(N,)`` strength of the highlight.
        shade: ``(N,)`` occlusion, multiplied in.
        relief: ``(N,)`` height in centimetres of detail finer than the surface map.
        normal: ``(3, N)`` head coordinates.
        glow: ``(N,)`` light added last (catchlights).
    """

    x: Floats
    y: Floats
    z: Floats
    pitch: float
    albedo: Floats
    gloss: Floats
    shade: Floats
    relief: Floats
    normal: Floats
    glow: Floats

    @classmethod
    def over(cls, hits: Hits, colour: Floats, pitch: float) -> Skin:
        """Bare skin of one colour."""
        count = hits.index.size
        x, y, z = hits.point
        return cls(
            x=x,
            y=y,
            z=z,
            pitch=pitch,
            albedo=np.tile(colour, (count, 1)),
            gloss=np.full(count, 0.16, np.float32),
            shade=hits.occlusion.copy(),
            relief=np.zeros(count, np.float32),
            normal=hits.normal.copy(),
            glow=np.zeros(count, np.float32),
        )

    def near(self, x: float, y: float, half_width: float, half_height: float) -> Index:
        """Pixels of the front whose head coordinates lie in a box."""
        inside = (np.abs(self.x - np.float32(x)) < half_width) & (np.abs(self.y - np.float32(y)) < half_height)
        return np.flatnonzero(inside & (self.z > 1.0))

    def paint(self, index: Index, alpha: Floats, colour: Floats) -> None:
        """Mix a colour ``(3,)`` or ``(n, 3)`` in with opacity ``(n,)``."""
        old = self.albedo[index]
        self.albedo[index] = old + alpha[:, None] * (colour - old)

    def tint(self, index: Index, alpha: Floats, factor: Floats) -> None:
        """Multiply the colour by `factor` ``(3,)`` with opacity ``(n,)``."""
        self.albedo[index] *= 1.0 + alpha[:, None] * (factor - 1.0)


_TONES = np.stack(
    [
        linear(248, 218, 200),
        linear(240, 198, 172),
        linear(224, 178, 144),
        linear(196, 142, 106),
        linear(152, 102, 72),
        linear(112, 72, 52),
        linear(78, 50, 38),
    ]
)


def skin_colour(identity: Identity) -> Floats:
    """Linear RGB ``(3,)`` of the bare skin."""
    red = np.array([1.0 + 0.05 * identity.skin_red, 1.0 - 0.07 * identity.skin_red, 1.0 - 0.08 * identity.skin_red])
    return np.asarray(ramp(_TONES, identity.skin_tone) * red, np.float32)
