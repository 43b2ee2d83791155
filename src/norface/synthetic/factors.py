"""Everything that determines one drawn face, and what is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from norface.imaging.alignment import Points
from norface.imaging.pixels import Pixels
from norface.synthetic.identity import Identity

Row = dict[str, str | int | float]
"""Columns of the face table."""

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """One key light, and ambient light from everywhere.

    Args:
        azimuth: Degrees towards screen right; 0 shines from the camera.
        elevation: Degrees upwards.
        key, ambient: Intensities; their sum is near 1.
        colour: Of the key light, RGB around 1.
        softness: 0 hard .. 1 wraps around the head.
    """

    azimuth: float = -32.0
    elevation: float = 35.0
    key: float = 0.95
    ambient: float = 0.34
    colour: Triple = (1.0, 1.0, 1.0)
    softness: float = 0.3


@dataclass(frozen=True)
class Background:
    """Two colours (RGB 0..1) mixed evenly (`plain` takes the first), along a gradient or in soft blobs.

    Args:
        kind: ``"plain"``, ``"gradient"`` or ``"blobs"``.
        first, second: The colours.
        angle: Direction of the gradient in degrees.
        seed: Where the blobs lie.
    """

    kind: str = "plain"
    first: Triple = (0.5, 0.5, 0.5)
    second: Triple = (0.5, 0.5, 0.5)
    angle: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class FaceFactors:
    """All factors of one picture; the same factors give the same pixels.

    Args:
        identity: Who.
        aus: Action unit -> intensity 0..5 of its stronger side; missing ones are 0.
        skew: Action unit -> -1 (the subject's right side only) .. 0 (both alike) .. 1 (left side only).
        emotion: Name in `norface.labels.EMOTIONS` the action units were drawn for, None where they were set freely.
        yaw, pitch, roll: Head pose in degrees, signs as in `norface.labels.POSE_COLUMNS`.
        gaze: Eyes turned in the head, degrees (to the subject's left, upwards).
        light: Light.
        background: Background.
        blur: Standard deviation of the blur, as a share of the image's side.
        noise: Standard deviation of sensor noise in grey levels of 0..255.
        contrast, brightness: Applied last, around mid grey.
        jitter: Scale (log2), rotation (degrees), shift right and down (shares of the side) by which framing is off.
        noise_seed: Seed of the sensor noise.
    """

    identity: Identity = field(default_factory=Identity)
    aus: dict[int, float] = field(default_factory=dict)
    skew: dict[int, float] = field(default_factory=dict)
    emotion: str | None = None
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    gaze: tuple[float, float] = (0.0, 0.0)
    light: Light = field(default_factory=Light)
    background: Background = field(default_factory=Background)
    blur: float = 0.0
    noise: float = 0.0
    contrast: float = 1.0
    brightness: float = 0.0
    jitter: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    noise_seed: int = 0

    def side(self, au: int, sign: int) -> float:
        """Activation 0..1 of an action unit on one side: `sign` is 1 for the subject's left, -1 for its right."""
        return self.aus.get(au, 0.0) / 5.0 * (1.0 - max(0.0, -sign * self.skew.get(au, 0.0)))


@dataclass(frozen=True)
class RenderedFace:
    """One drawn face with everything known about it.

    Args:
        image: uint8 RGB ``(S, S, 3)``.
        mask: bool ``(S, S)``: skin and features of the face, without hair, neck and background.
        landmarks: ``(5, 2)`` in pixels of `image`, in the order of `norface.labels.LANDMARKS`.
        normalized: uint8 RGB ``(S, S, 3)``: the true normalized face, i.e. the common identity with the same action
            units, frontal, in fixed light on plain grey.
        factors: What was drawn.
    """

    image: Pixels
    mask: NDArray[np.bool_]
    landmarks: Points
    normalized: Pixels
    factors: FaceFactors


class FaceSource(Protocol):
    """Draws any number of faces of any number of subjects, each determined by its two numbers.

    `factors` returns what `draw`, `landmarks` and `columns` of the same source take.

    Attributes:
        name: For the provenance of what is drawn.
        aus: Action units that it shows.
        drawing_version: Raised whenever the same seed would draw other pixels.
    """

    name: str
    aus: tuple[int, ...]
    drawing_version: int

    def factors(self, subject: int, index: int) -> Any:
        """All factors of one face."""
        ...

    def face(self, subject: int, index: int) -> RenderedFace:
        """Face number `index` of one subject."""
        ...

    def draw(self, factors: Any) -> RenderedFace:
        """A face with factors of one's own choice."""
        ...

    def landmarks(self, factors: Any) -> Points:
        """The five landmarks ``(5, 2)`` that `draw` would return, without drawing."""
        ...

    def normalized(self, factors: Any) -> Pixels:
        """The true normalized face: uint8 RGB ``(S, S, 3)``."""
        ...

    def normalized_landmarks(self, factors: Any) -> Points:
        """The five landmarks ``(5, 2)`` in what `normalized` draws."""
        ...

    def target_factors(self, index: int) -> Any:
        """Expression number `index` of the target's person; all else as in `normalized`."""
        ...

    def target(self) -> Pixels:
        """The common identity, neutral and frontal: uint8 RGB ``(S, S, 3)``."""
        ...

    def columns(self, factors: Any) -> Row:
        """Columns of the face table that only this source has."""
        ...

    def settings(self) -> dict[str, object]:
        """What else determines the pixels: plain data for the provenance."""
        ...
