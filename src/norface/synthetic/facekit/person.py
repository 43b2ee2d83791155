"""Who a FaceKit face shows: coefficients of the shape, and an invented look."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from norface.synthetic.identity import Identity, draw_identity

LOOKS: tuple[str, ...] = (
    "age", "skin_tone", "skin_red", "lip_red", "lip_dark", "eye_bags", "hair_tone", "hair_volume", "hair_length",
    "hairline", "fringe", "parting", "curls", "brow_dark", "brow_thickness", "brow_arch", "brow_tilt", "brow_length",
    "iris_tone", "iris_size", "beard", "clothes",
)  # fmt: skip
"""What of `Identity` a FaceKit face shows; its lengths come from the model's own identity modes instead."""

_SHAPE_LIMIT = 2.3
_COLUMNS = 16  # of the table: later modes move less than a tenth of a millimetre


@dataclass(frozen=True)
class Person(Identity):
    """One person.

    Args:
        shape: Coefficients of the model's identity modes, standard normal; missing ones are 0.
        freckles, blotches: 0 none .. 1 many.
        moles: How many.
        makeup: 0 none .. 1: darker lids, stronger lips.
        glasses: 0 none, else the width of the rim relative to the usual one.
        glasses_tone: 0 black .. 1 light metal.
        lens_tint: How much light the lenses take, 0..1.
        skin_seed: Where freckles, moles and blotches lie.
    """

    shape: tuple[float, ...] = ()
    freckles: float = 0.0
    blotches: float = 0.2
    moles: int = 0
    makeup: float = 0.0
    glasses: float = 0.0
    glasses_tone: float = 0.0
    lens_tint: float = 0.0
    skin_seed: int = 0


COMMON_PERSON = Person(hairline=6.7, brow_thickness=0.36)
"""Whom every true normalized face shows: the model's mean person."""


def draw_person(rng: np.random.Generator, modes: int) -> Person:
    """A random person for a model of `modes` identity modes."""
    looks = draw_identity(rng)
    bearded, long_hair = looks.beard > 0.0, looks.hair_length > 0.0
    with_glasses = rng.random() < 0.22
    made_up = not bearded and rng.random() < (0.5 if long_hair else 0.12)
    return Person(
        **{name: getattr(looks, name) for name in LOOKS},
        shape=tuple(np.clip(rng.standard_normal(modes), -_SHAPE_LIMIT, _SHAPE_LIMIT).round(4).tolist()),
        freckles=float(rng.uniform(0.2, 1.0)) if looks.skin_tone < 0.4 and rng.random() < 0.3 else 0.0,
        blotches=float(rng.random()),
        moles=int(rng.integers(0, 5)),
        makeup=float(rng.uniform(0.2, 1.0)) if made_up else 0.0,
        glasses=float(rng.uniform(0.6, 1.6)) if with_glasses else 0.0,
        glasses_tone=float(rng.random() ** 2),
        lens_tint=float(rng.uniform(0.0, 0.3)) if rng.random() < 0.3 else 0.0,
        skin_seed=int(rng.integers(2**31)),
    )


def person_columns(person: Person) -> dict[str, str | int | float]:
    """``id_...`` columns of the face table: the look, and the first coefficients of the shape."""
    own = [field.name for field in fields(Person) if field.name not in Identity.__dataclass_fields__]
    row: dict[str, str | int | float] = {
        f"id_{name}": float(getattr(person, name)) for name in (*LOOKS, *own) if name != "shape"
    }
    shape = (*person.shape, *([0.0] * _COLUMNS))[:_COLUMNS]
    return row | {f"id_shape_{k:02d}": value for k, value in enumerate(shape)}
