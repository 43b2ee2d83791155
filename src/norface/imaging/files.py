"""Read and write image files: always uint8 RGB in memory, always whole files on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
from filelock import FileLock

from norface.errors import ImageError, OutputError
from norface.imaging.dimensions import MAX_PIXELS, claimed_size
from norface.imaging.pixels import Pixels

_AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH  # three channels, rotated; OpenCV's own 16 to 8 bits loses a level


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

    Grey and palette images become RGB, 16-bit samples are divided by 257 and rounded, CMYK is taken as Adobe writes it
    (as every program does), EXIF rotation is applied. Alpha is dropped, not blended: colours of a cut-out face stay.

    Raises:
        ImageError: The bytes are not a whole image, or claim more than `MAX_PIXELS`, or hold other kinds of samples.
    """
    if _is_truncated(data):
        raise _not_an_image(where, "a truncated file")
    size = claimed_size(data)
    if size is None:  # OpenCV would try a dozen formats that nobody needs
        raise _not_an_image(where, f"{len(data)} bytes that do not decode")
    if size[0] * size[1] > MAX_PIXELS:
        raise _too_large(where, *size)
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), _AS_STORED)
    except cv2.error as error:
        raise _not_an_image(where, str(error.err)) from error
    if bgr is None:
        raise _not_an_image(where, f"{len(data)} bytes that do not decode")
    if sorted(bgr.shape[:2]) != sorted(size):  # EXIF rotation may swap the sides
        raise _not_an_image(where, f"{bgr.shape[1]} x {bgr.shape[0]} pixels under a header of {size[0]} x {size[1]}")
    if bgr.dtype == np.uint16:
        bgr = ((bgr.astype(np.uint32) + 128) // 257).astype(np.uint8)  # the nearest: 65535 is 255 * 257
    if bgr.dtype != np.uint8:
        raise _not_an_image(where, f"samples of type {bgr.dtype}")
    return _swapped(np.asarray(bgr, np.uint8))


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


def _too_large(where: str, width: int, height: int) -> ImageError:
    return ImageError(
        expected=f"an image of at most {MAX_PIXELS:,} pixels",
        found=f"one that claims {width} x {height}",
        where=where,
        action="Make it smaller, or remove its row from the face table.",
    )


def encode_png(pixels: Pixels) -> bytes:
    """Losslessly encode uint8 RGB ``(H, W, 3)``.

    With OpenCV's own choice (level 1, runs, `Sub` filter), which it gives up as soon as a level is named: for faces
    twice as fast as level 3, and 4 % larger.
    """
    _, data = cv2.imencode(".png", _swapped(pixels))
    return bytes(data)


def encode_jpeg(pixels: Pixels, *, quality: int = 95) -> bytes:
    """Encode uint8 RGB ``(H, W, 3)`` without reducing its colour resolution."""
    whole = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    _, data = cv2.imencode(".jpg", _swapped(pixels), [cv2.IMWRITE_JPEG_QUALITY, quality, *whole])
    return bytes(data)


def _swapped(pixels: Pixels) -> Pixels:
    """RGB to BGR or back; OpenCV does it several times faster than numpy."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR), np.uint8)


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
        try:
            temporary.write_bytes(data)
        except FileNotFoundError:  # asked for only now: for most files the folder is there already
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(
        expected="a place to write to",
        found=error.strerror or str(error),
        where=str(path),
        action="Free some space, change the permissions or choose another output folder.",
    )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time change a file; others wait. The lock file beside it may stay behind, and means nothing.

    Raises:
        OutputError: The lock cannot be made.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield
    finally:
        lock.release()
