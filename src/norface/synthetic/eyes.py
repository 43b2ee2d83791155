"""Eyes, lids and brows, evaluated per pixel in head coordinates."""

from __future__ import annotations

import numpy as np

from norface.synthetic.factors import FaceFactors
from norface.synthetic.rig import SideRig
from norface.synthetic.skin import Index, Skin, edge, linear, ramp, smooth, stroke
from norface.synthetic.sphere import Floats

# Linear colours; brown to grey.
IRIS = np.stack(
    [
        linear(62, 38, 22),
        linear(96, 62, 34),
        linear(108, 104, 58),
        linear(92, 124, 100),
        linear(92, 132, 168),
        linear(124, 140, 152),
    ]
)
SCLERA = linear(236, 230, 226)
LASH = linear(30, 22, 20)
PUPIL = linear(12, 10, 12)


def lids(side: SideRig, u: Floats, width: float, tilt: float) -> tuple[Floats, Floats]:
    """Heights of the upper and lower lid edge at `u`, the distance outwards from the eye's centre."""
    s = np.clip(u / np.float32(width), -1.0, 1.0)
    skewed = s + np.float32(0.12) * (1.0 - s * s)  # the upper lid peaks towards the nose, the lower one outwards
    upper = side.lid_upper * (1.0 - np.abs(skewed) ** 2.4)
    other = s - np.float32(0.15) * (1.0 - s * s)
    lower = -side.lid_lower * (1.0 - np.abs(other) ** 2.2)
    lean = np.float32(tilt) * u
    return np.asarray(upper + lean, np.float32), np.asarray(lower + lean, np.float32)


def paint_eye(skin: Skin, side: SideRig, factors: FaceFactors) -> None:
    """Eyeball between the lids, lashes, lid crease, shadow of the lid."""
    person, pitch = factors.identity, skin.pitch
    index = skin.near(side.sign * side.eye_x, 0.2, 2.5, 2.4)
    if index.size == 0:
        return
    u = skin.x[index] * side.sign - np.float32(side.eye_x)
    v = skin.y[index]
    width, tilt = person.eye_width, person.eye_tilt
    upper, lower = lids(side, u, width, tilt)
    within = np.minimum(np.minimum(upper - v, v - lower) * 0.9, (width - np.abs(u)) * 0.7)
    opened = edge(within, pitch)
    _crease(skin, index, u, v, upper, side, factors)
    _eyeball(skin, index, u, v, upper, opened, side, factors)
    span = smooth(1.12, 0.85, np.abs(u) / np.float32(width))
    lash = stroke(v - upper - 0.03, 0.085 + 0.05 * side.closed, pitch) * span
    skin.paint(index, np.minimum(lash * 0.95, 1.0), LASH)
    lower_lash = stroke(v - lower + 0.02, 0.05, pitch) * span * 0.45
    skin.paint(index, lower_lash, LASH)


def _crease(skin: Skin, index: Index, u: Floats, v: Floats, upper: Floats, side: SideRig, factors: FaceFactors) -> None:
    person, a = factors.identity, side.au
    gap = 0.42 - 0.14 * a[5] + 0.22 * side.closed + 0.12 * a[1] - 0.10 * a[4]
    span = smooth(1.15, 0.6, np.abs(u) / np.float32(person.eye_width))
    line = stroke(v - upper - gap, 0.09, skin.pitch) * span
    skin.shade[index] *= 1.0 - line * np.float32(0.75 * person.lid_crease)
    skin.relief[index] -= line * np.float32(0.08 * person.lid_crease)
    # Lids are a little darker and redder than the rest; pouches below.
    lid = smooth(2.2, 0.4, np.hypot(u / 1.3, v - 0.1))
    skin.tint(index, lid * 0.30, np.array([0.78, 0.62, 0.60], np.float32))
    _, low = lids(side, u, person.eye_width, person.eye_tilt)
    bag = person.eye_bags * 0.5 + 0.25 * person.age * person.eye_bags + 0.75 * a[6] + 0.85 * a[7] + 0.25 * a[9]
    pouch = stroke(v - low + 0.50 - 0.16 * a[7], 0.11, skin.pitch) * smooth(
        1.25, 0.5, np.abs(u) / np.float32(person.eye_width)
    )
    skin.shade[index] *= 1.0 - pouch * np.float32(min(0.5, 0.42 * bag))
    skin.relief[index] -= pouch * np.float32(0.07 * bag)


