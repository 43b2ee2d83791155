"""A face model of a thousand vertices in the layout of ICT-FaceKit: packed arrays, or a folder of OBJ files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from norface.synthetic.facekit.mesh import PARTS
from norface.synthetic.facekit.modes import NEEDED
from norface.synthetic.facekit.obj import Layout

Arrays = dict[str, NDArray[Any]]
Patch = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]

EYE = np.array([3.1, 3.5, 8.0])
IDENTITIES = 4
# Height, distance from the midline and size of what an expression mode moves.
_PLACES = {"brow": (6.0, 3.0, 1.5), "eye": (3.5, 3.1, 1.2), "cheek": (0.5, 4.5, 1.8), "nose": (0.5, 0.8, 1.2),
           "jaw": (-7.0, 0.0, 3.0), "mouth": (-3.5, 1.5, 1.6)}  # fmt: skip


def _grid(points: NDArray[np.float64], uv: NDArray[np.float64]) -> Patch:
    """A surface of rows (upwards) and columns (to the subject's left), seen from the front."""
    rows, columns = points.shape[:2]
    corner = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = corner[:-1, :-1].ravel(), corner[:-1, 1:].ravel(), corner[1:, 1:].ravel(), corner[1:, :-1].ravel()
    return points.reshape(-1, 3), uv.reshape(-1, 2), np.stack([a, b, c, d], 1)


def _half_head(side: int, *, front: bool) -> Patch:
    v, u = np.meshgrid(np.linspace(0.0, 1.0, side), np.linspace(0.0, 1.0, side), indexing="ij")
    around = (u - 0.5) * np.pi
    y = -16.0 + 29.0 * v
    wide = np.sqrt(np.clip(1.0 - ((y + 1.0) / 16.0) ** 2, 0.05, 1.0))
    x, z = 8.5 * wide * np.sin(around), 11.0 * wide * np.cos(around)
    if front:
        off = np.hypot(np.abs(x) - EYE[0], (y - EYE[1]) * 1.6)
        z = z - 2.5 * np.exp(-((off / 1.2) ** 4))  # hollows, out of which the eyeballs look
        z = z + 2.0 * np.exp(-((x / 0.8) ** 2) - ((y - 0.5) / 1.2) ** 2)
        return _grid(np.stack([x, y, z], -1), np.stack([u, v], -1))
    return _grid(np.stack([-x, y, -0.9 * z], -1), np.stack([1.0 + u, v], -1))


def _ball(centre: NDArray[np.float64]) -> Patch:
    v, u = np.meshgrid(np.linspace(-0.5, 0.5, 9), np.linspace(-1.0, 1.0, 13), indexing="ij")
    direction = np.stack(
        [np.cos(np.pi * v) * np.sin(np.pi * u), np.sin(np.pi * v), np.cos(np.pi * v) * np.cos(np.pi * u)], -1
    )
    return _grid(centre + 1.5 * direction, np.stack([0.5 + 0.5 * u, 0.5 + v], -1))


def _plate(x: float, y: float, z: float, size: float) -> Patch:
    v, u = np.meshgrid(np.linspace(-1.0, 1.0, 3), np.linspace(-1.0, 1.0, 3), indexing="ij")
    return _grid(
        np.stack([x + size * u, y + 0.5 * size * v, np.full_like(u, z)], -1), np.stack([1.1 + 0 * u, 0.8 + 0 * v], -1)
    )


def _landmark_places() -> NDArray[np.float64]:
    """Where the 68 Multi-PIE landmarks lie, (x, y)."""
    turn = np.linspace(np.pi, 2.0 * np.pi, 17)
    jaw = np.stack([7.4 * np.cos(turn), 3.5 + 11.0 * np.sin(turn)], 1)
    brow = np.stack([np.linspace(-5.8, -1.2, 5), [5.2, 6.0, 6.3, 6.2, 5.9]], 1)
    nose = np.array(
        [[0, 3.7], [0, 2.6], [0, 1.6], [0, 0.4], [-1.2, -1.1], [-0.6, -1.1], [0, -1.2], [0.6, -1.1], [1.2, -1.1]]
    )
    turn = np.radians([180, 120, 60, 0, -60, -120])
    right, left = (np.stack([x + 1.4 * np.cos(turn), 3.5 + 0.6 * np.sin(turn)], 1) for x in (-3.1, 3.1))
    outer, inner = (np.radians(180.0 - 360.0 * np.arange(n) / n) for n in (12, 8))
    lips = [np.stack([w * np.cos(t), -3.5 + h * np.sin(t)], 1) for t, w, h in ((outer, 2.5, 0.9), (inner, 2.2, 0.05))]
    return np.concatenate([jaw, brow, brow[::-1] * (-1, 1), nose, right, left, *lips])


def _patches() -> dict[str, Patch]:
    right = EYE * (-1, 1, 1)
    return {
        "face": _half_head(29, front=True), "head": _half_head(11, front=False), "mouth": _plate(0.0, -3.5, 5.0, 2.5),
        "socketL": _plate(3.1, 3.5, 6.0, 0.5), "socketR": _plate(-3.1, 3.5, 6.0, 0.5),
        "gums": _plate(0.0, -3.2, 7.0, 1.8),
        "teethU": _plate(0.0, -3.0, 9.0, 1.6), "teethD": _plate(0.0, -4.2, 9.0, 1.6),
        "eyeL": _ball(EYE), "eyeR": _ball(right),
        "lashL": _plate(3.1, 3.9, 9.0, 0.3), "lashR": _plate(-3.1, 3.9, 9.0, 0.3),
    }  # fmt: skip


def _expression(name: str, points: NDArray[np.float64], eyes: NDArray[np.bool_]) -> NDArray[np.float64]:
    height, across, size = next(place for stem, place in _PLACES.items() if name.startswith(stem))
    x = points[:, 0] * (-1.0 if name.endswith("_R") else 1.0)
    sided = name.endswith(("_L", "_R"))
    distance = np.hypot((x if sided else np.abs(x)) - across, points[:, 1] - height)
    shift = np.exp(-((distance / size) ** 2)) * (points[:, 2] > 0.0) * ~eyes
    angle = 2.4 * (sorted(NEEDED).index(name) if name in NEEDED else 0)
    away = np.array([0.3 * np.cos(angle), -1.0 if name == "jawOpen" else np.sin(angle), 0.6 * np.cos(angle)])
    return np.asarray(shift[:, None] * away * (2.5 if name == "jawOpen" else 0.9), np.float64)


def small_arrays() -> tuple[Arrays, NDArray[np.int64]]:
    """The packed arrays, and the polygons of four corners that the triangles come from."""
    patches = _patches()
    starts = np.cumsum([0, *(len(patch[0]) for patch in patches.values())])
    points = np.concatenate([patch[0] for patch in patches.values()])
    uv = np.concatenate([patch[1] for patch in patches.values()])
    quads = np.concatenate([patch[2] + start for patch, start in zip(patches.values(), starts, strict=False)])
    part = np.concatenate([np.full(len(patch[2]), PARTS.index(name)) for name, patch in patches.items()])
    triangles = quads[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)
    face = points[: starts[1]]
    near = [int(np.hypot(*(face[:, :2] - place).T).argmin()) for place in _landmark_places()]
    eyes = (np.arange(len(points)) >= starts[8]) & (np.arange(len(points)) < starts[10])
    names = sorted(NEEDED | {"jawLeft"})
    rng = np.random.default_rng(1)
    identity = 0.25 * points * rng.uniform(-0.2, 0.2, (IDENTITIES, 1, 3))
    arrays: Arrays = {
        "neutral": points.astype(np.float32),
        "id_modes": identity.astype(np.float16),
        "ex_modes": np.stack([_expression(name, points, eyes) for name in names]).astype(np.float16),
        "ex_names": np.array(names),
        "uv": uv.astype(np.float32),
        "tri": triangles.astype(np.int32),
        "tri_uv": triangles.astype(np.int32),
        "tri_part": np.repeat(part, 2).astype(np.uint8),
        "part_names": np.array(PARTS),
        "lmk68": np.array(near, np.int32),
    }
    return arrays, quads


def write_packed(path: Path, **changes: Any) -> Path:
    """An ``.npz``; arrays can be replaced, or left out with None."""
    arrays = small_arrays()[0] | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def small_layout() -> Layout:
    """What `write_folder` writes is laid out like this."""
    arrays = small_arrays()[0]
    starts = np.cumsum([0, *(len(patch[0]) for patch in _patches().values())])
    ranges = {name: (int(a), int(b)) for name, a, b in zip(PARTS, starts, starts[1:], strict=False)}
    return Layout(len(arrays["neutral"]), ranges, tuple(int(k) for k in arrays["lmk68"]))


def write_folder(folder: Path) -> Path:
    """A folder like the owner's: the mean person with its polygons, and one file of vertices for every mode."""
    arrays, quads = small_arrays()
    folder.mkdir(parents=True)
    points = arrays["neutral"].astype(np.float64)
    faces = [f"f {' '.join(f'{k + 1}/{k + 1}' for k in quad)}" for quad in quads.tolist()]
    texture = [f"vt {u:.6f} {v:.6f}" for u, v in arrays["uv"].tolist()]
    (folder / "generic_neutral_mesh.obj").write_text("\n".join([_lines(points), *texture, *faces, ""]))
    shifts = {f"identity{k:03d}": mode for k, mode in enumerate(arrays["id_modes"])}
    shifts |= dict(zip(arrays["ex_names"].tolist(), arrays["ex_modes"], strict=True))
    for name, shift in shifts.items():
        (folder / f"{name}.obj").write_text(_lines(points + shift) + "\n")
    return folder


def _lines(points: NDArray[np.float64]) -> str:
    return "\n".join(f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in points.tolist())
