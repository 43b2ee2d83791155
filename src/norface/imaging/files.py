"""Read and write image files: always uint8 RGB in memory, always whole files on disk."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from norface.errors import ImageError, OutputError
from norface.imaging.pixels import Pixels

MAX_PIXELS = 64_000_000
"""Larger images are refused before they are decoded: a small file can claim enormous dimensions."""


def read_image(path: Path) -> Pixels:
    """Decode an image file to RGB, whatever its colour layout; EXIF rotation is applied.

    Returns:
        uint8 RGB ``(H, W, 3)``.

    Raises:
        ImageError: The file is missing, empty, truncated, too large or not an image.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(
            expected="a readable image file",
            found=error.strerror or "an unreadable file",
            where=str(path),
            action="Check the path and the root folder of the face table.",
        ) from error
    return decode_image(data, where=str(path))


def decode_image(data: bytes, *, where: str) -> Pixels:
    """Decode PNG, JPEG, ... bytes to uint8 RGB ``(H, W, 3)``.

    Raises:
        ImageError: The bytes are not a whole image, or claim more than `MAX_PIXELS`.
    """
    if _is_truncated(data):
        raise _not_an_image(where, "a truncated file")
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error as error:
        raise _not_an_image(where, str(error.err)) from error
    if bgr is None:
        raise _not_an_image(where, f"{len(data)} bytes that do not decode")
    return np.ascontiguousarray(bgr[..., ::-1], np.uint8)


def _is_truncated(data: bytes) -> bool:
    # OpenCV fills the missing part of a truncated JPEG or PNG with grey and says nothing.
    if data[:2] == b"\xff\xd8":
        return b"\xff\xd9" not in data[-4096:]
    if data[:4] == b"\x89PNG":
        return b"IEND" not in data[-64:]
    return False


def _not_an_image(where: str, found: str) -> ImageError:
    return ImageError(
        expected="a whole PNG, JPEG, BMP, TIFF or WebP image",
        found=found,
        where=where,
        action="Copy the file again from its source, or remove its row from the face table.",
    )


def encode_png(pixels: Pixels, *, compression: int = 3) -> bytes:
    """Losslessly encode uint8 RGB ``(H, W, 3)``; `compression` 0 (fast) to 9 (small)."""
    _, data = cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, compression])
    return bytes(data)


def write_png(path: Path, pixels: Pixels) -> None:
    """Write uint8 RGB ``(H, W, 3)`` so that `path` is either absent, old or complete, never half-written."""
    write_atomically(path, encode_png(pixels))


def write_atomically(path: Path, data: bytes) -> None:
    """Write under a temporary name, then rename; make parent folders.

    Raises:
        OutputError: No permission, no space left, or a file stands where a folder should be.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary_exists = temporary.parent.is_dir() and temporary.exists()
        if temporary_exists:
            temporary.unlink()
        raise OutputError(
            expected="a place to write to",
            found=error.strerror or str(error),
            where=str(path),
            action="Free some space, change the permissions or choose another output folder.",
        ) from error
