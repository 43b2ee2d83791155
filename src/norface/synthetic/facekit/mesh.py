"""The arrays of a FaceKit model, checked: where vertices rest, and how identity and expression move them."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from norface.errors import AssetError

PARTS: tuple[str, ...] = (
    "face", "head", "mouth", "socketL", "socketR", "gums", "teethU", "teethD", "eyeL", "eyeR", "lashL", "lashR",
)  # fmt: skip
"""Parts of the mesh in the order of their vertices; `FaceMesh.part` counts from 0."""

_LANDMARKS = 68
_ACTION = "Give the packed .npz of ICT-FaceKit, or the owner's FaceXModel folder, as whole files."


@dataclass(frozen=True)
class FaceMesh:
    """A linear face model of N vertices and T triangles. Units of about 0.8 cm; +x is the subject's left, +y up, +z
    forward.

    Args:
        neutral: float32 ``(N, 3)``: the mean person at rest.
        identity_modes: float ``(K, N, 3)``: shifts for coefficients that are standard normal.
        expression_modes: float32 ``(M, N, 3)``: shifts for weights 0..1.
        expression_names: M names, such as ``mouthSmile_L``.
        triangles: int32 ``(T, 3)``, counter-clockwise seen from outside.
        corner_uv: float32 ``(T, 3, 2)``: texture coordinates of the triangles' corners, v upwards; u from 0 to 1 for
            the face, from 1 to 2 for the rest of the skin.
        part: uint8 ``(T,)``: index into `PARTS`.
        landmarks: int ``(68,)``: vertices of the Multi-PIE landmarks.
    """

    neutral: NDArray[np.float32]
    identity_modes: NDArray[np.floating]
    expression_modes: NDArray[np.float32]
    expression_names: tuple[str, ...]
    triangles: NDArray[np.int32]
    corner_uv: NDArray[np.float32]
    part: NDArray[np.uint8]
    landmarks: NDArray[np.intp]


def read_packed(path: Path) -> FaceMesh:
    """Read a packed model: an ``.npz`` of ``neutral``, ``id_modes``, ``ex_modes``, ``ex_names``, ``tri``, ``tri_uv``,
    ``uv``, ``tri_part``, ``part_names`` and ``lmk68``.

    Raises:
        AssetError: The file is missing, truncated, or an array is absent or of another shape than it should be.
    """
    try:
        # numpy leaves a file open that is not what it should be.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (
        OSError,
        ValueError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        AttributeError,
        NotImplementedError,  # of zipfile: a damaged header asks for a compression that there is not
    ) as error:
        raise AssetError(
            expected="a packed face model (.npz)",
            found=(getattr(error, "strerror", None) or str(error) or type(error).__name__)[:200],
            where=str(path),
            action=_ACTION,
        ) from error
    return from_arrays(arrays, where=str(path))


def from_arrays(arrays: Mapping[str, NDArray[Any]], *, where: str) -> FaceMesh:
    """Check the arrays of a packed model and put them together.

    Raises:
        AssetError: As of `read_packed`.
    """
    _check_shapes(arrays, where)
    count, corners = len(arrays["neutral"]), len(arrays["uv"])
    for name, limit in (("tri", count), ("lmk68", count), ("tri_uv", corners), ("tri_part", len(PARTS))):
        if arrays[name].size and not 0 <= int(arrays[name].min()) <= int(arrays[name].max()) < limit:
            found = f"{arrays[name].min()} to {arrays[name].max()}"
            raise _wrong(f"{name}: indices from 0 to {limit - 1}", found, where)
    for name in ("neutral", "id_modes", "ex_modes", "uv"):
        if not np.isfinite(arrays[name]).all():
            raise _wrong(f"{name}: finite numbers", "NaN or infinity", where)
    parts = tuple(str(name) for name in arrays["part_names"])
    if parts != PARTS:
        raise _wrong("part_names: " + ", ".join(PARTS), ", ".join(parts)[:200], where)
    return FaceMesh(
        neutral=arrays["neutral"].astype(np.float32),
        identity_modes=arrays["id_modes"],
        expression_modes=arrays["ex_modes"].astype(np.float32),
        expression_names=tuple(str(name) for name in arrays["ex_names"]),
        triangles=arrays["tri"].astype(np.int32),
        corner_uv=arrays["uv"].astype(np.float32)[arrays["tri_uv"]],
        part=arrays["tri_part"].astype(np.uint8),
        landmarks=arrays["lmk68"].astype(np.intp),
    )


def _check_shapes(arrays: Mapping[str, NDArray[Any]], where: str) -> None:
    """Letters stand for sizes that must agree wherever they occur."""
    shapes: dict[str, tuple[str | int, ...]] = {
        "neutral": ("N", 3), "id_modes": ("K", "N", 3), "ex_modes": ("M", "N", 3), "ex_names": ("M",), "uv": ("V", 2),
        "tri": ("T", 3), "tri_uv": ("T", 3), "tri_part": ("T",), "part_names": (len(PARTS),), "lmk68": (_LANDMARKS,),
    }  # fmt: skip
    kinds = {"ex_names": "U", "part_names": "U", "tri": "iu", "tri_uv": "iu", "tri_part": "iu", "lmk68": "iu"}
    sizes: dict[str, int] = {}
    for name, shape in shapes.items():
        if name not in arrays:
            raise _wrong(f"an array {name!r}", "only " + (", ".join(sorted(arrays)) or "an empty file"), where)
        found = arrays[name]
        wanted = [sizes.setdefault(n, size) if isinstance(n, str) else n
                  for n, size in zip(shape, found.shape, strict=False)]  # fmt: skip
        if len(found.shape) != len(shape) or list(found.shape) != wanted:
            described = " x ".join(str(sizes.get(n, n)) if isinstance(n, str) else str(n) for n in shape)
            raise _wrong(f"{name}: {described}", " x ".join(map(str, found.shape)), where)
        if found.dtype.kind not in kinds.get(name, "f"):
            raise _wrong(f"{name}: {_KINDS[kinds.get(name, 'f')]}", str(found.dtype), where)


_KINDS = {"U": "texts", "iu": "whole numbers", "f": "floating-point numbers"}


def _wrong(expected: str, found: str, where: str) -> AssetError:
    return AssetError(expected=expected, found=found, where=where, action=_ACTION)
