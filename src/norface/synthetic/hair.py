"""Hair as a thickness on the head's map, and the fixed textures of hair and skin."""

from __future__ import annotations

import cv2
import numpy as np

from norface.synthetic.identity import Identity
from norface.synthetic.skin import linear, ramp, smooth
from norface.synthetic.sphere import DIRECTIONS, GRID, Floats

_COLOURS = np.stack(
    [
        linear(26, 21, 20),
        linear(48, 33, 25),
        linear(82, 54, 36),
        linear(112, 62, 36),
        linear(150, 104, 62),
        linear(200, 164, 112),
        linear(150, 146, 142),
        linear(205, 203, 200),
    ]
)


def hair_colour(identity: Identity) -> Floats:
    """Linear RGB ``(3,)``."""
    return ramp(_COLOURS, identity.hair_tone)


def brow_colour(identity: Identity) -> Floats:
    """Linear RGB ``(3,)``: like the hair but darker, never white."""
    dark = ramp(_COLOURS[:5], min(identity.hair_tone, 0.8))
    return np.asarray(dark * np.float32(0.95 - 0.55 * identity.brow_dark), np.float32)


def hair(identity: Identity, skull: Floats) -> tuple[Floats, Floats]:
    """Thickness in centimetres and cover 0..1, each ``(GRID, GRID)``."""
    person = identity
    x, y, z = DIRECTIONS * skull
    front = person.hairline + 0.35 * np.exp(-0.5 * np.square((np.abs(x) - 4.0) / 1.2))
    swept = 3.5 + 0.5 * np.abs(np.sin(1.3 * x + person.parting)) + 0.25 * x * person.parting
    front = front * (1.0 - person.fringe) + np.minimum(front, swept) * person.fringe
    drop = np.interp(z, [-20.0, -7.0, -3.5, -1.0, 1.2, 2.8, 4.6, 6.4], [-8.0, -7.0, -4.5, -2.2, -1.5, 0.3, 3.6, 0.0])
    blend = smooth(3.2, 6.4, z)
    inside = y - (drop * (1.0 - blend) + front * blend).astype(np.float32) + np.float32(0.12) * STREAKS
    cover = smooth(-0.35, 0.45, inside)
    ear = np.exp(-0.5 * (np.square((z + 1.0) / 1.5) + np.square((y + 1.2) / 2.3)))
    cover = cover * (
        1.0 - smooth(0.25, 0.5, np.asarray(ear * (np.abs(x) > 5.0), np.float32)) * float(person.hair_length == 0.0)
    )
    volume = person.hair_volume
    rise = smooth(0.0, 3.2, inside) * (0.35 + 1.5 * volume) * (0.6 + 0.55 * smooth(-0.2, 0.8, DIRECTIONS[1]))
    rise = rise + smooth(0.0, 0.7, inside) * (0.22 + 0.25 * person.fringe)
    part = np.exp(-0.5 * np.square((x - 3.0 * person.parting) / 0.5)) * smooth(5.0, 8.0, y)
    rise = rise * (1.0 - 0.35 * part)
    rise = rise + (0.12 * STREAKS + 0.8 * person.curls * CURLS) * smooth(0.0, 2.0, inside) * volume
    if person.hair_length > 0.0:
        curtain, reach = _curtain(person, skull)
        cover, rise = np.maximum(cover, curtain), np.maximum(rise, reach)
    shown = float(volume > 0.0)
    return np.asarray(np.maximum(rise, 0.0) * smooth(0.4, 0.95, cover) * shown, np.float32), np.asarray(
        cover * shown, np.float32
    )


def _curtain(person: Identity, skull: Floats) -> tuple[Floats, Floats]:
    """Hair that falls beside and behind the face."""
    dx, dy, dz = DIRECTIONS
    side = np.abs(dx)
    mask = smooth(0.34, 0.14, dz + 0.10 * dy) * smooth(0.25, 0.45, side + np.maximum(-dz, 0.0)) * smooth(0.35, 0.1, dy)
    outer = (8.4 + 1.6 * person.hair_volume + 0.25 * STREAKS) / np.maximum(np.hypot(dx, 0.9 * dz), 0.3)
    bottom = (6.0 + 11.0 * person.hair_length + 0.5 * STREAKS) / np.maximum(-dy, 0.05)
    reach = np.clip(np.minimum(np.minimum(outer, bottom), 18.0) - skull, 0.0, None)
    return np.asarray(mask, np.float32), np.asarray(reach, np.float32)


def _noise(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> Floats:
    field = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), sigma)
    return np.asarray(field / field.std(), np.float32)


def _textures() -> tuple[Floats, Floats, Floats, Floats]:
    rng = np.random.default_rng(20240929)
    # Strands run from the crown downwards: noise around the crown's axis.
    crown = np.array([0.0, 0.94, -0.34], np.float32)
    across = np.array([0.0, 0.34, 0.94], np.float32)
    d = DIRECTIONS
    angle = np.arctan2(d[0], np.tensordot(across, d, 1))
    height = np.tensordot(crown, d, 1)
    strands = _noise(rng, (64, 720), 1.0)
    strands = strands + _noise(rng, (64, 720), 3.0)
    column = ((angle / np.pi * 0.5 + 0.5) * 719.0).astype(np.float32)
    row = ((height * 0.5 + 0.5) * 20.0).astype(np.float32)
    streaks = cv2.remap(strands, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return (
        np.asarray(streaks * 0.7, np.float32),
        _noise(rng, (GRID, GRID), 2.2),
        _noise(rng, (GRID, GRID), 3.5),
        _noise(rng, (GRID, GRID), 0.7),
    )


STREAKS, CURLS, _MOTTLE, _GRAIN = _textures()

TEXTURES: Floats = np.stack([STREAKS, CURLS, _MOTTLE, _GRAIN], axis=-1)
"""``(GRID, GRID, 4)``: strands of hair, curls, mottled skin, fine grain; each around 0 with deviation near 1."""
