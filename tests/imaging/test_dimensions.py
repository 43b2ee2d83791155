from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from norface.errors import ImageError
from norface.imaging.dimensions import MAX_PIXELS, claimed_size
from norface.imaging.files import decode_image

SUFFIXES = (".png", ".jpg", ".bmp", ".tiff", ".webp")


def encoded(suffix: str, *, height: int = 20, width: int = 33) -> bytes:
    return bytes(cv2.imencode(suffix, np.full((height, width, 3), 90, np.uint8))[1])


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def jpeg(width: int, height: int) -> bytes:
    data = bytearray(encoded(".jpg"))
    at = data.find(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def bmp(width: int, height: int) -> bytes:
    data = bytearray(encoded(".bmp"))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


def tiff(width: int, height: int) -> bytes:
    return tiff_of((256, width), (257, height))


def tiff_of(*sides: tuple[int, int]) -> bytes:
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sides)
    return b"II*\0" + struct.pack("<IH", 8, len(sides)) + entries + bytes(4)


def webp(width: int, height: int) -> bytes:
    extended = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    still = io.BytesIO()
    Image.new("RGB", (16, 16)).save(still, "WEBP", lossless=True)
    body = b"WEBPVP8X" + struct.pack("<I", 10) + extended + still.getvalue()[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


BOMBS: dict[str, Callable[[int, int], bytes]] = {"png": png, "jpeg": jpeg, "bmp": bmp, "tiff": tiff}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_claimed_size_is_width_and_height(suffix: str) -> None:
    assert claimed_size(encoded(suffix)) == (33, 20)


def test_markers_and_rubbish_before_the_frame_header_of_a_jpeg_are_skipped() -> None:
    data = encoded(".jpg")
    segment = b"\xff\xe1" + struct.pack(">H", 12) + b"\xff\xc0" + bytes(8)  # looks like a frame header inside
    assert claimed_size(data[:2] + segment + b"xx" + b"\xff\xff" + data[2:]) == (33, 20)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
def test_tiff_of_either_byte_order(order: str, kind: int) -> None:
    name, number = ("II*\0" if order == "<" else "MM\0*").encode(), "H2x" if kind == 3 else "I"
    entries = b"".join(
        struct.pack(f"{order}HHI{number}", tag, kind, 1, side) for tag, side in ((254, 0), (256, 7), (257, 5))
    )
    assert claimed_size(name + struct.pack(f"{order}IH", 8, 3) + entries + bytes(4)) == (7, 5)


def test_big_tiff() -> None:
    entries = b"".join(struct.pack("<HHQQ", tag, 16, 1, side) for tag, side in ((256, 70_000), (257, 5)))
    assert claimed_size(b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, 2) + entries) == (70_000, 5)


@pytest.mark.parametrize("data", [b"II+\0\x08\0\0\0" + b"\xff" * 8, b"II*\0" + b"\xff" * 4, b"MM\0+" + b"\x80" * 40])
def test_offsets_far_outside(data: bytes) -> None:
    assert claimed_size(data + bytes(8)) is None


def test_of_two_contradicting_entries_the_larger_counts() -> None:
    assert claimed_size(tiff_of((256, 60_000), (256, 8), (257, 8))) == (60_000, 8)


@pytest.mark.parametrize("kind", BOMBS)
@pytest.mark.parametrize("sides", [(60_000, 60_000), (9_000, 9_000), (8_000, 8_001), (1, MAX_PIXELS + 1)])
def test_enormous_claims_are_refused_before_decoding(
    kind: str, sides: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "jpeg" and max(sides) > 65_535:
        pytest.skip("sides of 16 bits")
    monkeypatch.setattr("norface.imaging.files.cv2.imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ImageError, match=f"at most 64,000,000 pixels, found one that claims {sides[0]} x {sides[1]}"):
        decode_image(BOMBS[kind](*sides), where="bomb")


def test_enormous_webp_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("norface.imaging.files.MAX_PIXELS", 500)
    with pytest.raises(ImageError, match="claims 33 x 20"):
        decode_image(encoded(".webp"), where="bomb")
    with pytest.raises(ImageError):  # the header of the file says more than the picture in it
        decode_image(webp(16_384, 16_384), where="bomb")


@pytest.mark.parametrize("suffix", [".pgm", ".hdr", ".gif", ".sr"])
def test_formats_that_nobody_needs_are_not_even_tried(suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes(cv2.imencode(suffix, np.zeros((8, 8, 1 if suffix == ".pgm" else 3), np.uint8))[1])
    monkeypatch.setattr("norface.imaging.files.cv2.imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ImageError, match="do not decode"):
        decode_image(data, where="odd")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_cut_headers_have_no_size_or_the_right_one(suffix: str) -> None:
    data = encoded(suffix)
    for length in range(min(len(data), 400)):
        assert claimed_size(data[:length]) in {None, (33, 20)}


def test_reading_a_bomb_from_a_file(tmp_path: Path) -> None:
    from norface.imaging.files import read_image

    (tmp_path / "bomb.png").write_bytes(png(60_000, 60_000))
    with pytest.raises(ImageError, match=r"bomb\.png"):
        read_image(tmp_path / "bomb.png")
