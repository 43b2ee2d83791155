"""One person's head, and the same head with an expression, turned and placed before the camera."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from norface.synthetic.camera import rotation
from norface.synthetic.facekit.hair import curtain, thickness
from norface.synthetic.facekit.mesh import PARTS
from norface.synthetic.facekit.modes import gaze_weights, muscle_weights
from norface.synthetic.facekit.paint import SkinTexture, paint
from norface.synthetic.facekit.person import Person
from norface.synthetic.facekit.props import Solid, glasses, shoulders
from norface.synthetic.facekit.raster import Floats, Index
from norface.synthetic.facekit.rig import Rig, neck_share, unit
from norface.synthetic.factors import FaceFactors

CURTAIN, RIM, CLOTH = len(PARTS), len(PARTS) + 1, len(PARTS) + 2
"""Parts that are not of the model: long hair, rims of glasses, clothes."""

FIVE = ((36, 39), (42, 45), (30,), (48,), (54,))
"""The five points as means of the 68: centres of the eyes between their corners, nose tip, corners of the mouth."""

_INNER_LIPS = slice(60, 68)
_SHUT = 0.14
_PIVOT = np.array([0.0, -9.0, -2.5], np.float32)
_LEAN = (0.3, 0.2, 0.35)


@dataclass(frozen=True)
class Head:
    """What is fixed for one person.

    Args:
        rig: The model.
        person: Who.
        points: ``(V, 3)`` at rest: vertices of the model, then of hair and props.
        prop_normals: ``(3, V - N)``.
        neck: ``(V,)`` as `Rig.neck`.
        triangles: ``(3, T)`` of everything: the model's own, then the props'.
        corner_uv: ``(2, 3, T)``.
        part: ``(T,)``.
        texture: Of the skin.
    """

    rig: Rig
    person: Person
    points: Floats
    prop_normals: Floats
    neck: Floats
    triangles: Index
    corner_uv: Floats
    part: NDArray[np.uint8]
    texture: SkinTexture

    @classmethod
    def of(cls, rig: Rig, person: Person, own: Floats) -> Head:
        """Dress and paint one person (tens of milliseconds; keep it for all faces of that person).

        Args:
            rig: The model.
            person: Who.
            own: As `shaped` returns.
        """
        mesh = rig.mesh
        width = _width(own) / _width(mesh.neutral)
        lifted = thickness(person, mesh.neutral, rig.rest_normals.T, _curls(mesh.neutral, person))
        lifted *= np.isin(np.arange(len(own)), mesh.triangles[mesh.part <= 1])
        points = own + lifted[:, None] * rig.rest_normals.T
        hair_points, hair_normals, hair_triangles, hair_uv = curtain(person, width)
        solids: list[tuple[Solid, int]] = [((hair_points, hair_normals, hair_triangles), CURTAIN)]
        if person.glasses > 0.0:
            right, left = (own[eye].mean(0) for eye in rig.eyes)
            solids.append((glasses(left, right, person.glasses), RIM))
        solids.append((shoulders(), CLOTH))
        starts = len(own) + np.cumsum([0, *(len(solid[0]) for solid, _ in solids)])
        triangles = [mesh.triangles, *(solid[2] + np.int32(start)
                                       for (solid, _), start in zip(solids, starts, strict=False))]  # fmt: skip
        uv = [mesh.corner_uv, hair_uv, *(np.zeros((len(solid[2]), 3, 2), np.float32) for solid, _ in solids[1:])]
        part = [mesh.part, *(np.full(len(solid[2]), number, np.uint8) for solid, number in solids)]
        neck = [rig.neck, *(_prop_neck(solid[0], number) for solid, number in solids)]
        return cls(
            rig,
            person,
            np.concatenate([points, *(solid[0] for solid, _ in solids)]),
            np.ascontiguousarray(np.concatenate([solid[1] for solid, _ in solids]).T),
            np.concatenate(neck).astype(np.float32),
            np.ascontiguousarray(np.concatenate(triangles).T.astype(np.intp)),
            np.ascontiguousarray(np.concatenate(uv).astype(np.float32).transpose(2, 1, 0)),
            np.concatenate(part).astype(np.uint8),
            paint(rig.atlas, person),
        )


def shaped(rig: Rig, person: Person) -> Floats:
    """Vertices ``(N, 3)`` of one person at rest, without hair."""
    coefficients = np.array(person.shape, np.float32)[: len(rig.mesh.identity_modes)]
    if coefficients.size == 0:
        return rig.mesh.neutral.copy()
    modes = rig.identity_modes[: coefficients.size]
    return np.asarray(rig.mesh.neutral + (coefficients @ modes).reshape(-1, 3), np.float32)


def landmarks(rig: Rig, own: Floats, factors: FaceFactors) -> Floats:
    """The five points ``(5, 3)`` in camera axes.

    Args:
        rig: The model.
        own: As `shaped` returns.
        factors: Expression and pose.
    """
    muscles = muscle_weights(factors)
    weights = muscles | gaze_weights(factors, muscles)
    column = {name: k for k, name in enumerate(rig.mesh.expression_names)}
    vertices = rig.mesh.landmarks[[k for group in FIVE for k in group]]
    used = np.array([column[name] for name in weights], np.int64)  # may be none
    shift = np.tensordot(
        np.array(list(weights.values()), np.float32), rig.mesh.expression_modes[np.ix_(used, vertices)], 1
    )
    moved = own[vertices] + shift
    ends = np.cumsum([0, *(len(group) for group in FIVE)])
    points = np.stack([moved[a:b].mean(0) for a, b in pairwise(ends)])
    return np.asarray(points @ rotation(factors.yaw, factors.pitch, factors.roll).T, np.float32)


@dataclass(frozen=True)
class Posed:
    """A head before the camera: x right, y up, z towards the viewer, in units.

    Args:
        points, normals: ``(3, V)``.
        drawn: ``(D,)`` indices of the triangles worth drawing.
        two_sided: How many of `drawn`, from the end, are seen from both sides.
        lips_depth: Of the inner lips.
    """

    points: Floats
    normals: Floats
    drawn: Index
    two_sided: int
    lips_depth: float


def posed(head: Head, factors: FaceFactors) -> Posed:
    """Move a head's muscles, eyes and neck, and turn it."""
    rig, count = head.rig, len(head.rig.mesh.neutral)
    points = head.points.copy()
    muscles = muscle_weights(factors)
    points[:count] += rig.expression(muscles)
    rig.add(points, gaze_weights(factors, muscles))
    gaze = rotation(factors.gaze[0], factors.gaze[1], 0.0).astype(np.float32)
    for eye in rig.eyes:
        centre = points[eye].mean(0)
        points[eye] = centre + (points[eye] - centre) @ gaze.T
    turned = rotation(factors.yaw, factors.pitch, factors.roll).astype(np.float32)
    seen = _turned(points, head.neck, factors, turned)
    normals = np.concatenate([rig.normals(seen[:, :count], turned), turned @ head.prop_normals], axis=1)
    lips = rig.mesh.landmarks[_INNER_LIPS]
    props = np.arange(len(rig.mesh.triangles), head.part.size)
    inside = _open_mouth(head, points[lips], seen, seen[:, lips])
    return Posed(
        seen,
        normals,
        np.concatenate([rig.turned_here(turned[2]), inside, props]),
        props.size,
        float(seen[2, lips].mean()),
    )


