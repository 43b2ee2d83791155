"""The procedural face source: subjects, faces, and their true normalized versions."""

from __future__ import annotations

from dataclasses import fields
from functools import cached_property, lru_cache

import numpy as np

from norface.errors import ConfigError
from norface.imaging.alignment import Alignment, Points, similarity, transform
from norface.imaging.pixels import Pixels
from norface.labels import EMOTIONS
from norface.synthetic.camera import Matrix
from norface.synthetic.expression import draw_expression
from norface.synthetic.factors import Background, FaceFactors, Light, RenderedFace, Row
from norface.synthetic.identity import COMMON, Identity, draw_identity
from norface.synthetic.render import Head, Scene, render
from norface.synthetic.rig import RIGGED_AUS

MIN_SIZE, MAX_SIZE = 32, 256
_STREAM = {"identity": 0, "expression": 1, "capture": 2}
TARGET_PERSON = 1 << 30
"""Its number where expressions are drawn: above that of every subject."""
_NORMAL_LIGHT = Light()
_NORMAL_BACKGROUND = Background()


class ProceduralFaces:
    """Draws faces from numbers alone; implements `norface.synthetic.FaceSource`.

    A face is determined by (seed, subject, index), an identity by (seed, subject), in whatever order and process they
    are drawn. Within a subject the emotions take turns, so every eight faces are balanced.

    Args:
        seed: Of everything.
        alignment: Frame of the crops; sizes from 32 to 256 pixels.
        aligned: True: crops on the five-point template, as after a detector with an error of about 1 %, roll removed.
            False: loosely centred pictures of the whole head with its roll.
        emotions: Which emotions to draw.

    Raises:
        ConfigError: The size, the seed or an emotion is outside its range.
    """

    name = "norface.synthetic.ProceduralFaces"
    aus = RIGGED_AUS
    drawing_version = 1

    def __init__(
        self,
        *,
        seed: int = 0,
        alignment: Alignment | None = None,
        aligned: bool = True,
        emotions: tuple[str, ...] = EMOTIONS,
    ) -> None:
        self.seed, self.aligned, self.emotions = seed, aligned, emotions
        self.alignment = alignment or Alignment()
        check_source(type(self).__name__, self.alignment.size, seed, emotions)
        self._head = lru_cache(maxsize=8)(Head.of)

    def identity(self, subject: int) -> Identity:
        """Who a subject is."""
        return draw_identity(self._rng("identity", subject, 0))

    def factors(self, subject: int, index: int) -> FaceFactors:
        """All factors of one face."""
        if subject < 0 or index < 0:
            raise ConfigError(
                expected="subject and index from 0 on",
                found=f"subject {subject}, index {index}",
                where="ProceduralFaces",
                action="Number subjects and faces from 0.",
            )
        # The order of emotions differs between subjects, else the index alone would tell the emotion.
        turn = int(self._rng("expression", subject, -1).integers(len(self.emotions)))
        emotion = self.emotions[(index + turn) % len(self.emotions)]
        aus, skew = draw_expression(emotion, self._rng("expression", subject, index))
        return draw_capture(self.identity(subject), aus, skew, emotion, self._rng("capture", subject, index))

    def face(self, subject: int, index: int) -> RenderedFace:
        """Face number `index` of one subject."""
        return self.draw(self.factors(subject, index))

    def draw(self, factors: FaceFactors) -> RenderedFace:
        """A face with factors of one's own choice."""
        scene, points, frame = self._posed(factors)
        image, mask = render(scene, frame, self.alignment.size)
        return RenderedFace(image, mask, transform(frame, points), self.normalized(factors), factors)

    def landmarks(self, factors: FaceFactors) -> Points:
        """The five landmarks ``(5, 2)`` that `draw` would return, without drawing."""
        _, points, frame = self._posed(factors)
        return transform(frame, points)

    def normalized(self, factors: FaceFactors) -> Pixels:
        """The true normalized face: the common identity with these action units; nothing else of `factors` matters."""
        plain = FaceFactors(
            identity=COMMON, aus=factors.aus, skew=factors.skew, light=_NORMAL_LIGHT, background=_NORMAL_BACKGROUND
        )
        return render(Scene.build(self._head(COMMON), plain), self._neutral_frame, self.alignment.size)[0]

    def target_factors(self, index: int) -> FaceFactors:
        """Expression number `index` of the target's person, drawn like anybody's; all else as in `normalized`."""
        emotion = self.emotions[index % len(self.emotions)]
        aus, skew = draw_expression(emotion, self._rng("expression", TARGET_PERSON, index))
        return FaceFactors(
            identity=COMMON, aus=aus, skew=skew, emotion=emotion, light=_NORMAL_LIGHT, background=_NORMAL_BACKGROUND
        )

    def normalized_landmarks(self, factors: FaceFactors) -> Points:
        """The five landmarks ``(5, 2)`` in what `normalized` draws."""
        plain = FaceFactors(identity=COMMON, aus=factors.aus, skew=factors.skew)
        return transform(self._neutral_frame, Scene.build(self._head(COMMON), plain).landmarks())

    def target(self) -> Pixels:
        """The common identity, neutral and frontal: uint8 RGB ``(S, S, 3)``."""
        return self.normalized(FaceFactors())

    def columns(self, factors: FaceFactors) -> Row:
        """``id_...`` columns of the face table."""
        person = factors.identity
        return {f"id_{field.name}": float(getattr(person, field.name)) for field in fields(person)}

    def settings(self) -> dict[str, object]:
        """Nothing but seed and alignment determines these faces."""
        return {}

    @cached_property
    def _neutral_frame(self) -> Matrix:
        # Of the neutral face: an open mouth must not zoom the picture.
        points = Scene.build(self._head(COMMON), FaceFactors(identity=COMMON)).landmarks()
        return similarity(points, self.alignment.template())

    def _posed(self, factors: FaceFactors) -> tuple[Scene, Points, Matrix]:
        """Scene, its landmarks in centimetres, and the frame from centimetres to pixels."""
        size = self.alignment.size
        scene = Scene.build(self._head(factors.identity), factors)
        points = scene.landmarks()
        loose = np.array([[size / 34.0, 0.0, 0.5 * size], [0.0, size / 34.0, 0.46 * size]])
        frame = similarity(points, self.alignment.template()) if self.aligned else loose
        return scene, points, jittered(frame, factors.jitter, size)

    def _rng(self, stream: str, subject: int, index: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, subject, index + 1, _STREAM[stream]])


