"""The skin's texture as a list of texels that know where on the resting face they lie."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from norface.synthetic.facekit.mesh import FaceMesh
from norface.synthetic.facekit.raster import Floats, Index, rasterise

SKIN_PARTS = (0, 1, 3, 4)
"""Face, head and the two eye sockets share the texture."""

_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)
_LIPS = slice(48, 60)
_FAR = 50.0


@dataclass(frozen=True)
class Atlas:
    """Texture of ``side`` rows and ``2 * side`` columns: the face, then the rest of the skin. n texels show something.

    Args:
        side: Rows of the texture.
        texel: ``(n,)`` row-major indices of the texels that show something.
        nearest: ``(side, 2 * side)`` for every texel the nearest one that does, as a position in `texel`.
        x, y, z: ``(n,)`` where a texel lies on the mean person at rest.
        lips: ``(n,)`` 0..1.
        lids: ``(n,)`` distance from the edge of the eyelids, positive outside the eye.
        brow: ``(2, m)`` course of the resting brow: distance from the midline, ascending, and height.
    """

    side: int
    texel: Index
    nearest: Index
    x: Floats
    y: Floats
    z: Floats
    lips: Floats
    lids: Floats
    brow: NDArray[np.float64]

    @classmethod
    def of(cls, mesh: FaceMesh, side: int) -> Atlas:
        """Lay out the texture of a mesh."""
        skin = np.isin(mesh.part, SKIN_PARTS)
        uv, corners = mesh.corner_uv[skin], mesh.triangles[skin].T.astype(np.intp)
        flat = np.zeros((3, uv.shape[0] * 3), np.float32)
        flat[:2] = _places(uv.reshape(-1, 2), side).T
        texels = rasterise(flat, np.arange(flat.shape[1]).reshape(-1, 3).T, 2 * side)
        shown = texels.pixel < 2 * side * side
        place = texels.interpolate(corners, np.ascontiguousarray(mesh.neutral.T)).T[shown]
        texel = texels.pixel[shown]
        marks = _places(_vertex_uv(mesh)[mesh.landmarks], side)
        brow = mesh.neutral[mesh.landmarks[17:27]].astype(np.float64)
        across = np.abs(brow[:, 0]).reshape(2, 5)
        course = np.stack([0.5 * (across[0, ::-1] + across[1]), 0.5 * (brow[4::-1, 1] + brow[5:, 1])])
        x, y, z = np.ascontiguousarray(place.T)
        return cls(
            side=side,
            texel=texel,
            nearest=_nearest(texel, side),
            x=x,
            y=y,
            z=z,
            lips=_filled([marks[_LIPS]], side, blur=side / 200.0).ravel()[texel],
            lids=_lid_distance(marks, place, texel, side),
            brow=course[:, np.argsort(course[0])],
        )

    def spread(self, values: Floats) -> Floats:
        """Values ``(n, ...)`` of texels -> texture ``(side, 2 * side, ...)`` without holes at the seams."""
        return np.asarray(values[self.nearest], np.float32)


def _places(uv: Floats, side: int) -> Floats:
    """Columns and rows in the texture; the first texel's centre is at 0."""
    return np.asarray(np.column_stack([uv[:, 0] * side - 0.5, (1.0 - uv[:, 1]) * side - 0.5]), np.float32)


def _vertex_uv(mesh: FaceMesh) -> Floats:
    """Texture coordinates of the vertices of the face ``(N, 2)``."""
    uv = np.zeros((len(mesh.neutral), 2), np.float32)
    face = mesh.part == 0
    uv[mesh.triangles[face].ravel()] = mesh.corner_uv[face].reshape(-1, 2)
    return uv


def _nearest(texel: Index, side: int) -> Index:
    empty = np.ones((side, 2 * side), np.uint8)
    empty.ravel()[texel] = 0
    if empty.all():
        return np.zeros((side, 2 * side), np.intp)
    _, labels = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    position = np.zeros(int(labels.max()) + 1, np.intp)
    position[labels.ravel()[texel]] = np.arange(texel.size)
    return np.asarray(position[labels], np.intp)


def _smooth_outline(points: Floats) -> Floats:
    """A closed Catmull-Rom curve through the points."""
    before, after, beyond = np.roll(points, 1, 0), np.roll(points, -1, 0), np.roll(points, -2, 0)
    t = np.linspace(0.0, 1.0, 8, endpoint=False)[None, :, None]
    p0, p1, p2, p3 = (p[:, None] for p in (before, points, after, beyond))
    curve = 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
    return np.asarray(curve.reshape(-1, 2), np.float32)


def _filled(outlines: list[Floats], side: int, *, blur: float) -> Floats:
    """Mask 0..1 ``(side, 2 * side)`` of closed outlines."""
    mask = np.zeros((side, 2 * side), np.uint8)
    for outline in outlines:
        cv2.fillPoly(mask, [np.round(_smooth_outline(outline) * 16.0).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    soft = cv2.GaussianBlur(mask, (0, 0), blur) if blur > 0.0 else mask
    return np.asarray(soft, np.float32) / np.float32(255.0)


def _lid_distance(marks: Floats, place: Floats, texel: Index, side: int) -> Floats:
    inside = _filled([marks[_RIGHT_EYE], marks[_LEFT_EYE]], side, blur=0.0) > 0.5
    distance = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(distance.ravel()[texel] * _texel_size(place, texel, side), np.float32)


def _texel_size(place: Floats, texel: Index, side: int) -> float:
    """Length of a texel of the face; its middle value, as the layout stretches little."""
    neighbours = np.flatnonzero((np.diff(texel) == 1) & (texel[:-1] % (2 * side) < side - 1))
    if neighbours.size == 0:
        return _FAR / side
    step = place[neighbours + 1] - place[neighbours]
    return float(np.median(np.sqrt((step * step).sum(1))))
