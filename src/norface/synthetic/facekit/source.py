"""The FaceKit face source: like the procedural one, with the shapes and movements of real people."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, fields
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from norface.errors import ConfigError
from norface.imaging.alignment import Alignment, Points, similarity, transform
from norface.imaging.pixels import Pixels
from norface.labels import EMOTIONS
from norface.synthetic.camera import Matrix
from norface.synthetic.developing import developed, shrunk, worn
from norface.synthetic.facekit.backdrop import draw_backdrop
from norface.synthetic.facekit.capture import FaceKitFactors, Photography, draw_muscles, draw_wear
from norface.synthetic.facekit.head import Head, landmarks, shaped
from norface.synthetic.facekit.model import load_model
from norface.synthetic.facekit.modes import FACEKIT_AUS
from norface.synthetic.facekit.person import Person, draw_person, person_columns
from norface.synthetic.facekit.raster import Floats
from norface.synthetic.facekit.rig import Rig
from norface.synthetic.facekit.shading import shade
from norface.synthetic.factors import Background, FaceFactors, Light, RenderedFace, Row
from norface.synthetic.source import MAX_SIZE, TARGET_PERSON, check_source, draw_capture, jittered

_STREAM = {"identity": 10, "expression": 11, "capture": 12, "wear": 13}
_NORMAL_LIGHT = Light(azimuth=-24.0, elevation=30.0, key=0.95, ambient=0.42)
_LOOSE = 32.0  # units across a picture that is not aligned
_FINER = ((72, 2.0), (112, 1.5), (176, 4.0 / 3.0), (MAX_SIZE, 1.0))
"""Up to which size a picture is computed how much finer than it is stored: small ones need smooth edges most."""


class FaceKitFaces:
    """Draws faces of a FaceKit model; implements `norface.synthetic.FaceSource`.

    A face is determined by (seed, subject, index), an identity by (seed, subject), in whatever order and process they
    are drawn. Within a subject the emotions take turns, so every eight faces are balanced.

    Args:
        assets: The packed ``.npz``, a folder that holds one, or the owner's ``FaceXModel`` folder.
        seed, alignment, aligned, emotions: See `norface.synthetic.ProceduralFaces`.
        photo: What the originals suffer from; the true normalized faces never do.

    Raises:
        AssetError: The model is missing, incomplete or damaged.
        ConfigError: The size, the seed or an emotion is outside its range.
    """

    name = "norface.synthetic.FaceKitFaces"
    aus = FACEKIT_AUS
    drawing_version = 1

    def __init__(
        self,
        assets: Path,
        *,
        seed: int = 0,
        alignment: Alignment | None = None,
        aligned: bool = True,
        emotions: tuple[str, ...] = EMOTIONS,
        photo: Photography | None = None,
    ) -> None:
        self.seed, self.aligned, self.emotions = seed, aligned, emotions
        self.alignment, self.photo = alignment or Alignment(), photo or Photography()
        check_source(type(self).__name__, self.alignment.size, seed, emotions)
        size = self.alignment.size
        self._fine = round(size * next(factor for limit, factor in _FINER if size <= limit))
        self._rig = Rig(load_model(assets), side=int(np.clip(2 * size, 128, 320)), where=str(assets))
        self._person = lru_cache(maxsize=4)(self._new_person)
        self._head = lru_cache(maxsize=4)(self._new_head)
        self._shape = lru_cache(maxsize=4)(self._new_shape)

    def identity(self, subject: int) -> Person:
        """Who a subject is."""
        return self._person(subject)

    def factors(self, subject: int, index: int) -> FaceKitFactors:
        """All factors of one face."""
        if subject < 0 or index < 0:
            raise ConfigError(
                expected="subject and index from 0 on",
                found=f"subject {subject}, index {index}",
                where=type(self).__name__,
                action="Number subjects and faces from 0.",
            )
        turn = int(self._rng("expression", subject, -1).integers(len(self.emotions)))
        emotion = self.emotions[(index + turn) % len(self.emotions)]
        aus, skew = draw_muscles(emotion, self._rng("expression", subject, index))
        person = self.identity(subject)
        base = draw_capture(person, aus, skew, emotion, self._rng("capture", subject, index))
        own = {field.name: getattr(base, field.name) for field in fields(FaceFactors)}
        return FaceKitFactors(**own | draw_wear(self.photo, base, self._rng("wear", subject, index)))

    def face(self, subject: int, index: int) -> RenderedFace:
        """Face number `index` of one subject."""
        return self.draw(self.factors(subject, index))

    def draw(self, factors: FaceKitFactors) -> RenderedFace:
        """A face with factors of one's own choice."""
        points, frame = self._framed(factors)
        image, bare = self._render(factors, frame)
        image = worn(image, resolution=factors.resolution, grey=factors.grey, jpeg=factors.jpeg)
        return RenderedFace(image, bare > 0.5, points, self.normalized(factors), factors)

    def landmarks(self, factors: FaceKitFactors) -> Points:
        """The five landmarks ``(5, 2)`` that `draw` would return, without drawing."""
        return self._framed(factors)[0]

    def normalized(self, factors: FaceKitFactors) -> Pixels:
        """The true normalized face: the mean person with these action units; nothing else of `factors` matters."""
        plain = FaceKitFactors(aus=factors.aus, skew=factors.skew, light=_NORMAL_LIGHT, background=Background())
        return self._render(plain, self._neutral_frame)[0]

    def target_factors(self, index: int) -> FaceKitFactors:
        """Expression number `index` of the target's person, drawn like anybody's; all else as in `normalized`."""
        emotion = self.emotions[index % len(self.emotions)]
        aus, skew = draw_muscles(emotion, self._rng("expression", TARGET_PERSON, index))
        return FaceKitFactors(aus=aus, skew=skew, emotion=emotion, light=_NORMAL_LIGHT, background=Background())

    def normalized_landmarks(self, factors: FaceKitFactors) -> Points:
        """The five landmarks ``(5, 2)`` in what `normalized` draws."""
        plain = FaceKitFactors(aus=factors.aus, skew=factors.skew)
        return transform(self._neutral_frame, _on_screen(self._marks(plain)))

    def target(self) -> Pixels:
        """The mean person, neutral and frontal: uint8 RGB ``(S, S, 3)``."""
        return self.normalized(FaceKitFactors())

    def columns(self, factors: FaceKitFactors) -> Row:
        """Columns of the face table that only this source has."""
        wear: Row = {"resolution": factors.resolution, "grey": factors.grey, "jpeg": factors.jpeg}
        return wear | person_columns(factors.identity)

    def settings(self) -> dict[str, object]:
        """The model, and what the originals suffer from."""
        digest = hashlib.sha256(self._rig.mesh.neutral.tobytes()).hexdigest()
        return {"model": digest[:16], "photo": asdict(self.photo)}

    @cached_property
    def _neutral_frame(self) -> Matrix:
        # Of the neutral face: an open mouth must not zoom the picture.
        return similarity(_on_screen(self._marks(FaceKitFactors())), self.alignment.template())

    def _framed(self, factors: FaceKitFactors) -> tuple[Points, Matrix]:
        """The landmarks in pixels, and the frame from units to pixels."""
        size = self.alignment.size
        points = _on_screen(self._marks(factors))
        loose = np.array([[size / _LOOSE, 0.0, 0.5 * size], [0.0, size / _LOOSE, 0.5 * size]])
        frame = similarity(points, self.alignment.template()) if self.aligned else loose
        frame = jittered(frame, factors.jitter, size)
        return transform(frame, points), frame

    def _marks(self, factors: FaceKitFactors) -> Floats:
        return landmarks(self._rig, self._shape(factors.identity), factors)

    def _render(self, factors: FaceKitFactors, frame: Matrix) -> tuple[Pixels, Floats]:
        """The picture, and how much each pixel shows bare face ``(S, S)`` 0..1."""
        size, fine = self.alignment.size, self._fine
        picture = draw_backdrop(factors.background, frame, size, fine)
        bare = shade(self._head(factors.identity), factors, _scaled(frame, fine / size), fine, picture)
        return developed(picture, factors, size), shrunk(bare, size)

    def _new_person(self, subject: int) -> Person:
        return draw_person(self._rng("identity", subject, 0), len(self._rig.mesh.identity_modes))

    def _new_head(self, person: Person) -> Head:
        return Head.of(self._rig, person, self._shape(person))

    def _new_shape(self, person: Person) -> Floats:
        return shaped(self._rig, person)

    def _rng(self, stream: str, subject: int, index: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, subject, index + 1, _STREAM[stream]])


def _on_screen(points: Floats) -> Points:
    return np.asarray(points[:, :2] * (1.0, -1.0), np.float64)


def _scaled(frame: Matrix, fine: float) -> Matrix:
    # Pixel centres: finer pixel i lies at (i + 0.5) / fine - 0.5 of the coarse grid.
    scaled = frame * fine
    scaled[:, 2] += 0.5 * fine - 0.5
    return scaled