def check_source(name: str, size: int, seed: int, emotions: tuple[str, ...]) -> None:
    """Refuse what no source can draw."""
    unknown = [name for name in emotions if name not in EMOTIONS]
    problems = [
        (not MIN_SIZE <= size <= MAX_SIZE, f"a size from {MIN_SIZE} to {MAX_SIZE} pixels", f"{size}"),
        (seed < 0, "a seed from 0 on", f"{seed}"),
        (bool(unknown) or not emotions, "emotions among " + ", ".join(EMOTIONS), ", ".join(unknown) or "none"),
    ]
    for wrong, expected, found in problems:
        if wrong:
            raise ConfigError(expected=expected, found=found, where=name, action="Change this argument.")


def jittered(frame: Matrix, jitter: tuple[float, float, float, float], size: int) -> Matrix:
    """A frame, from lengths to pixels, that is off by `FaceFactors.jitter`."""
    zoom, turn, right, down = jitter
    scale, angle, centre = 2.0**zoom, np.radians(turn), 0.5 * (size - 1)
    about = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    offset = about @ (frame[:, 2] - centre) + centre + np.array([right, down]) * size
    return np.column_stack([about @ frame[:, :2], offset])


def draw_capture(
    identity: Identity, aus: dict[int, float], skew: dict[int, float], emotion: str | None, rng: np.random.Generator
) -> FaceFactors:
    """Pose, light, background and camera of one picture."""

    def clipped(spread: float, limit: float) -> float:
        return round(float(np.clip(rng.normal(0.0, spread), -limit, limit)), 4)

    def colour(low: float, high: float) -> tuple[float, float, float]:
        grey, hue = rng.uniform(low, high), rng.uniform(low, high, 3)
        red, green, blue = (round(float(value), 3) for value in 0.55 * grey + 0.45 * hue)
        return red, green, blue

    warm = float(rng.normal(0.0, 0.07))
    key = float(rng.uniform(0.75, 1.1))
    return FaceFactors(
        identity=identity,
        aus=aus,
        skew=skew,
        emotion=emotion,
        yaw=clipped(15.0, 45.0),
        pitch=clipped(8.0, 20.0),
        roll=clipped(6.0, 15.0),
        gaze=(clipped(6.0, 15.0), clipped(3.0, 8.0)),
        light=Light(
            azimuth=round(float(rng.uniform(-75.0, 75.0)), 2),
            elevation=round(float(rng.uniform(-10.0, 65.0)), 2),
            key=round(key, 3),
            ambient=round(float(rng.uniform(0.4, 0.65)), 3),
            colour=(round(1.0 + warm, 3), 1.0, round(1.0 - warm, 3)),
            softness=round(float(rng.random()), 3),
        ),
        background=Background(
            kind=str(rng.choice(["plain", "gradient", "blobs"])),
            first=colour(0.08, 0.92),
            second=colour(0.08, 0.92),
            angle=round(float(rng.uniform(0.0, 360.0)), 1),
            seed=int(rng.integers(2**31)),
        ),
        blur=round(float(rng.uniform(0.0, 0.008) * (rng.random() < 0.5)), 4),
        noise=round(float(rng.uniform(0.0, 4.0)), 2),
        contrast=round(float(rng.uniform(0.8, 1.15)), 3),
        brightness=round(float(rng.uniform(-12.0, 12.0)), 2),
        jitter=(clipped(0.03, 0.07), clipped(1.2, 3.0), clipped(0.008, 0.02), clipped(0.008, 0.02)),
        noise_seed=int(rng.integers(2**31)),
    )
