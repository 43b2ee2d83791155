"""The owner's FaceXModel folder: one OBJ file for the mean person, and one for every mode."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from norface.errors import AssetError, OutputError
from norface.imaging.archives import cache_folder
from norface.imaging.files import write_atomically
from norface.synthetic.facekit.mesh import PARTS, FaceMesh, from_arrays, read_packed
from norface.synthetic.facekit.modes import NEEDED

NEUTRAL_FILE = "generic_neutral_mesh.obj"
_IDENTITY = re.compile(r"identity(\d{3})\.obj")
_PACKING_VERSION = 1


@dataclass(frozen=True)
class Layout:
    """Which vertices of the OBJ files are what; the owner documents it in the README.

    Args:
        vertices: How many there are.
        ranges: Part -> first vertex and the one after the last.
        landmarks: Vertices of the 68 Multi-PIE landmarks.
    """

    vertices: int
    ranges: dict[str, tuple[int, int]]
    landmarks: tuple[int, ...]


# The molars, irises, lacrimal fluid and the meshes that blend the eyes with the lids are left out: nobody sees them.
OWNERS_LAYOUT = Layout(
    vertices=26719,
    ranges={
        "face": (0, 9409),
        "head": (9409, 11248),
        "mouth": (11248, 13294),
        "socketL": (13294, 13678),
        "socketR": (13678, 14062),
        "gums": (14062, 17039),
        "teethU": (17607, 18679),
        "teethD": (19814, 20884),
        "eyeL": (21451, 22221),
        "eyeR": (23021, 23791),
        "lashL": (25351, 26035),
        "lashR": (26035, 26719),
    },
    landmarks=(
        1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088, 3443, 268, 493,
        1914, 2044, 1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360, 1507, 1542,
        1537, 1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732, 5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461,
        5518, 5957, 5841, 5702, 5711, 5533, 6216, 6207, 6470, 5517, 5966,
    ),
)  # fmt: skip


def read_folder(folder: Path, layout: Layout = OWNERS_LAYOUT) -> FaceMesh:
    """Read the OBJ files of a folder, or what an earlier call has packed of them.

    The packed file lies in norface's cache folder (`norface.imaging.archives.cache_folder`) and is made again when a
    file of the folder changes.

    Raises:
        AssetError: A file is missing, truncated, or of another layout.
    """
    kept = _kept(folder, layout)
    if kept is not None and kept.is_file():
        try:
            return read_packed(kept)
        except AssetError:
            kept.unlink(missing_ok=True)  # an interrupted disk, an older version
    arrays = pack(folder, layout)
    mesh = from_arrays(arrays, where=str(folder))
    if kept is not None:
        buffer = BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]  # its stub takes the arrays for allow_pickle
        with suppress(OutputError):  # only slower next time
            write_atomically(kept, buffer.getvalue())
    return mesh


def pack(folder: Path, layout: Layout = OWNERS_LAYOUT) -> dict[str, NDArray[np.generic]]:
    """Arrays of a packed model, as `norface.synthetic.facekit.mesh.read_packed` reads them, from the OBJ files.

    Raises:
        AssetError: As of `read_folder`.
    """
    neutral, corners, uv, polygons = _read_mesh(folder / NEUTRAL_FILE)
    _check_count(neutral, layout.vertices, folder / NEUTRAL_FILE)
    part_of = np.full(layout.vertices, -1, np.int64)
    for number, name in enumerate(PARTS):
        first, end = layout.ranges[name]
        part_of[first:end] = number
    # Polygons at a border use vertices of the face: they belong to what begins there.
    kept_polygons = (part_of[polygons] >= 0).all(1)
    tri, tri_uv = polygons[kept_polygons], corners[kept_polygons]
    part = part_of[tri].max(1)
    order = np.argsort(part, kind="stable")
    kept = np.flatnonzero(part_of >= 0)
    renumbered = np.full(layout.vertices, -1, np.int64)
    renumbered[kept] = np.arange(kept.size)
    identities = sorted(path for path in folder.glob("identity*.obj") if _IDENTITY.fullmatch(path.name))
    if not identities:
        raise _wrong("identity000.obj and more", "none", folder)
    expressions = _expressions(folder)

    def modes(paths: list[Path]) -> NDArray[np.float16]:
        return np.stack([_shift(path, neutral, kept) for path in paths])

    return {
        "neutral": neutral[kept].astype(np.float32),
        "id_modes": modes(identities),
        "ex_modes": modes(expressions),
        "ex_names": np.array([path.stem for path in expressions]),
        "uv": uv.astype(np.float32),
        "tri": renumbered[tri[order]].astype(np.int32),
        "tri_uv": tri_uv[order].astype(np.int32),
        "tri_part": part[order].astype(np.uint8),
        "part_names": np.array(PARTS),
        "lmk68": renumbered[list(layout.landmarks)].astype(np.int32),
    }


def _expressions(folder: Path) -> list[Path]:
    found = [
        path
        for path in sorted(folder.glob("*.obj"))
        if path.name != NEUTRAL_FILE and not _IDENTITY.fullmatch(path.name)
    ]
    missing = sorted(NEEDED - {path.stem for path in found})
    if missing:
        raise _wrong("an OBJ file for every expression", f"none for {', '.join(missing)}"[:300], folder)
    return [path for path in found if re.match(r"brow|cheek|eye|jaw|mouth|nose", path.stem)]


def _shift(path: Path, neutral: NDArray[np.float64], kept: NDArray[np.intp]) -> NDArray[np.float16]:
    points = _vertices(path, _read(path))
    _check_count(points, len(neutral), path)
    return (points - neutral)[kept].astype(np.float16)


def _read(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\n")
    except OSError as error:
        raise _wrong("a readable OBJ file", error.strerror or "an unreadable one", path) from error


def _vertices(path: Path, lines: list[bytes]) -> NDArray[np.float64]:
    return _numbers(path, [line[2:] for line in lines if line.startswith(b"v ")], 3)


def _numbers(path: Path, lines: list[bytes], width: int) -> NDArray[np.float64]:
    try:
        table = np.array(b" ".join(lines).split(), np.float64).reshape(-1, width)
    except ValueError as error:
        raise _wrong(f"lines of {width} numbers", str(error)[:200], path) from error
    if len(table) != len(lines) or not np.isfinite(table).all():
        raise _wrong(f"lines of {width} finite numbers", "other lines", path)
    return table


def _read_mesh(
    path: Path,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Vertices, texture indices of the triangles' corners, texture coordinates, triangles."""
    lines = _read(path)
    points = _vertices(path, lines)
    uv = _numbers(path, [b" ".join(line[3:].split()[:2]) for line in lines if line.startswith(b"vt ")], 2)
    triangles: list[list[tuple[int, int]]] = []
    try:
        for line in lines:
            if line.startswith(b"f "):
                corners = [(int(v), int(t)) for v, t in (word.split(b"/")[:2] for word in line[2:].split())]
                triangles += [[corners[0], corners[k], corners[k + 1]] for k in range(1, len(corners) - 1)]
        table = np.array(triangles, np.int64).reshape(-1, 3, 2) - 1
    except ValueError as error:
        raise _wrong("faces as vertex/texture pairs", str(error)[:200], path) from error
    for name, found, limit in (("vertices", table[..., 0], len(points)), ("texture", table[..., 1], len(uv))):
        if not found.size or found.min() < 0 or found.max() >= limit:
            raise _wrong(f"faces of {limit} {name}", "others, or none", path)
    return points, table[..., 1], uv, table[..., 0]


def _check_count(points: NDArray[np.float64], count: int, path: Path) -> None:
    if len(points) != count:
        raise _wrong(f"{count} vertices", f"{len(points)}", path)


def _kept(folder: Path, layout: Layout) -> Path | None:
    base = cache_folder()
    if base is None:
        return None
    digest = hashlib.sha256(f"{_PACKING_VERSION} {layout} {folder.resolve()}".encode())
    for path in sorted(folder.glob("*.obj")):
        status = path.stat()
        digest.update(f"{path.name} {status.st_size} {status.st_mtime_ns}".encode())
    return base / "facekit" / f"{digest.hexdigest()[:32]}.npz"


def _wrong(expected: str, found: str, path: Path) -> AssetError:
    return AssetError(
        expected=expected,
        found=found,
        where=str(path),
        action="Copy ICT-FaceKit's FaceXModel folder again, with its large files.",
    )
