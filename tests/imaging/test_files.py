from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

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


def test_png_is_small_where_there_is_little_to_say() -> None:
    flat = np.full((40, 40, 3), 7, np.uint8)
    assert len(encode_png(flat)) < 200
    np.testing.assert_array_equal(decode_image(encode_png(flat), where="memory"), flat)


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


def ramps() -> Pixels:
    """Smooth in all three channels, so that JPEG keeps it; wider than high, so that rotations show."""
    y, x = np.mgrid[:40, :56]
    return np.stack([x * 4, y * 6, 255 - x * 2 - y * 3], axis=-1).clip(0, 255).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


MODES = {"JPEG": "RGB L 1 CMYK", "PNG": "RGB L 1 P RGBA LA", "TIFF": "RGB L 1 P RGBA CMYK", "BMP": "RGB L 1 P RGBA"}
LOSSLESS: dict[str, dict[str, Any]] = {"JPEG": {"quality": 97}, "WEBP": {"lossless": True}}


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind, modes in MODES.items() for mode in modes.split()])
def test_every_mode_that_a_format_knows_becomes_rgb(kind: str, mode: str) -> None:
    image = Image.fromarray(ramps()).convert(mode)
    pixels = decode_image(encoded(image, kind, **LOSSLESS.get(kind, {})), where="memory")
    assert pixels.dtype == np.uint8
    error = np.abs(pixels.astype(int) - np.array(image.convert("RGB")))
    assert error.max() == 0 if kind != "JPEG" else error.mean() < 2


def test_alpha_is_dropped_not_blended() -> None:
    alpha = np.dstack([ramps(), np.zeros(ramps().shape[:2], np.uint8)])
    np.testing.assert_array_equal(decode_image(encoded(Image.fromarray(alpha), "PNG"), where="memory"), ramps())
    palette = Image.fromarray(ramps()).quantize(16)
    data = encoded(palette, "PNG", transparency=0)
    np.testing.assert_array_equal(decode_image(data, where="memory"), np.array(palette.convert("RGB")))


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bit_samples_are_rounded_to_the_nearest(suffix: str, channels: int) -> None:
    samples = np.arange(0, 65536, 7, dtype=np.uint16)[: 48 * 192].reshape(48, -1, channels)
    samples.flat[:4] = (65535, 65406, 128, 129)
    _, data = cv2.imencode(suffix, samples)
    expected = np.round(samples[..., ::-1] / 257).astype(np.uint8)
    pixels = decode_image(bytes(data), where="memory")
    np.testing.assert_array_equal(pixels, np.broadcast_to(expected, pixels.shape))


def test_samples_that_are_no_light_levels_are_refused() -> None:
    _, data = cv2.imencode(".tiff", ramps().astype(np.float32) / 255)
    with pytest.raises(ImageError, match="samples of type float32"):
        decode_image(bytes(data), where="memory")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(ramps()), kind, exif=exif, **LOSSLESS.get(kind, {}))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    pixels = decode_image(data, where="memory")
    assert pixels.shape == ((40, 56, 3) if orientation < 5 else (56, 40, 3))
    assert np.abs(pixels.astype(int) - np.array(upright)).max() <= (1 if kind == "JPEG" else 0)


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
