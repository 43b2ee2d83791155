from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from norface.errors import ImageError, OutputError
from norface.imaging.files import decode_image, encode_png, read_image, write_atomically, write_png
from norface.imaging.pixels import Pixels


def picture() -> Pixels:
    return np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)


def test_png_round_trip_is_lossless_and_rgb(tmp_path: Path) -> None:
    write_png(tmp_path / "new" / "a.png", picture())
    np.testing.assert_array_equal(read_image(tmp_path / "new" / "a.png"), picture())
    bgr = cv2.imread(str(tmp_path / "new" / "a.png"))
    assert bgr is not None
    np.testing.assert_array_equal(bgr[..., ::-1], picture())


@pytest.mark.parametrize("compression", [0, 9])
def test_compression_changes_the_size_only(compression: int) -> None:
    flat = np.full((40, 40, 3), 7, np.uint8)
    data = encode_png(flat, compression=compression)
    assert (len(data) > 4000) == (compression == 0)
    np.testing.assert_array_equal(decode_image(data, where="memory"), flat)


def test_grey_alpha_and_sixteen_bit_files_become_rgb(tmp_path: Path) -> None:
    grey = picture()[..., 0]
    layouts: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.uint8 | np.uint16]]] = {
        "grey": grey,
        "alpha": np.dstack([grey, grey, grey, grey]),
        "sixteen": (grey.astype(np.uint16) * 257)[..., None].repeat(3, axis=2),
    }
    for name, array in layouts.items():
        path = tmp_path / f"{name}.png"
        cv2.imwrite(str(path), array)
        pixels = read_image(path)
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, grey[..., None].repeat(3, axis=2))


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_files(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), picture())
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ImageError, match="truncated"):
        read_image(path)


@pytest.mark.parametrize("data", [b"", b"hello", b"GIF89a"])
def test_what_is_no_image(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ImageError, match="expected a whole PNG, JPEG"):
        read_image(tmp_path / "a.png")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No such file"):
        read_image(tmp_path / "none.png")
    with pytest.raises(ImageError, match="Is a directory"):
        read_image(tmp_path)


def test_enormous_claims_are_refused_before_decoding() -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    with pytest.raises(ImageError, match="expected a whole PNG"):
        decode_image(bomb, where="bomb.png")


def test_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, b"old")

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_atomically(path, b"new and longer")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="choose another output folder"):
        write_png(tmp_path / "taken" / "a.png", picture())
