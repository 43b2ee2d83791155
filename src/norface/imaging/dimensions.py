"""How large an image says it is, read from its header: a few hundred bytes can claim gigabytes of pixels."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

from PIL.BmpImagePlugin import BmpImageFile
from PIL.WebPImagePlugin import WebPImageFile

MAX_PIXELS = 64_000_000
"""Images and video frames that claim more are refused before they are decoded."""

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_TIFF_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF0 ... SOF15; the others are tables
_WITHOUT_CONTENT = {0x01, *range(0xD0, 0xD9)}  # TEM, restarts, start of image


def claimed_size(data: bytes) -> tuple[int, int] | None:
    """Width and height that an encoded image claims, before anything is decoded.

    Args:
        data: PNG, JPEG, BMP, TIFF or WebP.

    Returns:
        None where it is none of these, or has no whole header.
    """
    if data.startswith(_PNG):
        return _png(data)
    if data.startswith(_JPEG):
        return _jpeg(data)
    if data.startswith(_TIFF):
        return _tiff(data)
    # The classes themselves: Image.open warns of large images, and tries every format that is installed.
    if data.startswith(b"BM"):
        return _by_pillow(BmpImageFile, data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _by_pillow(WebPImageFile, data)
    return None


def _png(data: bytes) -> tuple[int, int] | None:
    # Specification, section 11.2.1: IHDR is the first chunk.
    if len(data) < 24 or data[12:16] != b"IHDR":
        return None
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """From marker to marker, as libjpeg goes: what stands between segments is skipped (ITU-T T.81, annex B)."""
    place = 2
    while (place := data.find(b"\xff", place)) >= 0:
        while data[place : place + 1] == b"\xff":
            place += 1
        marker = data[place] if place < len(data) else 0
        place += 1
        if marker == 0 or marker in _WITHOUT_CONTENT:
            continue
        length = int.from_bytes(data[place : place + 2], "big")
        if marker in _FRAME_HEADERS:
            height, width = (int.from_bytes(data[place + at : place + at + 2], "big") for at in (3, 5))
            return (width, height) if place + 7 <= len(data) else None
        if marker in {0xD9, 0xDA} or length < 2:  # the end, or the pixels, before any frame header
            return None
        place += length
    return None


def _tiff(data: bytes) -> tuple[int, int] | None:
    """From the first directory (TIFF 6.0, section 2; BigTIFF). Of an entry that is there twice the larger value counts.

    By hand, because Pillow opens fewer kinds of samples than OpenCV.
    """
    order = "<" if data.startswith(b"II") else ">"
    big = b"+" in data[2:4]
    offset, count, entry, value = ("Q", "Q", 20, 12) if big else ("I", "H", 12, 8)
    sides = {256: 0, 257: 0}
    try:
        (place,) = struct.unpack_from(order + offset, data, 8 if big else 4)
        (entries,) = struct.unpack_from(order + count, data, place)
        place += struct.calcsize(count)
        for start in range(place, min(place + entries * entry, len(data)), entry):
            tag, kind = struct.unpack_from(order + "HH", data, start)
            if tag in sides:
                (side,) = struct.unpack_from(order + _TIFF_INTEGERS[kind], data, start + value)
                sides[tag] = max(sides[tag], side)
    except (struct.error, KeyError, OverflowError):  # the last: offsets of 64 bits
        return None
    return (sides[256], sides[257]) if all(sides.values()) else None


def _by_pillow(opener: Callable[[io.BytesIO], Any], data: bytes) -> tuple[int, int] | None:
    try:
        width, height = opener(io.BytesIO(data)).size
    except Exception:  # Pillow raises SyntaxError, struct.error, OSError, ... for damaged headers
        return None
    return int(width), int(height)
