"""The head at rest: radius map of one identity, without hair, lips and expression."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from norface.synthetic.identity import Identity
from norface.synthetic.sphere import AXIS, DIRECTIONS, GRID, Floats, bump_rows, bumps, project

# Horizontal slices of the mean head in centimetres: height (eyes at 0), half width, depth to the front and to the back.
_SLICES = np.array(
    [
        (12.4, 0.01, 0.01, 0.01),
        (11.7, 3.3, 3.7, 4.6),
        (10.8, 5.1, 5.7, 6.6),
        (9.2, 6.5, 7.3, 8.4),
        (7.0, 7.4, 8.45, 9.6),
        (4.8, 7.75, 8.9, 10.0),
        (3.0, 7.8, 9.15, 10.0),
        (2.0, 7.75, 9.25, 9.9),
        (0.6, 7.6, 8.85, 9.5),
        (-1.0, 7.5, 8.6, 9.0),
        (-2.5, 7.4, 8.6, 8.2),
        (-4.2, 7.1, 8.85, 7.4),
        (-5.6, 6.75, 9.1, 6.8),
        (-7.3, 6.2, 9.15, 6.4),
        (-8.7, 5.55, 8.75, 6.2),
        (-9.8, 4.75, 8.95, 6.0),
        (-10.8, 3.7, 8.75, 5.8),
        (-11.6, 2.4, 7.7, 5.4),
        (-12.1, 1.2, 5.2, 4.8),
        (-12.5, 0.01, 0.01, 0.01),
    ]
)
_FINE = np.linspace(-14.5, 14.5, 581)
_POWER = 2.25
_COARSE = 84


def face_depth(identity: Identity) -> NDArray[np.float64]:
    """Smoothed slice table ``(581, 3)``: half width, front and back depth over heights -14.5 .. 14.5."""
    person = identity
    height, width, front, back = _SLICES.T.copy()
    below = np.clip((-height - 3.0) / 6.0, 0.0, 1.0)
    width *= person.head_width * (1.0 + (person.jaw_width - 1.0) * below)
    width += person.jaw_square * 0.9 * np.exp(-0.5 * ((height + 8.9) / 1.1) ** 2)
    width *= 1.0 + (person.chin_width - 1.0) * np.clip((-height - 8.5) / 2.5, 0.0, 1.0) * 0.8
    front += person.forehead_slope * -np.clip((height - 3.0) / 6.0, 0.0, 1.0)
    front += person.chin_forward * np.clip((-height - 7.5) / 2.5, 0.0, 1.0)
    height = np.where(height > 2.0, 2.0 + (height - 2.0) * person.head_height, height)
    height = np.where(height < -8.0, -8.0 + (height + 8.0) * (1.0 + person.chin_length / 4.3), height)
    order = np.argsort(height)
    table = np.stack([np.interp(_FINE, height[order], column[order]) for column in (width, front, back)], axis=1)
    return np.asarray(cv2.GaussianBlur(table, (1, 25), 0, sigmaY=6.0, borderType=cv2.BORDER_REPLICATE), np.float64)


def base_radius(identity: Identity) -> Floats:
    """Radius map ``(GRID, GRID)`` of the slices: bisection along every direction of a coarse map, then enlarged."""
    table = np.maximum(face_depth(identity), 1e-2) ** -_POWER
    step = cv2.resize(np.moveaxis(DIRECTIONS, 0, -1), (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)
    x, y, z = (step[..., axis].ravel().astype(np.float64) for axis in range(3))
    # Never exactly up or down the axis, where every slice would contain the ray.
    x_power, z_power = (np.abs(x) + 0.03) ** _POWER, (np.abs(z) + 0.03) ** _POWER
    front = z > 0
    low, high = np.full(x.size, 2.0), np.full(x.size, 14.0)
    for _ in range(14):
        middle = 0.5 * (low + high)
        at = np.clip((middle * y + 14.5) * 20.0, 0, 579.99)
        index = at.astype(np.int64)
        part = at - index
        inverse = table[index] * (1.0 - part[:, None]) + table[index + 1] * part[:, None]
        value = middle**_POWER * (x_power * inverse[:, 0] + z_power * np.where(front, inverse[:, 1], inverse[:, 2]))
        outside = value > 1.0
        high = np.where(outside, middle, high)
        low = np.where(outside, low, middle)
    coarse = (0.5 * (low + high)).reshape(_COARSE, _COARSE).astype(np.float32)
    return np.asarray(
        cv2.resize(cv2.GaussianBlur(coarse, (0, 0), 0.8), (GRID, GRID), interpolation=cv2.INTER_CUBIC), np.float32
    )


def _nose(identity: Identity) -> Floats:
    """Ridge from the root to the tip with a steep underside, and the two wings."""
    person = identity
    tip = -person.nose_length
    heights = np.array([1.6, 0.4, -0.6, -1.8, tip + 0.6, tip, tip - 0.35, tip - 0.75, tip - 1.25, tip - 2.0])
    rise = person.nose_height * np.array([0.0, 0.10, 0.24, 0.55, 0.92, 1.0, 0.92, 0.45, 0.08, 0.0])
    rise[2:4] += person.nose_hump
    rise[4:7] += 0.15
    depth = 8.7 + 0.95 * rise
    lift = np.where(np.arange(10) > 4, person.nose_tip * 0.5, 0.0)
    at = project(np.column_stack([np.zeros(10), heights + lift, depth]))[:, 1]
    order = np.argsort(at)
    along = np.interp(AXIS, at[order], rise[order]).astype(np.float32)
    along = cv2.GaussianBlur(along[None], (0, 0), 1.0)[0]
    share = np.interp(AXIS, at[order], np.linspace(0.0, 1.0, 10)[::-1][order])
    width = (0.062 + 0.042 * (1.0 - np.abs(share - 0.55)) * 1.2 - 0.012 * (share > 0.6)) * person.nose_width
    ridge = along[:, None] * np.exp(-0.5 * np.square(AXIS[None] / width[:, None]))
    wing = 1.12 * person.nose_width
    points = np.array([(wing, tip - 0.28, 9.4), (-wing, tip - 0.28, 9.4), (0.0, tip - 0.02, 10.9)])
    shape = bump_rows(points, np.array([1.1, 1.1, 0.45]), np.array([(0.42, 0.42), (0.42, 0.42), (0.62, 0.48)]))
    return np.asarray(ridge + bumps(shape), np.float32)


def _features(identity: Identity) -> Floats:
    """Sockets, brow ridge, cheekbones, mouth mound, chin: gentle bumps."""
    person = identity
    eye = person.eye_distance / 2.0
    mouth = person.mouth_height
    chin = -10.3 - person.chin_length
    pairs = [
        (eye, 0.15, 7.7, -person.eye_depth - 0.25, 1.45, 0.85),
        (eye - 1.5, 0.1, 8.3, -0.75, 0.65, 0.9),
        (eye - 0.2, 0.0, 7.6, 0.42, 0.95, 0.6),  # the eyeball fills part of its socket
        (eye + 0.1, person.brow_height - 0.3, 8.4, person.brow_ridge + 0.12, 1.9, 0.55),
        (5.0, -2.6, 6.2, person.cheekbone + 0.28, 1.5, 1.0),
        (4.1, -5.0, 7.0, person.cheek_fullness * 0.7 - 0.12, 1.6, 1.6),
        (2.4, -4.6, 8.3, 0.12, 0.9, 1.0),
        (6.2, -9.0, 1.5, person.jaw_square * 0.8, 1.6, 1.4),
        (6.5, 2.2, 5.2, -0.35, 1.2, 1.6),
        (0.75, chin, 8.6, person.chin_cleft, 0.5, 0.6),
    ]
    rows = [(sign * x, y, z, height, sx, sy) for x, y, z, height, sx, sy in pairs for sign in (1.0, -1.0)]
    rows += [
        (0.0, 2.1, 9.2, person.brow_ridge * 0.7, 1.4, 0.7),
        (0.0, mouth, 9.2, 0.30, 1.9, 1.2),
        (0.0, mouth - 1.75, 8.8, -0.35, 1.3, 0.35),
        (0.0, chin, 8.8, 0.30, 1.1 * person.chin_width, 0.75),
        (0.0, -5.4, 9.0, -0.16, 0.28, 0.6),
    ]
    table = np.array(rows)
    return bumps(bump_rows(table[:, :3], table[:, 3], table[:, 4:]))


def _ears(identity: Identity) -> Floats:
    size = identity.ear_size
    centre = project(np.array([(7.4, -1.0, -1.1)]))[0]
    x = (np.abs(AXIS)[None] - centre[0]) / 0.105
    y = (AXIS[:, None] - centre[1]) / (0.42 * size)
    x = x + 0.25 * y
    inside = np.clip(1.25 - np.sqrt(x * x + y * y), 0.0, 0.55) / 0.55
    return np.asarray(1.35 * size * inside * inside * (3.0 - 2.0 * inside), np.float32)


def skull(identity: Identity) -> Floats:
    """Radius map ``(GRID, GRID)`` of the head at rest."""
    face = base_radius(identity) + _features(identity) + _nose(identity)
    return np.asarray(cv2.GaussianBlur(face + _ears(identity), (0, 0), 0.6), np.float32)
