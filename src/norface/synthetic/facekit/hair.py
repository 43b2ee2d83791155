"""Hair on a FaceKit head: where it covers the skin, how far it stands off, and what falls beside the face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from norface.synthetic.facekit.person import Person
from norface.synthetic.facekit.raster import Floats
from norface.synthetic.skin import smooth

# The formulas count from between the eyes, as those of the procedural heads do.
_EYE_HEIGHT, _FORWARD = 3.5, 1.0
_CURTAIN_COLUMNS, _CURTAIN_ROWS = 44, 14


def inside_hair(person: Person, x: Floats, y: Floats, z: Floats) -> Floats:
    """Signed distance in units from the hairline, positive where hair grows; coordinates of the mean person at rest."""
    y, z = y - np.float32(_EYE_HEIGHT), z - np.float32(_FORWARD)
    front = person.hairline + 0.35 * np.exp(-0.5 * np.square((np.abs(x) - 4.0) / 1.2))
    front = front - 0.25 * np.cos(1.6 * x + person.parting)
    swept = 3.6 + 0.5 * np.abs(np.sin(1.3 * x + person.parting)) + 0.25 * x * person.parting
    front = front * (1.0 - person.fringe) + np.minimum(front, swept) * person.fringe
    drop = np.interp(z, [-20.0, -7.0, -3.5, -1.5, 0.5, 2.2, 3.8, 6.4], [-9.0, -8.0, -5.5, -2.2, -0.8, 1.0, 3.8, 0.0])
    blend = smooth(3.2, 6.4, z)
    return np.asarray(y - (drop * (1.0 - blend) + front * blend), np.float32)


def beside_ear(x: Floats, y: Floats, z: Floats) -> Floats:
    """1 on and around the ears, where short hair leaves off."""
    near = np.exp(-0.5 * (np.square((z - 0.3) / 1.7) + np.square((y - 1.6) / 2.4)))
    return np.asarray(smooth(0.25, 0.5, near) * (np.abs(x) > 6.6), np.float32)


def cover(person: Person, x: Floats, y: Floats, z: Floats, ragged: Floats) -> Floats:
    """0..1: how much of the skin the hair hides."""
    if person.hair_volume == 0.0:
        return np.zeros(x.shape, np.float32)
    inside = inside_hair(person, x, y, z) + np.float32(0.16) * ragged
    return np.asarray(smooth(-0.3, 0.45, inside) * (1.0 - beside_ear(x, y, z)), np.float32)


def thickness(person: Person, rest: Floats, normal: Floats, noise: Floats) -> Floats:
    """How far ``(N,)`` the hair lifts the vertices of the scalp.

    Args:
        person: Whose hair.
        rest, normal: ``(N, 3)`` of the mean person at rest.
        noise: ``(N,)`` around 0: curls and strands.
    """
    x, y, z = rest.T
    if person.hair_volume == 0.0:
        return np.zeros(x.shape, np.float32)
    inside = inside_hair(person, x, y, z)
    volume = person.hair_volume
    rise = smooth(0.0, 3.2, inside) * (0.25 + 1.5 * volume) * (0.55 + 0.6 * smooth(-0.2, 0.8, normal[:, 1]))
    rise = rise + smooth(-0.1, 0.6, inside) * (0.18 + 0.35 * person.fringe)
    part = np.exp(-0.5 * np.square((x - 3.0 * person.parting) / 0.5)) * smooth(8.0, 11.0, y)
    rise = rise * (1.0 - 0.35 * part) + (0.08 + 0.45 * person.curls) * volume * noise * smooth(0.0, 2.0, inside)
    return np.asarray(np.maximum(rise, 0.0) * (1.0 - beside_ear(x, y, z)), np.float32)


def curtain(person: Person, width: float) -> tuple[Floats, Floats, NDArray[np.int32], Floats]:
    """Long hair beside and behind the face.

    Args:
        person: Whose hair; none falls where its length is 0.
        width: Of the head, relative to the mean person's.

    Returns:
        Vertices ``(V, 3)``, outward normals ``(V, 3)``, triangles ``(T, 3)`` and their ``(T, 3, 2)`` places along and
        across the strands, 0..1.
    """
    if person.hair_length == 0.0:
        return (np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32),
                np.zeros((0, 3, 2), np.float32))  # fmt: skip
    rows = np.linspace(0.0, 1.0, _CURTAIN_ROWS)
    columns = np.linspace(-1.0, 1.0, _CURTAIN_COLUMNS)
    down, along = np.meshgrid(rows, columns, indexing="ij")
    top, bottom = 11.0, -1.0 - 13.0 * person.hair_length
    height = top + (bottom - top) * down
    opening = 1.72 + 0.28 * smooth(9.0, 2.0, height) + 0.08 * np.sin(2.0 * height + 3.0 * person.parting)
    angle = along * opening
    dome = np.sqrt(np.clip(1.0 - np.square(np.maximum(height - 2.0, 0.0) / 13.0), 0.05, 1.0))
    wave = 1.0 + (0.008 + 0.035 * person.curls) * np.sin(1.3 * height + 9.0 * along + 7.0 * person.parting)
    tuft = 1.0 + 0.012 * np.sin(37.0 * along) + 0.03 * person.curls * np.sin(23.0 * along + height)
    radius = (8.1 + 1.3 * person.hair_volume) * dome * wave * tuft * (1.0 + 0.04 * smooth(0.0, -8.0, height))
    x, z = radius * width * np.sin(angle), 0.4 - 1.12 * radius * np.cos(angle)
    points = np.stack([x, height, z], axis=-1).reshape(-1, 3)
    normal = np.stack([np.sin(angle), 0.25 * smooth(4.0, 10.0, height), -np.cos(angle)], axis=-1).reshape(-1, 3)
    corner = np.arange(_CURTAIN_ROWS * _CURTAIN_COLUMNS).reshape(_CURTAIN_ROWS, _CURTAIN_COLUMNS)
    a, b, c, d = corner[:-1, :-1].ravel(), corner[1:, :-1].ravel(), corner[1:, 1:].ravel(), corner[:-1, 1:].ravel()
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)
    place = np.stack([0.5 + 0.5 * along, down], axis=-1).reshape(-1, 2).astype(np.float32)
    return points.astype(np.float32), normal.astype(np.float32), triangles, place[triangles]