def _turned(points: Floats, neck: Floats, factors: FaceFactors, turned: Floats) -> Floats:
    """Points ``(V, 3)`` of the head's axes -> ``(3, V)`` of the camera's."""
    angles = (factors.yaw, factors.pitch, factors.roll)
    body = rotation(*(share * angle for share, angle in zip(_LEAN, angles, strict=True))).astype(np.float32)
    seen = turned @ points.T
    low = np.flatnonzero(neck)
    by_body = body @ (points[low] - _PIVOT).T + (turned @ _PIVOT)[:, None]
    seen[:, low] += neck[low] * (by_body - seen[:, low])
    return np.asarray(seen, np.float32)


def _open_mouth(head: Head, lips: Floats, seen: Floats, seen_lips: Floats) -> Index:
    """Triangles inside the mouth that could be seen through its opening."""
    if (lips[1:4, 1] - lips[7:4:-1, 1]).max() < _SHUT:
        return np.zeros(0, np.intp)
    inner = head.rig.inner
    first = seen[:2, head.triangles[0, inner]]
    margin = np.float32(0.5)
    low, high = seen_lips[:2].min(1, keepdims=True) - margin, seen_lips[:2].max(1, keepdims=True) + margin
    return np.asarray(inner[((first > low) & (first < high)).all(0)], np.intp)


def _width(points: Floats) -> float:
    """Half the width of the skull at the temples."""
    temples = (np.abs(points[:, 0]) > 4.0) & (points[:, 1] > 4.0) & (points[:, 1] < 9.0) & (points[:, 2] < 4.0)
    return float(np.abs(points[temples, 0]).mean()) if temples.any() else 1.0


def _curls(rest: Floats, person: Person) -> Floats:
    """Bumps of the hair ``(N,)``: waves in three directions, of a phase that is the person's own."""
    rng = np.random.default_rng([person.skin_seed, 2])
    total = np.zeros(len(rest), np.float32)
    for length in (1.2, 1.9, 3.0, 4.6):
        direction = unit(rng.standard_normal((3, 1)).astype(np.float32))[:, 0]
        phase = np.float32(rng.uniform(0.0, 6.28))
        total += np.sin(rest @ direction * np.float32(6.28 / length) + phase) * np.float32(0.35 * length**0.5)
    return total


def _prop_neck(points: Floats, part: int) -> Floats:
    if part == CLOTH:
        return np.ones(len(points), np.float32)
    if part == RIM:
        return np.zeros(len(points), np.float32)
    return np.asarray(0.7 * neck_share(points), np.float32)
