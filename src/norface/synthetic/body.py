"""What surrounds the head: neck, clothes and background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from norface.synthetic.camera import Matrix, rotation
from norface.synthetic.factors import Background, FaceFactors
from norface.synthetic.skin import linear, ramp, smooth
from norface.synthetic.sphere import Floats

_CLOTHES = np.stack(
    [
        linear(40, 44, 52),
        linear(52, 76, 112),
        linear(118, 46, 46),
        linear(196, 192, 184),
        linear(74, 96, 76),
        linear(150, 128, 98),
    ]
)
_PIVOT = np.array([0.0, -9.0, -2.5])


@dataclass(frozen=True)
class Body:
    """Neck and shoulders in N pixels: colour ``(N, 3)``, normal ``(3, N)`` in camera axes, the others ``(N,)``."""

    index: NDArray[np.intp]
    albedo: Floats
    normal: Floats
    coverage: Floats
    depth: Floats
    shade: Floats


def _quadric(
    origin: Matrix, toward: Matrix, centre: Matrix, axes: Matrix, pitch: float
) -> tuple[Floats, Floats, Floats]:
    """Depth along the ray, unit normal and coverage of an ellipsoid; an infinite axis makes a cylinder."""
    o = ((origin - centre[:, None]) / axes[:, None]).astype(np.float32)
    w = (toward / axes).astype(np.float32)
    a = np.float32((w * w).sum())
    b = w @ o
    closest = np.maximum((o * o).sum(0) - b * b / a, 0.0)
    inside = (1.0 - np.sqrt(closest)) * np.float32(np.min(axes))
    t = (-b + np.sqrt(np.maximum(b * b - a * ((o * o).sum(0) - 1.0), 0.0))) / a
    normal = (o + w[:, None] * t) / axes[:, None].astype(np.float32)
    normal /= np.sqrt((normal * normal).sum(0)) + np.float32(1e-6)
    return t, normal, np.clip(inside / np.float32(pitch) + 0.5, 0.0, 1.0)


def draw_body(factors: FaceFactors, camera: Matrix, pose: Matrix, pitch: float, skin: Floats) -> Body:
    """The body follows a third of the head's turn; the head rotates about the neck.

    Args:
        factors: What to draw.
        camera: Camera coordinates ``(3, P)`` of the pixels, z = 0.
        pose: Head to camera rotation.
        pitch: Centimetres per pixel.
        skin: Linear colour of the skin.
    """
    index = np.flatnonzero(camera[1] < -3.5)  # the head hides what is higher
    camera = camera[:, index]
    lean = rotation(0.3 * factors.yaw, 0.2 * factors.pitch, 0.35 * factors.roll)
    origin = lean.T @ (camera - (pose @ _PIVOT)[:, None]) + _PIVOT[:, None]
    toward = lean.T[:, 2]
    width = 4.7 * factors.identity.neck_width
    neck_t, neck_n, neck_c = _quadric(origin, toward, np.array([0, 0, -2.6]), np.array([width, 1e4, 5.0]), pitch)
    chest_t, chest_n, chest_c = _quadric(origin, toward, np.array([0, -29.0, -4.0]), np.array([21.0, 14.0, 9.5]), pitch)
    neck_y = origin[1] + neck_t * toward[1]
    neck_c = neck_c * smooth(-5.0, -6.0, neck_y.astype(np.float32))
    front = chest_c * ((chest_t > neck_t) | (neck_c < 0.5))
    chest_y = (origin[1] + chest_t * toward[1]).astype(np.float32)
    chest_x = (origin[0] + chest_t * toward[0]).astype(np.float32)
    collar = smooth(-15.9, -16.3, chest_y - 0.0105 * (100.0 - chest_x * chest_x).clip(0.0))
    cloth = ramp(_CLOTHES, factors.identity.clothes)
    albedo = skin + (front * collar)[:, None] * (cloth - skin)
    shade = 0.30 + 0.65 * smooth(-10.0, -16.0, neck_y.astype(np.float32))
    shade = shade + front * (np.float32(0.85) - shade)
    normal = neck_n + front * (chest_n - neck_n)
    depth = np.where(front > 0.5, chest_t, neck_t)
    return Body(
        index=index,
        albedo=np.asarray(albedo, np.float32),
        normal=np.asarray(lean.astype(np.float32) @ normal, np.float32),
        coverage=np.asarray(np.maximum(neck_c, front), np.float32),
        depth=np.asarray(depth, np.float32),
        shade=np.asarray(shade, np.float32),
    )


def draw_background(background: Background, camera: Matrix) -> Floats:
    """Linear colours ``(P, 3)`` behind the pixels at camera coordinates ``(3, P)``."""
    first, second = (np.square(np.array(colour, np.float32)) for colour in (background.first, background.second))
    count = camera.shape[1]
    if background.kind == "plain":
        return np.tile(first, (count, 1))
    x, y = camera[:2].astype(np.float32)
    if background.kind == "gradient":
        angle = np.radians(background.angle)
        mix = smooth(-18.0, 18.0, np.asarray(x * np.cos(angle) + y * np.sin(angle), np.float32))
    else:
        rng = np.random.default_rng(background.seed)
        centres, widths = (
            rng.uniform(-16.0, 16.0, (7, 2)).astype(np.float32),
            rng.uniform(2.0, 6.0, 7).astype(np.float32),
        )
        total = np.zeros(count, np.float32)
        for (cx, cy), width in zip(centres, widths, strict=True):
            total += np.exp(-0.5 * (np.square((x - cx) / width) + np.square((y - cy) / width)))
        mix = np.minimum(total, 1.0)
    return np.asarray(first + mix[:, None] * (second - first), np.float32)
