"""Videos, frame by frame: never more than one frame in memory, and every frame accounted for.

The frames of a video are the packets of its first video stream, in the order in which they are shown, counted from 0.
They are counted first, without decoding; then every decoded frame is put in its place by its time. So a frame that
cannot be decoded is missed where it is missing, and does not shift the numbers of those behind it.

What cannot be noticed: damage in frames that decode all the same, or that depend on damaged ones (MPEG-4, H.264); and
where a packet is missing of which nothing is left. Then there are fewer packets than the container says, which is
logged, and the numbers behind the gap are too low.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from norface.errors import ImageError
from norface.imaging.dimensions import MAX_PIXELS
from norface.imaging.opencv_log import errors_only
from norface.imaging.pixels import Pixels

# FFmpeg prints a line for every damaged block to the terminal; what matters comes as an error for the frame.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

_COUNTED = (".avi", ".mp4", ".mov")
"""Containers that say how many frames they hold; of others, OpenCV estimates it from the duration."""


_MAGIC = (
    b"RIFF",  # .avi
    b"\x1a\x45\xdf\xa3",  # .mkv
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # .wmv
    b"\x00\x00\x01",  # .mpg: program or elementary stream
    b"G",  # .mpg: transport stream
)
_MOVIE_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")  # .mp4 and .mov: the first box
_SAME_MS = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class VideoInfo:
    """What a video holds.

    Args:
        times: When each frame is shown, in milliseconds, ascending ``(N,)``.
        claimed: Number of frames that the container says it holds.
        width, height: Of a frame, in pixels.
        fps: Frames per second, 0 where the container does not say.
    """

    times: NDArray[np.float64]
    claimed: int
    width: int
    height: int
    fps: float

    @property
    def whole(self) -> int:
        """Number of frames that are there entirely; of an incomplete video the last one may be cut."""
        return len(self.times) - 1 if self.incomplete else len(self.times)

    @property
    def incomplete(self) -> bool:
        """Whether the container says that it holds more frames than there are: it was truncated or damaged."""
        return self.claimed > len(self.times)


def video_info(path: Path) -> VideoInfo:
    """Count the frames of a video, without decoding them.

    Raises:
        ImageError: The file is missing or empty, no video, without frames, or with enormous ones.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise _error(path, "a readable video file", error.strerror or "an unreadable file") from error
    # A file that changes gets a new entry: a table may name thousands of frames of one video.
    return _scan(path, stat.st_size, stat.st_mtime_ns)


def read_frames(path: Path, frames: Collection[int] | None = None) -> Iterator[tuple[int, Pixels | ImageError]]:
    """Read a video in order.

    Args:
        path: The video.
        frames: Which frames; None = all that there are, and those that the container says there should be.

    Yields:
        One pair for every frame asked for, by ascending number: its number, and uint8 RGB ``(H, W, 3)`` or, where it
        cannot be had, the error that says why.

    Raises:
        ImageError: As `video_info`.
    """
    info = video_info(path)
    wanted = range(max(len(info.times), info.claimed)) if frames is None else sorted(set(frames))
    inside = [number for number in wanted if 0 <= number < info.whole]
    decoded = _decode(path, info, start=0, wanted=set(inside))
    found = next(decoded, None)
    for number in wanted:
        if found is not None and found[0] == number:
            yield found
            found = next(decoded, None)
        else:
            yield number, _absent(path, info, number)


def read_frame(path: Path, frame: int) -> Pixels:
    """Read a single frame: by seeking where that is exact, else from the beginning.

    Args:
        path: The video.
        frame: Its number, from 0.

    Returns:
        uint8 RGB ``(H, W, 3)``.

    Raises:
        ImageError: As `video_info`, or the frame is not there or cannot be decoded.
    """
    info = video_info(path)
    if 0 <= frame < info.whole:
        for start in (frame, 0):
            for _, pixels in _decode(path, info, start=start, wanted={frame}):
                return pixels
    raise _absent(path, info, frame)


