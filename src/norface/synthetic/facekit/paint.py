"""The invented skin: everything that is painted on a FaceKit head, as textures."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from norface.synthetic.facekit.atlas import Atlas
from norface.synthetic.facekit.hair import cover
from norface.synthetic.facekit.person import Person
from norface.synthetic.facekit.raster import Floats
from norface.synthetic.facekit.wrinkles import resting_wrinkles
from norface.synthetic.hair import brow_colour, hair_colour
from norface.synthetic.skin import linear, skin_colour, smooth

_FREE_CELLS = 0.9  # grain of the skin in texels
_MAKEUP = linear(92, 60, 70)
_ROUGE = linear(176, 40, 60)


@dataclass(frozen=True)
class SkinTexture:
    """Painted textures of one person.

    Args:
        colour: ``(side, 2 * side, 4)``: linear RGB, gloss.
        bare: ``(side, 2 * side)`` 0..1: face that is not under hair.
    """

    colour: Floats
    bare: Floats


class _Canvas:
    """The texels while they are painted."""

    def __init__(self, atlas: Atlas, colour: Floats) -> None:
        self.albedo = np.tile(colour, (atlas.texel.size, 1)).astype(np.float32)
        self.gloss = np.full(atlas.texel.size, 0.16, np.float32)

    def mix(self, alpha: Floats, colour: Floats) -> None:
        """Mix a colour ``(3,)`` or ``(n, 3)`` in."""
        self.albedo += alpha[:, None] * (colour - self.albedo)

    def tint(self, alpha: Floats, factor: tuple[float, float, float]) -> None:
        """Multiply by a colour."""
        self.albedo *= 1.0 + alpha[:, None] * (np.array(factor, np.float32) - 1.0)


def paint(atlas: Atlas, person: Person) -> SkinTexture:
    """Paint one person's skin (about 20 ms at 256 rows; keep it for all faces of the person)."""
    rng = np.random.default_rng([person.skin_seed, 1])
    canvas = _Canvas(atlas, skin_colour(person))
    coarse, fine = (_noise(rng, atlas, scale) for scale in (10.0, _FREE_CELLS))
    strands = _strands(rng, atlas)
    canvas.albedo *= (1.0 + (0.025 + 0.05 * person.blotches) * coarse + 0.03 * fine)[:, None]
    canvas.tint(np.clip(0.5 * coarse, 0.0, 1.0) * np.float32(person.blotches), (1.02, 0.86, 0.86))
    _complexion(canvas, atlas, person)
    _spots(canvas, atlas, person, rng)
    canvas.albedo *= (1.0 - resting_wrinkles(atlas, person.age))[:, None]
    _eyes(canvas, atlas, person)
    _lips(canvas, atlas, person, fine)
    _beard(canvas, atlas, person, fine)
    _brows(canvas, atlas, person, fine)
    covered = cover(person, atlas.x, atlas.y, atlas.z, strands)
    _scalp(canvas, atlas, person, covered, strands, fine)
    outside = smooth(-8.5, -7.0, atlas.y - 0.15 * (10.0 - atlas.z)) * smooth(-1.0, 1.5, atlas.z)
    layers = np.column_stack([canvas.albedo.clip(0.002, 1.0), canvas.gloss])
    return SkinTexture(atlas.spread(layers), atlas.spread((1.0 - covered) * outside))


