"""Lips, teeth, tongue and nostrils, evaluated per pixel in head coordinates."""

from __future__ import annotations

import numpy as np

from norface.synthetic.factors import FaceFactors
from norface.synthetic.rig import FaceRig
from norface.synthetic.skin import Index, Skin, edge, linear, smooth, stroke
from norface.synthetic.sphere import Floats

_TEETH = linear(236, 228, 212)
_CAVITY = linear(58, 20, 20)
_TONGUE = linear(176, 84, 84)


def _curves(face: FaceRig, x: Floats, bow: float) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Normalised position 0..1 from the middle to the corner, and the heights of the lips' four edges.

    Order: upper lip's outer and inner edge, lower lip's inner and outer edge.
    """
    left = smooth(-0.5, 0.5, x)
    right = np.float32(1.0) - left
    corner_x = left * face.left.corner[0] + right * face.right.corner[0]
    corner_y = left * face.left.corner[1] + right * face.right.corner[1]
    raised = left * face.left.upper_raise + right * face.right.upper_raise
    u = np.minimum(np.abs(x) / corner_x, np.float32(1.0))
    line = face.mouth_y + corner_y * u ** np.float32(1.7)
    arch = 1.0 - u * u
    lift = raised * (1.0 - np.square(1.6 * (u - np.float32(0.38)))) * np.minimum(1.0, 4.0 * (1.0 - u))
    inner_upper = line + face.open_upper * arch + 0.75 * lift
    inner_lower = line - face.open_lower * arch ** np.float32(0.75)
    dip = bow * 0.22 * np.exp(-0.5 * np.square(u / np.float32(0.11)))
    outer_upper = inner_upper + face.lip_upper * (np.sqrt(arch) * (1.0 - 0.35 * u) - dip) + 0.2 * lift
    outer_lower = inner_lower - face.lip_lower * arch ** np.float32(0.85)
    stacked = np.stack([u, outer_upper, inner_upper, inner_lower, outer_lower]).astype(np.float32)
    return stacked[0], stacked[1], stacked[2], stacked[3], stacked[4]


def paint_mouth(skin: Skin, face: FaceRig, factors: FaceFactors, skin_colour: Floats) -> None:
    """Lips with their seam, and what is seen between them."""
    person, pitch, a = factors.identity, skin.pitch, face.au
    middle = face.mouth_y - 0.5 * face.open_lower
    index = skin.near(0.0, middle, 4.6, 2.6 + 0.6 * face.open_lower)
    if index.size == 0:
        return
    x, y = skin.x[index], skin.y[index]
    u, outer_upper, inner_upper, inner_lower, outer_lower = _curves(face, x, person.cupid_bow)
    corner = np.where(x > 0, np.float32(face.left.corner[0]), np.float32(face.right.corner[0]))
    ends = edge(corner - np.abs(x), pitch)
    lips = np.minimum(outer_upper - y, y - outer_lower)
    cover = np.clip(lips / np.float32(np.hypot(pitch, 0.10)) + 0.5, 0.0, 1.0) * ends
    red = np.array([0.86, 0.44, 0.43], np.float32) * (1.0 - 0.45 * person.lip_dark)
    full = np.array([0.56, 0.15, 0.17], np.float32) * (1.0 - 0.4 * person.lip_dark)
    colour = skin_colour * red * (1.0 - 0.55 * person.lip_red) + full * (0.55 * person.lip_red) * (
        0.35 + skin_colour.mean()
    )
    skin.paint(index, np.asarray(cover * 0.92, np.float32), np.asarray(colour, np.float32))
    skin.gloss[index] += cover * np.float32(0.18)
    skin.shade[index] *= (
        1.0 - cover * smooth(0.0, 0.5, y - inner_upper) * 0.0 - cover * (y > inner_upper) * np.float32(0.12)
    )
    gap = inner_upper - inner_lower
    opened = np.minimum(inner_upper - y, y - inner_lower)
    inside = edge(opened, pitch) * ends * np.clip(gap / np.float32(0.6 * pitch), 0.0, 1.0)
    seam = stroke(y - 0.5 * (inner_upper + inner_lower), 0.075 + 0.05 * a[23], pitch) * ends * (1.0 - inside)
    skin.paint(index, np.minimum(seam * np.float32(0.85), 1.0), linear(70, 30, 28) * (0.4 + 0.8 * skin_colour))
    _interior(skin, index, x, y, inner_upper, inner_lower, inside, face, factors)
    _around(skin, index, x, y, u, outer_upper, outer_lower, ends, face)


def _interior(
    skin: Skin,
    index: Index,
    x: Floats,
    y: Floats,
    inner_upper: Floats,
    inner_lower: Floats,
    inside: Floats,
    face: FaceRig,
    factors: FaceFactors,
) -> None:
    pitch, rest = skin.pitch, factors.identity.mouth_height
    colour = np.tile(_CAVITY, (index.size, 1))
    tongue_top = rest - 0.75 - 1.25 * face.jaw
    tongue = edge(1.0 - np.hypot(x / 1.7, (y - tongue_top + 0.5) / 0.75), pitch) * np.float32(min(1.0, 2.0 * face.jaw))
    colour += tongue[:, None] * (_TONGUE - colour)
    bottom = edge(rest - 0.42 - 1.5 * face.jaw - y, pitch) * edge(2.3 - np.abs(x), pitch) * np.float32(0.9)
    colour += bottom[:, None] * (_TEETH * 0.8 - colour)
    curved = rest - 0.36 + 0.05 * np.square(x)
    top = edge(y - curved, pitch) * edge(2.6 - np.abs(x), pitch)
    shaded = np.float32(1.0) - np.float32(0.5) * smooth(1.0, 2.7, np.abs(x))
    colour += top[:, None] * (_TEETH * shaded[:, None] - colour)
    skin.paint(index, inside, np.asarray(colour, np.float32))
    lit = (
        np.float32(0.85)
        * (0.6 + 0.4 * smooth(0.0, 0.35, inner_upper - y))
        * (0.7 + 0.3 * smooth(0.0, 0.3, y - inner_lower))
    )
    skin.shade[index] += inside * (lit - skin.shade[index])
    skin.gloss[index] *= 1.0 - inside * np.float32(0.6)
    front = np.zeros((3, 1), np.float32)
    front[2] = 1.0
    skin.normal[:, index] += inside * np.float32(0.8) * (front - skin.normal[:, index])


def _around(
    skin: Skin,
    index: Index,
    x: Floats,
    y: Floats,
    u: Floats,
    outer_upper: Floats,
    outer_lower: Floats,
    ends: Floats,
    face: FaceRig,
) -> None:
    """Shadow below the lower lip, dimples at the corners, tight rims."""
    pitch, a = skin.pitch, face.au
    below = stroke(y - outer_lower + 0.28, 0.22, pitch) * smooth(0.9, 0.4, u)
    skin.shade[index] *= 1.0 - below * np.float32(0.30 + 0.30 * a[17])
    rim = (stroke(y - outer_upper - 0.18, 0.10, pitch) + stroke(y - outer_lower + 0.16, 0.10, pitch)) * smooth(
        1.0, 0.6, u
    )
    skin.shade[index] *= 1.0 - np.minimum(rim, 1.0) * np.float32(0.45 * a[23])
    for side in (face.left, face.right):
        cx, cy = side.sign * (side.corner[0] + 0.12), face.mouth_y + side.corner[1]
        spot = np.exp(-0.5 * (np.square((x - cx) / 0.22) + np.square((y - cy) / 0.30)))
        depth = 0.22 + 0.30 * side.au[12] + 0.25 * side.au[15] + 0.25 * side.au[23] + 0.2 * side.au[20]
        skin.shade[index] *= 1.0 - np.asarray(spot, np.float32) * np.float32(depth)
        droop = (
            stroke((x - cx) * side.sign + 0.45 * (y - cy) + 0.0, 0.10, pitch)
            * smooth(0.1, -0.3, y - cy)
            * smooth(-1.5, -0.5, y - cy)
        )
        skin.shade[index] *= 1.0 - droop * np.float32(min(0.5, 0.50 * side.au[15] + 0.12 * side.au[17]))


def paint_nostrils(skin: Skin, face: FaceRig, factors: FaceFactors) -> None:
    """Two dark openings and the shadow under the nose; the wings rise with action units 9 and 10."""
    person = factors.identity
    tip = -person.nose_length
    index = skin.near(0.0, tip - 0.8, 2.6, 1.6)
    for side in (face.left, face.right):
        lift = 0.30 * side.au[9] + 0.16 * side.au[10]
        cx = side.sign * (0.62 * person.nose_width + 0.10 * side.au[9])
        cy = tip - 0.72 + 0.5 * person.nose_tip + lift
        distance = np.hypot((skin.x[index] - cx) / 0.42, (skin.y[index] - cy) / 0.19)
        hole = edge((1.0 - distance) * 0.25, skin.pitch)
        skin.paint(index, hole * np.float32(0.82), linear(40, 18, 14))
        wing = np.hypot(
            (skin.x[index] - side.sign * 1.30 * person.nose_width) / 0.42, (skin.y[index] - cy - 0.25) / 0.62
        )
        crease = stroke(wing - 1.0, 0.22, skin.pitch) * smooth(
            0.3, 0.9, (skin.x[index] * side.sign) / np.float32(1.3 * person.nose_width)
        )
        skin.shade[index] *= 1.0 - crease * np.float32(0.22 + 0.25 * side.au[9] + 0.1 * side.au[10])