def _decode(path: Path, info: VideoInfo, *, start: int, wanted: Collection[int]) -> Iterator[tuple[int, Pixels]]:
    """The wanted frames that can be decoded, ascending.

    With a `start` other than 0, nothing is yielded unless the very first frame behind the jump is that one.
    """
    if not wanted:
        return
    last, expected, failures = max(wanted), start, 0
    with _opened(path) as capture:
        if start:
            capture.set(cv2.CAP_PROP_POS_FRAMES, start)
        while expected <= last and failures <= len(info.times):
            if not capture.grab():  # at the end, but also at a frame that cannot be decoded
                failures += 1
                continue
            time = capture.get(cv2.CAP_PROP_POS_MSEC)
            if start and expected == start and (failures or abs(time - float(info.times[start])) >= _SAME_MS):
                return
            number = _number(info.times, time, expected)
            expected = number + 1
            if number in wanted:
                good, pixels = capture.retrieve()
                if good and pixels is not None:
                    yield number, np.ascontiguousarray(pixels[..., ::-1], np.uint8)


def _number(times: NDArray[np.float64], time: float, expected: int) -> int:
    """Which frame is shown at a time: the expected one, unless the time says that frames are missing before it."""
    found = int(np.abs(times - time).argmin())
    # Some decoders give no time for the last frames; it cannot be one that has been there already.
    return found if found > expected and abs(float(times[found]) - time) < _SAME_MS else expected


@lru_cache(maxsize=64)
def _scan(path: Path, size: int, modified: int) -> VideoInfo:
    if size == 0:
        raise _error(path, "a video", "an empty file")
    with _opened(path) as capture:
        claimed = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if path.suffix.lower() in _COUNTED else 0
        width, height = (int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        fps = float(capture.get(cv2.CAP_PROP_FPS))
    if width * height > MAX_PIXELS:
        raise _error(path, f"frames of at most {MAX_PIXELS} pixels", f"{width} x {height}")
    times = []
    with _opened(path, packets=True) as capture:
        while capture.grab():
            times.append(capture.get(cv2.CAP_PROP_POS_MSEC))
    if not times:
        raise _error(path, "a video with frames", "one without any")
    info = VideoInfo(np.sort(np.array(times)), max(claimed, 0), width, height, fps if np.isfinite(fps) else 0.0)
    if info.incomplete:
        _log.warning("%s should have %d frames and has %d: truncated or damaged", path, claimed, len(times))
    return info


def _is_container(path: Path) -> bool:
    """Whether a file begins like a video. FFmpeg also takes lists of other files and of addresses for one."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:
        return False
    return head.startswith(_MAGIC) or head[4:8] in _MOVIE_BOXES


@contextmanager
def _opened(path: Path, *, packets: bool = False) -> Iterator[cv2.VideoCapture]:
    options = [cv2.CAP_PROP_FORMAT, -1] if packets else []  # -1: packets as they are stored, nothing is decoded
    if not _is_container(path):
        raise _error(path, "a video", "no video: it does not begin like one")
    with errors_only():
        # Absolute: FFmpeg takes what begins like `http:` or `concat:` for an address, even where it is a folder's name.
        capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG, options)
    try:
        if not capture.isOpened():
            raise _error(path, "a whole video file", "one that cannot be opened: truncated, damaged or no video")
        yield capture
    finally:
        capture.release()


def _absent(path: Path, info: VideoInfo, number: int) -> ImageError:
    there = len(info.times)
    if 0 <= number < info.whole:
        return _error(path, f"frame {number}", "a damaged frame that cannot be decoded")
    if info.incomplete and 0 <= number < info.claimed:
        return _error(path, f"frame {number}", f"an incomplete video: {there} of {info.claimed} frames are there")
    return _error(path, f"a frame from 0 to {there - 1}", f"the number {number}")


def _error(path: Path, expected: str, found: str) -> ImageError:
    return ImageError(
        expected=expected,
        found=found,
        where=str(path),
        action="Copy the video again from its source, or remove its rows from the face table.",
    )
