"""What a head wears and stands on, as small meshes: rims of glasses, and shoulders in clothes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from norface.synthetic.facekit.raster import Floats

Solid = tuple[Floats, Floats, NDArray[np.int32]]
"""Vertices ``(V, 3)``, unit normals ``(V, 3)``, triangles ``(T, 3)``."""

_RING, _ROUND = 30, 6


def rim_outline(eye: Floats, sign: int) -> Floats:
    """Middle line ``(30, 3)`` of one rim around an eye's centre; `sign` is 1 for the subject's left."""
    turn = np.linspace(0.0, 2.0 * np.pi, _RING, endpoint=False)
    across, up = np.cos(turn), np.sin(turn)
    # A superellipse: between a circle and a rectangle.
    power = 0.72
    x = 2.4 * np.sign(across) * np.abs(across) ** power
    y = 1.75 * np.sign(up) * np.abs(up) ** power - 0.25
    outwards = sign * x
    z = 2.75 - 0.06 * (outwards + 2.4) - 0.05 * np.square(np.maximum(outwards, 0.0)) - 0.06 * y
    return np.asarray(np.stack([eye[0] + x + 0.1 * sign, eye[1] + y, eye[2] + z], axis=1), np.float32)


def glasses(left_eye: Floats, right_eye: Floats, rim: float) -> Solid:
    """Rims, bridge and temples.

    Args:
        left_eye, right_eye: ``(3,)`` centres of the eyeballs.
        rim: Thickness relative to the usual one.
    """
    radius = 0.13 * rim
    left, right = rim_outline(left_eye, 1), rim_outline(right_eye, -1)
    t = np.linspace(0.0, 1.0, 7)[:, None]
    inner_left, inner_right = left[_RING // 2 - 1], right[0] + (right[1] - right[0]) * 1.0
    bridge = inner_right + (inner_left - inner_right) * t + np.sin(np.pi * t) * np.array([0.0, 0.3, 0.35])
    arms = []
    for outline, hinge, sign in ((left, 2, 1.0), (right, _RING // 2 - 2, -1.0)):
        start = outline[hinge]
        end = np.array([start[0] + 2.6 * sign, start[1] - 0.4, 0.5])
        arms.append(start + (end - start) * t)
    tubes = [_tube(left, radius, closed=True), _tube(right, radius, closed=True), _tube(bridge, radius, closed=False)]
    return joined([*tubes, *(_tube(arm, radius, closed=False) for arm in arms)])


def shoulders() -> Solid:
    """An ellipsoid of clothes below the neck."""
    longitude = np.linspace(0.0, 2.0 * np.pi, 33)
    latitude = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 15)
    up, around = np.meshgrid(latitude, longitude, indexing="ij")
    direction = np.stack([np.cos(up) * np.sin(around), np.sin(up), np.cos(up) * np.cos(around)], axis=-1)
    axes, centre = np.array([20.0, 13.5, 9.0]), np.array([0.0, -27.5, -3.5])
    normal = direction / axes
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return _grid((direction * axes + centre), normal)


def joined(solids: list[Solid]) -> Solid:
    """Several meshes as one."""
    starts = np.cumsum([0, *(len(points) for points, _, _ in solids)])
    triangles = [mesh + start for (_, _, mesh), start in zip(solids, starts, strict=False)]
    points, normals = (np.concatenate([solid[k] for solid in solids]) for k in range(2))
    return points.astype(np.float32), normals.astype(np.float32), np.concatenate(triangles).astype(np.int32)


def _tube(course: NDArray[np.floating], radius: float, *, closed: bool) -> Solid:
    course = np.concatenate([course, course[:1]]) if closed else course
    ahead = np.gradient(course.astype(np.float64), axis=0)
    if closed:
        ahead[0] = ahead[-1] = course[1] - course[-2]
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    side = np.cross(ahead, [0.0, 0.15, 1.0])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(side, ahead)
    turn = np.linspace(0.0, 2.0 * np.pi, _ROUND + 1)[None, :, None]
    normal = np.cos(turn) * side[:, None] + np.sin(turn) * up[:, None]
    return _grid(course[:, None] + radius * normal, normal)


def _grid(points: NDArray[np.floating], normals: NDArray[np.floating]) -> Solid:
    """A surface ``(R, C, 3)`` of rows and columns."""
    rows, columns = points.shape[:2]
    corner = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = corner[:-1, :-1].ravel(), corner[:-1, 1:].ravel(), corner[1:, 1:].ravel(), corner[1:, :-1].ravel()
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    flat = points.reshape(-1, 3).astype(np.float32), normals.reshape(-1, 3).astype(np.float32)
    return flat[0], flat[1], triangles.astype(np.int32)
