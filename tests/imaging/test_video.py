from __future__ import annotations

import logging
import re
import weakref
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from norface.errors import ImageError
from norface.imaging.pixels import Pixels
from norface.imaging.sources import read_reference
from norface.imaging.video import _decode, read_frame, read_frames, video_info

COUNT = 40
WIDTH, HEIGHT, FPS = 160, 120, 20.0
CODECS = [("avi", "MJPG"), ("mp4", "mp4v"), ("avi", "XVID"), ("mkv", "MJPG"), ("mov", "mp4v"), ("mpg", "MPG1")]


def picture(number: int) -> Pixels:
    """A frame with its number painted in: eight black or white blocks above, noise below (red at the left)."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for bit in range(8):
        pixels[:60, bit * 20 : bit * 20 + 20] = 255 * (number >> bit & 1)
    pixels[60:] = np.random.default_rng(number).integers(0, 255, (60, WIDTH, 1), dtype=np.uint8)
    pixels[60:, :20] = (255, 0, 0)
    return pixels


def number_in(pixels: Pixels) -> int:
    return sum(1 << bit for bit in range(8) if pixels[20:40, bit * 20 + 6 : bit * 20 + 14].mean() > 127)


def numbers(path: Path) -> list[int | None]:
    """What `read_frames` yields: the numbers painted in, None for errors; its own numbers are checked."""
    found = list(read_frames(path))
    assert [number for number, _ in found] == list(range(len(found)))
    return [None if isinstance(pixels, ImageError) else number_in(pixels) for _, pixels in found]


def write(path: Path, codec: str, count: int = COUNT) -> Path:
    fps = 25.0 if codec == "MPG1" else FPS  # MPEG-1 knows few rates
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), fps, (WIDTH, HEIGHT))
    if not writer.isOpened():
        pytest.skip(f"this OpenCV cannot write {codec}")
    for number in range(count):
        writer.write(np.ascontiguousarray(picture(number)[..., ::-1]))
    writer.release()
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("video") / "clip.avi", "MJPG")


@pytest.fixture
def damaged(clip: Path, tmp_path: Path) -> Callable[[Callable[[bytearray], bytearray]], Path]:
    def damage(change: Callable[[bytearray], bytearray]) -> Path:
        path = tmp_path / "damaged.avi"
        path.write_bytes(change(bytearray(clip.read_bytes())))
        return path

    return damage


@pytest.mark.parametrize(("suffix", "codec"), CODECS)
def test_every_frame_in_order_and_by_number(tmp_path: Path, suffix: str, codec: str) -> None:
    path = write(tmp_path / f"clip.{suffix}", codec)
    assert numbers(path) == list(range(COUNT))
    for number in (0, 13, COUNT - 1):
        assert number_in(read_frame(path, number)) == number


def test_colours_and_type(clip: Path) -> None:
    pixels = read_frame(clip, 3)
    assert pixels.shape == (HEIGHT, WIDTH, 3) and pixels.dtype == np.uint8 and pixels.flags["C_CONTIGUOUS"]
    red, green, blue = pixels[80:, :12].reshape(-1, 3).mean(0)
    assert red > 200 and green < 40 and blue < 40


def test_what_is_known_of_a_video(clip: Path) -> None:
    info = video_info(clip)
    assert (len(info.times), info.claimed, info.width, info.height) == (COUNT, COUNT, WIDTH, HEIGHT)
    assert info.fps == FPS and info.whole == COUNT and not info.incomplete
    np.testing.assert_allclose(info.times, np.arange(COUNT) * 1000 / FPS, atol=0.1)


def test_some_frames_of_a_video(clip: Path) -> None:
    found = list(read_frames(clip, [7, 2, 7, COUNT + 5, -1]))
    assert [number for number, _ in found] == [-1, 2, 7, COUNT + 5]
    assert [number_in(found[k][1]) for k in (1, 2)] == [2, 7]  # type: ignore[arg-type]
    for k in (0, 3):
        assert isinstance(found[k][1], ImageError)
    assert list(read_frames(clip, [])) == []


def test_by_reference(clip: Path) -> None:
    np.testing.assert_array_equal(read_reference(clip.parent, "clip.avi#5"), read_frame(clip, 5))
    with pytest.raises(ImageError, match=f"from 0 to {COUNT - 1}, found the number {COUNT}"):
        read_reference(clip.parent, f"clip.avi#{COUNT}")


def test_one_frame_in_memory_at_a_time(clip: Path) -> None:
    alive: list[weakref.ref[Pixels]] = []
    for _, pixels in read_frames(clip):
        assert not isinstance(pixels, ImageError)
        alive.append(weakref.ref(pixels))
        assert sum(reference() is not None for reference in alive) <= 3  # this one, the one before, the one ahead


def blank(data: bytearray, *frames: int) -> bytearray:
    """Overwrite the beginning of MJPEG frames with zeros."""
    starts = [match.start() for match in re.finditer(b"\xff\xd8\xff", bytes(data))]
    for frame in frames:
        data[starts[frame] : starts[frame] + 600] = bytes(600)
    return data


@pytest.mark.parametrize("frames", [(10, 11), (0,), (COUNT - 1,), (3, 20, 21, 22, 39)])
def test_a_frame_that_cannot_be_decoded_shifts_no_other(
    damaged: Callable[[Callable[[bytearray], bytearray]], Path], frames: tuple[int, ...]
) -> None:
    path = damaged(lambda data: blank(data, *frames))
    assert numbers(path) == [None if number in frames else number for number in range(COUNT)]
    for number in (frames[0] + 1) % COUNT, (frames[-1] + 2) % COUNT:
        if number not in frames:
            assert number_in(read_frame(path, number)) == number
    with pytest.raises(ImageError, match="damaged frame"):
        read_frame(path, frames[0])


def test_seeking_that_is_not_exact_is_not_trusted(
    damaged: Callable[[Callable[[bytearray], bytearray]], Path],
) -> None:
    path = damaged(lambda data: blank(data, 10, 11))
    info = video_info(path)
    assert list(_decode(path, info, start=13, wanted={13})) == []  # FFmpeg stops at frame 12 and says nothing
    assert number_in(read_frame(path, 13)) == 13


def test_truncated_video(
    damaged: Callable[[Callable[[bytearray], bytearray]], Path], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        path = damaged(lambda data: data[: len(data) * 6 // 10])
        info = video_info(path)
    assert info.incomplete and "truncated or damaged" in caplog.text
    there = info.whole
    assert COUNT // 3 < there < COUNT
    assert numbers(path) == [*range(there), *[None] * (COUNT - there)]  # the frame that was cut is not used
    assert number_in(read_frame(path, there - 1)) == there - 1
    with pytest.raises(ImageError, match=f"of {COUNT} frames are there"):
        read_frame(path, there)


def test_truncated_mp4(tmp_path: Path) -> None:
    whole = write(tmp_path / "clip.mp4", "mp4v").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])  # its table of contents is at the end
    with pytest.raises(ImageError, match="truncated, damaged or no video"):
        list(read_frames(tmp_path / "cut.mp4"))


def test_no_frames_no_file_no_video(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="one without any"):
        video_info(write(tmp_path / "none.avi", "MJPG", count=0))
    (tmp_path / "empty.avi").touch()
    with pytest.raises(ImageError, match="an empty file"):
        read_frame(tmp_path / "empty.avi", 0)
    (tmp_path / "text.avi").write_text("not a video")
    with pytest.raises(ImageError, match="no video"):
        list(read_frames(tmp_path / "text.avi"))
    with pytest.raises(ImageError, match="No such file"):
        list(read_frames(tmp_path / "missing.avi"))
    with pytest.raises(ImageError):
        video_info(tmp_path)


def test_enormous_frames_are_refused(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("norface.imaging.video.MAX_PIXELS", 100)
    (tmp_path / "large.avi").write_bytes(clip.read_bytes())
    with pytest.raises(ImageError, match="160 x 120"):
        video_info(tmp_path / "large.avi")


def test_names_that_are_not_ascii(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "Gesicht_ä_顔.AVI"
    path.write_bytes(clip.read_bytes())
    assert number_in(read_frame(path, 7)) == 7


def test_a_replaced_file_is_looked_at_anew(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    path.write_bytes(clip.read_bytes())
    assert len(video_info(path).times) == COUNT
    write(path, "MJPG", count=5)
    assert len(video_info(path).times) == 5


def test_messages_of_ffmpeg_stay_away(
    damaged: Callable[[Callable[[bytearray], bytearray]], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    numbers(damaged(lambda data: blank(data, 10)))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("protocol", ["http:/127.0.0.1:9", "concat:", "subfile,,start,0,end,0,,:", "file:"])
def test_folders_that_are_named_like_a_protocol(
    protocol: str, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(protocol) / "a.avi"
    path.parent.mkdir(parents=True)
    path.write_bytes(clip.read_bytes())
    assert number_in(read_frame(path, 3)) == 3


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{0}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{0}'\n",
        "v=0\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
        "<?xml version='1.0'?><MPD><BaseURL>{0}</BaseURL></MPD>",
    ],
)
def test_lists_of_other_files_are_no_videos(text: str, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "other.avi").write_bytes(clip.read_bytes())
    (tmp_path / "list.avi").write_text(text.format("other.avi"))
    with pytest.raises(ImageError, match="does not begin like one"):
        read_frame(tmp_path / "list.avi", 0)