def _noise(rng: np.random.Generator, atlas: Atlas, scale: float) -> Floats:
    """``(n,)`` around 0 with deviation 1; `scale` in texels of a texture of 256 rows."""
    sigma = scale * atlas.side / 256.0
    shape = (atlas.side, 2 * atlas.side)
    if sigma > 4.0:  # a blurred field needs no more points than that
        step = int(sigma // 2)
        small = rng.standard_normal((shape[0] // step + 2, shape[1] // step + 2)).astype(np.float32)
        field = cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / step), shape[::-1], interpolation=cv2.INTER_CUBIC)
    else:
        field = rng.standard_normal(shape).astype(np.float32)
        field = cv2.GaussianBlur(field, (0, 0), sigma) if sigma > 0.4 else field
    return np.asarray(field.ravel()[atlas.texel] / max(float(field.std()), 1e-6), np.float32)


def _strands(rng: np.random.Generator, atlas: Atlas) -> Floats:
    """Strands of hair that run from the crown downwards, ``(n,)`` around 0."""
    table = cv2.GaussianBlur(rng.standard_normal((24, 512)).astype(np.float32), (0, 0), 1.1)
    angle = np.arctan2(atlas.x, atlas.z + np.float32(1.5)) / np.float32(2.0 * np.pi) + np.float32(0.5)
    full = np.zeros((2, 2 * atlas.side * atlas.side), np.float32)
    full[0, atlas.texel], full[1, atlas.texel] = angle * np.float32(511.0), (atlas.y + np.float32(8.0)).clip(0.0, 23.0)
    column, row = full.reshape(2, atlas.side, 2 * atlas.side)
    field = cv2.remap(table, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return np.asarray(field.ravel()[atlas.texel] / table.std(), np.float32)


def _complexion(canvas: _Canvas, atlas: Atlas, person: Person) -> None:
    x, y = np.abs(atlas.x), atlas.y
    front = (atlas.z > 1.0).astype(np.float32)
    blush = np.exp(-0.5 * (np.square((x - 4.2) / 1.7) + np.square((y + 0.2) / 1.5)))
    blush = blush + np.exp(-0.5 * (np.square(x / 1.3) + np.square((y - 0.4) / 1.0)))
    ear = smooth(7.3, 8.3, x) * (y < 5.0)
    warm = np.minimum(blush * front + 0.6 * ear, 1.0) * np.float32(0.5 + 0.25 * person.skin_red + 0.3 * person.makeup)
    canvas.tint(np.asarray(warm.clip(0.0, 1.2), np.float32), (1.02, 0.80, 0.84))
    shine = np.exp(-0.5 * (np.square(x / 2.6) + np.square((y - 8.0) / 1.6)))
    shine = shine + np.exp(-0.5 * (np.square(x / 0.7) + np.square((y - 1.4) / 1.8)))
    canvas.gloss += np.float32(0.14) * np.minimum(shine, 1.0) * front
    pale = np.float32(0.25) * smooth(2.0, 0.5, y + 8.0)  # less sun under the chin
    canvas.tint(pale, (0.92, 0.86, 0.84))


def _spots(canvas: _Canvas, atlas: Atlas, person: Person, rng: np.random.Generator) -> None:
    """Freckles and moles."""
    if person.freckles > 0.0:
        field = _noise(rng, atlas, 1.2)
        where = np.exp(-0.5 * (np.square(atlas.x / 4.5) + np.square((atlas.y - 1.5) / 2.8))) * (atlas.z > 3.0)
        canvas.tint(smooth(1.1, 2.0, field) * where * np.float32(0.9 * person.freckles), (0.66, 0.5, 0.42))
    for _ in range(person.moles):
        x, y, size = rng.uniform(-6.5, 6.5), rng.uniform(-6.0, 9.0), rng.uniform(0.1, 0.24)
        distance = np.square(atlas.x - np.float32(x)) + np.square(atlas.y - np.float32(y))
        spot = smooth(4.0 * size * size, 0.5 * size * size, distance) * (atlas.z > 2.0)
        canvas.tint(np.asarray(spot, np.float32), (0.42, 0.32, 0.28))


def _eyes(canvas: _Canvas, atlas: Atlas, person: Person) -> None:
    """Lashes along the lids, shadows above and below."""
    d, x, y = atlas.lids, np.abs(atlas.x), atlas.y
    upper = smooth(3.1, 3.6, y)
    canvas.tint(smooth(1.5, 0.2, d) * np.float32(0.35), (0.86, 0.74, 0.74))
    bags = np.exp(-0.5 * (np.square((x - 3.1) / 1.5) + np.square((y - 1.9) / 0.55))) * (atlas.z > 5.0)
    canvas.tint(np.asarray(bags, np.float32) * np.float32(min(0.25 + 1.6 * person.eye_bags, 1.0)), (0.80, 0.74, 0.80))
    crease = np.exp(-0.5 * np.square((d - 0.62) / 0.11)) * upper
    canvas.tint(crease * np.float32(0.55), (0.62, 0.52, 0.48))
    if person.makeup > 0.0:
        canvas.mix(smooth(1.3, 0.1, d) * upper * np.float32(0.55 * person.makeup), _MAKEUP * np.float32(0.6))
    lash = smooth(0.26 + 0.06 * person.makeup, 0.05, d)
    dark = np.float32(0.9) * upper + np.float32(0.35) * (1.0 - upper)
    canvas.mix(lash * dark, linear(26, 18, 16))
    canvas.gloss *= 1.0 - 0.7 * lash


def _lips(canvas: _Canvas, atlas: Atlas, person: Person, fine: Floats) -> None:
    skin = skin_colour(person)
    red = np.array([1.02, 0.56 - 0.10 * person.lip_red, 0.58 - 0.08 * person.lip_red], np.float32)
    colour = skin * red * np.float32(1.0 - 0.45 * person.lip_dark)
    colour = colour + np.float32(0.55 * max(person.makeup - 0.3, 0.0)) * (_ROUGE - colour)
    canvas.mix(atlas.lips * np.float32(0.9), colour * (1.0 + np.float32(0.06) * fine)[:, None])
    canvas.gloss += atlas.lips * np.float32(0.15 + 0.2 * person.makeup)


def _beard(canvas: _Canvas, atlas: Atlas, person: Person, fine: Floats) -> None:
    if person.beard == 0.0:
        return
    x, y, z = np.abs(atlas.x), atlas.y, atlas.z
    edge = np.interp(x, [0.0, 2.4, 3.2, 5.0, 6.6, 7.4], [-1.3, -1.5, -2.6, -2.6, -0.2, 2.5]).astype(np.float32)
    area = smooth(0.35, -0.5, y - edge - np.float32(0.15) * fine) * smooth(
        -0.5, 1.2, z - 0.2 * np.minimum(y + 3.0, 0.0)
    )
    area = area * smooth(-10.5, -8.5, y)  # shaved throat
    below_lip = 1.0 - 0.5 * np.exp(-0.5 * (np.square((x - 1.6) / 0.6) + np.square((y + 4.7) / 0.4)))
    grown = np.float32(0.30 + 0.62 * person.beard)
    alpha = area * (1.0 - smooth(0.2, 0.6, atlas.lips)) * below_lip * grown * (1.0 + 0.16 * fine)
    alpha = np.asarray(alpha.clip(0.0, 0.96), np.float32)
    canvas.mix(alpha, hair_colour(person) * np.float32(0.75))
    canvas.gloss *= 1.0 - 0.7 * alpha


def _brows(canvas: _Canvas, atlas: Atlas, person: Person, fine: Floats) -> None:
    x, y = np.abs(atlas.x), atlas.y
    inner, outer = float(atlas.brow[0, 0]), float(atlas.brow[0, -1])
    along = (x - np.float32(inner)) / np.float32(max(outer - inner, 1e-3) * person.brow_length)
    course = np.interp(x, atlas.brow[0], atlas.brow[1]).astype(np.float32)
    course = course + np.float32(person.brow_arch - 0.45) * np.exp(-0.5 * np.square((along - 0.65) / 0.25))
    course = course + np.float32(2.0 * person.brow_tilt) * (along - np.float32(0.5))
    half = np.float32(0.30 + 0.75 * person.brow_thickness) * np.interp(
        along, [-0.1, 0.0, 0.25, 0.7, 1.0, 1.1], [0.45, 0.8, 1.0, 0.8, 0.25, 0.1]
    ).astype(np.float32)
    off = np.abs(y - course - np.float32(0.03) * fine)
    alpha = smooth(1.15, 0.35, off / half) * smooth(-0.12, 0.06, along) * smooth(1.1, 0.95, along) * (atlas.z > 4.0)
    alpha = alpha * np.float32(0.6 + 0.38 * person.brow_dark) * (1.0 + 0.10 * fine)
    alpha = np.asarray(alpha.clip(0.0, 0.97), np.float32)
    canvas.mix(alpha, brow_colour(person))
    canvas.gloss *= 1.0 - 0.8 * alpha


def _scalp(canvas: _Canvas, atlas: Atlas, person: Person, covered: Floats, strands: Floats, fine: Floats) -> None:
    shine = np.exp(np.float32(0.30) * strands + np.float32(0.12 + 0.2 * person.curls) * fine)
    canvas.mix(covered, hair_colour(person) * shine[:, None])
    canvas.gloss += covered * (0.10 + 0.07 * strands.clip(-1.0, 1.5) - canvas.gloss)
