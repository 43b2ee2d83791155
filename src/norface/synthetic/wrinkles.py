"""Lines of the skin: at rest with age, and deeper where muscles pull."""

from __future__ import annotations

import numpy as np

from norface.synthetic.factors import FaceFactors
from norface.synthetic.rig import FaceRig, SideRig
from norface.synthetic.skin import Index, Skin, smooth, stroke
from norface.synthetic.sphere import Floats


def _carve(skin: Skin, index: Index, line: Floats, depth: float) -> None:
    """A groove: darker, and lower so that light shows its walls."""
    skin.shade[index] *= 1.0 - np.clip(line, 0.0, 1.0) * np.float32(min(0.7, depth))
    skin.relief[index] -= line * np.float32(0.13 * depth)


def paint_wrinkles(skin: Skin, face: FaceRig, factors: FaceFactors) -> None:
    """All lines of one face."""
    for side in (face.left, face.right):
        _nasolabial(skin, side, face, factors)
        _forehead(skin, side, factors)
        _crows_feet(skin, side, factors)
    _glabella(skin, face, factors)
    _nose_root(skin, face)
    _chin(skin, face, factors)


def _nasolabial(skin: Skin, side: SideRig, face: FaceRig, factors: FaceFactors) -> None:
    person, a = factors.identity, side.au
    depth = (
        person.fold_depth * (0.4 + person.age)
        + 0.60 * a[12]
        + 0.50 * a[10]
        + 0.50 * a[9]
        + 0.25 * a[6]
        + 0.18 * a[20]
        + 0.12 * a[15]
    )
    if depth < 0.03:
        return
    top = -person.nose_length - 0.05 + 0.3 * a[9] + 0.15 * a[10]
    bottom = face.mouth_y + side.corner[1] - 0.15 - 0.5 * a[15]
    x_top, x_bottom = 1.62 * person.nose_width + 0.1 * a[9], side.corner[0] + 0.85 + 0.15 * a[12]
    index = skin.near(side.sign * 3.0, (top + bottom) / 2.0, 2.9, (top - bottom) / 2.0 + 0.9)
    u, v = skin.x[index] * side.sign, skin.y[index]
    along = (np.float32(top) - v) / np.float32(top - bottom)
    bow = np.float32(0.35 + 0.45 * a[12] + 0.3 * a[10]) * along * (1.0 - along)
    line = stroke(u - (x_top + (x_bottom - x_top) * along + bow), 0.16, skin.pitch)
    _carve(skin, index, line * smooth(-0.12, 0.12, along) * smooth(1.15, 0.75, along), 0.8 * min(depth, 0.9))


def _forehead(skin: Skin, side: SideRig, factors: FaceFactors) -> None:
    person, a = factors.identity, side.au
    rest = 0.30 * max(0.0, person.age - 0.3)
    if a[1] + a[2] + rest < 0.02:
        return
    index = skin.near(side.sign * 3.0, 4.8, 3.05, 1.9)
    index = index[skin.x[index] * side.sign >= 0.0]
    u, v = skin.x[index] * side.sign, skin.y[index]
    inner = smooth(4.2, 1.8, u)
    depth = (0.62 * a[1] * inner + 0.62 * a[2] * (1.0 - 0.75 * inner) * smooth(6.0, 5.0, u) + rest) * 0.95
    level = v - 0.35 * a[2] * smooth(1.5, 4.5, u) + 0.025 * u * u
    spacing = 1.12
    phase = (level - 3.75) / spacing
    distance = (phase - np.round(phase)) * spacing
    lines = (
        stroke(np.asarray(distance, np.float32), 0.12, skin.pitch) * smooth(3.2, 3.5, level) * smooth(6.3, 5.8, level)
    )
    skin.shade[index] *= 1.0 - np.minimum(lines * depth, 0.6)
    skin.relief[index] -= lines * np.asarray(depth, np.float32) * np.float32(0.12)


def _crows_feet(skin: Skin, side: SideRig, factors: FaceFactors) -> None:
    person, a = factors.identity, side.au
    depth = 0.65 * a[6] + 0.15 * a[7] + 0.15 * a[12] + 0.25 * max(0.0, person.age - 0.4)
    if depth < 0.03:
        return
    x0 = side.eye_x + person.eye_width
    index = skin.near(side.sign * (x0 + 1.0), 0.0, 1.3, 1.5)
    u, v = skin.x[index] * side.sign - np.float32(x0 - 0.5), skin.y[index] - np.float32(0.05)
    radius = np.hypot(u, v)
    angle = np.arctan2(v, u) / np.float32(0.42)
    distance = (angle - np.round(angle)) * np.float32(0.42) * radius
    fade = smooth(0.65, 0.95, radius) * smooth(2.1, 1.4, radius) * smooth(2.1, 1.5, np.abs(angle))
    _carve(skin, index, stroke(distance, 0.07, skin.pitch) * fade, depth)


def _glabella(skin: Skin, face: FaceRig, factors: FaceFactors) -> None:
    a = face.au
    depth = 0.85 * a[4] + 0.25 * a[9] + 0.15 * max(0.0, factors.identity.age - 0.5)
    if depth < 0.03:
        return
    index = skin.near(0.0, 2.1, 1.5, 1.6)
    u, v = skin.x[index], skin.y[index]
    spread = np.float32(0.55) + np.float32(0.08) * np.square(v - 2.0)
    fade = smooth(0.7, 1.3, v) * smooth(3.4, 2.6, v)
    _carve(skin, index, stroke(np.abs(u) - spread, 0.12, skin.pitch) * fade, depth)


def _nose_root(skin: Skin, face: FaceRig) -> None:
    a = face.au
    if a[9] < 0.02:
        return
    index = skin.near(0.0, -0.3, 1.7, 1.8)
    u, v = skin.x[index], skin.y[index]
    level = v - 0.35 * np.abs(u) + 0.05
    phase = level / np.float32(0.85)
    distance = (phase - np.round(phase)) * np.float32(0.85)
    fade = smooth(1.5, 0.8, np.abs(u)) * smooth(-1.7, -1.2, level) * smooth(1.2, 0.7, level)
    _carve(skin, index, stroke(distance, 0.13, skin.pitch) * fade, 0.85 * a[9])


def _chin(skin: Skin, face: FaceRig, factors: FaceFactors) -> None:
    a, drop = face.au, 1.9 * face.jaw
    crease = 0.15 + 0.60 * a[17]
    top = face.mouth_y - factors.identity.lip_lower - 0.95 - 0.9 * drop
    index = skin.near(0.0, top - 1.0, 2.8, 2.4)
    u, v = skin.x[index], skin.y[index]
    arc = v - np.float32(top) + 0.10 * np.square(u)
    _carve(skin, index, stroke(arc, 0.20, skin.pitch) * smooth(2.2, 1.1, np.abs(u)), crease)
    if a[17] > 0.02:  # the orange-peel chin
        pattern = np.sin(5.3 * u + 1.9 * v) * np.sin(1.7 * u - 4.9 * v + 1.0)
        patch = np.exp(-0.5 * (np.square(u / 1.1) + np.square((v - top + 1.4) / 0.7)))
        skin.relief[index] += np.asarray(pattern * patch, np.float32) * np.float32(0.09 * a[17])
        skin.shade[index] *= 1.0 - np.asarray(np.maximum(-pattern, 0.0) * patch, np.float32) * np.float32(0.45 * a[17])