def _eyeball(
    skin: Skin, index: Index, u: Floats, v: Floats, upper: Floats, opened: Floats, side: SideRig, factors: FaceFactors
) -> None:
    person, pitch = factors.identity, skin.pitch
    gaze_x, gaze_y = np.sin(np.radians(factors.gaze)) * 1.2
    iris_u = u - np.float32(side.sign * gaze_x)
    iris_v = v - np.float32(gaze_y + 0.03)
    radius = np.hypot(iris_u, iris_v)
    iris_radius = np.float32(person.iris_size)
    colour = np.tile(SCLERA, (index.size, 1))
    corner = smooth(1.0, 1.7, np.abs(u))
    colour *= 1.0 - corner[:, None] * np.array([0.15, 0.35, 0.35], np.float32)
    iris = ramp(IRIS, person.iris_tone)
    ring = np.float32(0.55) + np.float32(0.75) * smooth(1.0, 0.3, radius / iris_radius)
    disc = edge(iris_radius - radius, pitch)[:, None]
    colour += disc * (iris * ring[:, None] - colour)
    colour += edge(np.float32(0.27) - radius, pitch)[:, None] * (PUPIL - colour)
    skin.paint(index, opened, colour)
    lid_shadow = 1.0 - np.float32(0.55) * smooth(0.55, 0.0, upper - v)
    skin.shade[index] += opened * (np.float32(0.85) * lid_shadow - skin.shade[index])
    skin.relief[index] *= 1.0 - opened
    skin.gloss[index] += opened * (np.float32(0.5) - skin.gloss[index])
    bend_x, bend_y = u / np.float32(1.9), v / np.float32(1.9)
    flat = np.sqrt(np.maximum(1.0 - bend_x**2 - bend_y**2, 0.1))
    ball = np.stack([side.sign * bend_x, bend_y, flat])
    skin.normal[:, index] += opened * (ball - skin.normal[:, index])
    light = np.radians(factors.light.azimuth - factors.yaw), np.radians(factors.light.elevation - factors.pitch)
    spot_x, spot_y = 0.36 * np.sin(light[0]), 0.36 * np.sin(light[1])
    spot = np.hypot(side.sign * u - np.float32(spot_x), v - np.float32(spot_y))
    skin.glow[index] += edge(np.float32(0.14) - spot, pitch) * opened * np.float32(0.85)


def paint_brow(skin: Skin, side: SideRig, factors: FaceFactors, colour: Floats, grain: Floats) -> None:
    """A tapered band of hairs along a parabola through the three points of the rig.

    Args:
        grain: ``(N,)`` noise around 0 over all pixels of `skin`.
    """
    person, pitch = factors.identity, skin.pitch
    (x0, y0), (x1, y1), (x2, y2) = side.brow
    index = skin.near(side.sign * (x0 + x2) / 2.0, y1, (x2 - x0) / 2.0 + 0.8, 2.2)
    if index.size == 0:
        return
    u, v = skin.x[index] * side.sign, skin.y[index]
    along = np.clip((u - np.float32(x0)) / np.float32(x2 - x0), -0.3, 1.3)
    middle = (x1 - x0) / (x2 - x0)
    curve = y0 + (y1 - y0) * along / middle
    bend = ((y2 - y0) - (y1 - y0) / middle) / (1.0 - middle)
    curve = curve + bend * along * (along - middle)
    slope = (np.float32((y1 - y0) / middle) + np.float32(bend) * (2.0 * along - np.float32(middle))) / np.float32(
        x2 - x0
    )
    thick = person.brow_thickness * (0.85 + 0.35 * smooth(0.0, 0.3, along) - 0.75 * smooth(0.45, 1.05, along))
    thick = thick * (1.0 + 0.12 * side.au[4])
    distance = np.abs(v - curve) / np.sqrt(1.0 + slope * slope)
    soft = np.float32(np.hypot(0.20, pitch))
    cover = np.clip((thick - distance + grain[index] * np.float32(0.035)) / soft + 0.5, 0.0, 1.0)
    ends = smooth(-0.08, 0.07, along) * smooth(1.06, 0.88, along)
    density = 0.62 + 0.36 * person.brow_dark
    skin.paint(index, np.asarray(cover * ends * np.float32(density), np.float32), colour)
    skin.gloss[index] *= 1.0 - cover * ends * np.float32(0.8)
    skin.relief[index] += cover * ends * np.float32(0.05)
