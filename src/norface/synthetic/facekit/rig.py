"""What is computed once for a face model: how its modes, eyes, neck and normals move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from norface.errors import AssetError
from norface.synthetic.facekit.atlas import SKIN_PARTS, Atlas
from norface.synthetic.facekit.mesh import PARTS, FaceMesh
from norface.synthetic.facekit.modes import NEEDED
from norface.synthetic.facekit.raster import Floats, Index
from norface.synthetic.facekit.wrinkles import Folds
from norface.synthetic.skin import smooth

_EYES = (PARTS.index("eyeR"), PARTS.index("eyeL"))
_INSIDE = tuple(PARTS.index(name) for name in ("mouth", "gums", "teethU", "teethD"))
_DOUBT = 0.5  # cosine: no person and no expression turns a triangle by more than 30 degrees away from the mean person's
_STILL = 2e-3  # shifts below 20 micrometres


@dataclass(frozen=True)
class Rig:
    """A mesh that is ready to move.

    Args:
        mesh: The model.
        side: Rows of the skin's texture.
        where: The model's file, for messages.

    Raises:
        AssetError: The model lacks an expression mode that action units need, or a part of the head.
    """

    mesh: FaceMesh
    side: int
    where: str = "face model"

    def __post_init__(self) -> None:
        missing = sorted(NEEDED - set(self.mesh.expression_names))
        missing += [name for name in ("face", "eyeL", "eyeR") if not (self.mesh.part == PARTS.index(name)).any()]
        if missing:
            raise AssetError(
                expected="every expression mode that action units move, a face and two eyes",
                found=f"none named {', '.join(missing)}"[:300],
                where=self.where,
                action="Use ICT-FaceKit's own files, all of them.",
            )

    @cached_property
    def atlas(self) -> Atlas:
        """The texture's layout."""
        return Atlas.of(self.mesh, self.side)

    @cached_property
    def folds(self) -> Folds:
        """Wrinkles of muscles at work."""
        return Folds.of(self.atlas)

    @cached_property
    def outer(self) -> Index:
        """Indices of the triangles of skin and eyes."""
        return np.flatnonzero(np.isin(self.mesh.part, (*SKIN_PARTS, *_EYES)))

    def turned_here(self, toward: Floats) -> Index:
        """Those of `outer` that can turn their front to a viewer in this direction ``(3,)`` in the head's axes."""
        return self.outer[toward @ self._outer_normals > -_DOUBT]

    @cached_property
    def _outer_normals(self) -> Floats:
        corner = self.mesh.neutral.T[:, self.mesh.triangles[self.outer].T]
        return unit(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0], axis=0).astype(np.float32))

    @cached_property
    def inner(self) -> Index:
        """Indices of the triangles inside the mouth."""
        return np.flatnonzero(np.isin(self.mesh.part, _INSIDE))

    @cached_property
    def identity_modes(self) -> Floats:
        """``(K, 3 N)``, ready to be multiplied."""
        modes = self.mesh.identity_modes
        return np.asarray(modes.reshape(len(modes), -1), np.float32)

    @cached_property
    def modes(self) -> dict[str, tuple[Index, Floats]]:
        """Name -> the vertices that a mode moves, and how far."""
        found = {}
        used = np.zeros(len(self.mesh.neutral), bool)
        used[self.mesh.triangles[np.concatenate([self.outer, self.inner])]] = True
        for name, mode in zip(self.mesh.expression_names, self.mesh.expression_modes, strict=True):
            moved = np.flatnonzero((np.abs(mode).max(1) > _STILL) & used)
            found[name] = (moved, np.ascontiguousarray(mode[moved]))
        return found

    @cached_property
    def _moved(self) -> Callable[[tuple[tuple[str, float], ...]], Floats]:
        # A face and its true normalized face show the same expression, one after the other.
        @lru_cache(maxsize=1)
        def moved(weights: tuple[tuple[str, float], ...]) -> Floats:
            shift = np.zeros_like(self.mesh.neutral)
            self.add(shift, dict(weights))
            return shift

        return moved

    def expression(self, weights: dict[str, float]) -> Floats:
        """Shifts ``(N, 3)`` of modes with weights; not to be changed."""
        return self._moved(tuple(weights.items()))

    def add(self, points: Floats, weights: dict[str, float]) -> None:
        """Shift points ``(V, 3)``, of which the first N are the mesh's, by modes with weights."""
        for name, weight in weights.items():
            moved, shift = self.modes[name]
            points[moved] += np.float32(weight) * shift

    @cached_property
    def eyes(self) -> tuple[Index, Index]:
        """Vertices of the subject's right and left eyeball."""
        right, left = (np.unique(self.mesh.triangles[self.mesh.part == part]) for part in _EYES)
        return right.astype(np.intp), left.astype(np.intp)

    @cached_property
    def gaze_place(self) -> Floats:
        """``(3, N)``: direction from the eyeball's centre for its vertices at rest, 0 elsewhere."""
        place = np.zeros((3, len(self.mesh.neutral)), np.float32)
        for eye in self.eyes:
            place[:, eye] = unit((self.mesh.neutral[eye] - self.mesh.neutral[eye].mean(0)).T)
        return place

    @cached_property
    def neck(self) -> Floats:
        """``(N,)``: 0 follows the head, 1 the body."""
        return neck_share(self.mesh.neutral)

    @cached_property
    def rest_normals(self) -> Floats:
        """``(3, N)`` of the mean person at rest."""
        points = np.ascontiguousarray(self.mesh.neutral.T)
        normals = np.zeros_like(points)
        _Normals(self.mesh.triangles).put(points, normals)
        return normals

    @cached_property
    def _skin_normals(self) -> _Normals:
        return _Normals(self.mesh.triangles[np.isin(self.mesh.part, SKIN_PARTS)])

    def normals(self, points: Floats, turned: Floats) -> Floats:
        """Normals ``(3, N)`` of a mesh before the camera ``(3, N)``; `turned` is the rotation of the head.

        What lies inside the mouth keeps the normals it has at rest.
        """
        normals = turned @ self.rest_normals
        self._skin_normals.put(points, normals)
        for eye in self.eyes:
            normals[:, eye] = unit(points[:, eye] - points[:, eye].mean(1, keepdims=True))
        return normals


class _Normals:
    """Vertex normals, as means of the triangles around, weighted by area."""

    def __init__(self, triangles: NDArray[np.int32]) -> None:
        self._corners = np.ascontiguousarray(triangles.T.astype(np.intp))
        corners = triangles.ravel()
        order = np.argsort(corners, kind="stable")
        self._of = order // 3
        self._vertices, self._starts = np.unique(corners[order], return_index=True)

    def put(self, points: Floats, normals: Floats) -> None:
        """Overwrite `normals` ``(3, N)`` of the vertices that these triangles have."""
        corner = points[:, self._corners]
        u, v = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
        total = np.empty((3, self._vertices.size), np.float32)
        for k in range(3):
            i, j = (k + 1) % 3, (k + 2) % 3
            total[k] = np.add.reduceat((u[i] * v[j] - u[j] * v[i])[self._of], self._starts)
        normals[:, self._vertices] = unit(total)


def unit(vectors: Floats) -> Floats:
    """Vectors ``(3, N)`` of length 1; those of length 0 stay."""
    length = np.sqrt(vectors[0] * vectors[0] + vectors[1] * vectors[1] + vectors[2] * vectors[2])
    return np.asarray(vectors / np.maximum(length, np.float32(1e-12)), np.float32)


def neck_share(points: Floats) -> Floats:
    """How much the body, not the head, moves points at rest: 0 at the jaw, 1 at the collar."""
    limit = np.float32(-6.0) - np.float32(0.4) * points[:, 2].clip(-6.0, 12.0)
    return smooth(0.0, 7.0, limit - points[:, 1])
