"""What can go wrong inside a process, at a moment that a test chooses; see `quick_process`."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch

from norface.normalizer.inference import Normalizer

Sabotage = Callable[[], None]
"""Run in a new process before its command: breaks something there."""

Stage = Literal["half", "fsync", "rename", "renamed"]
STAGES: tuple[Stage, ...] = ("half", "fsync", "rename", "renamed")


def die() -> None:
    """End at once, as after a power cut: no `finally` runs."""
    os.kill(os.getpid(), signal.SIGKILL)


def count_faces(log: Path, pause: float = 0.0) -> None:
    """Leave a byte in `log` for every face that is normalized; make every batch take `pause` seconds longer."""

    def count(faces: int, _: int) -> None:
        with log.open("ab") as file:
            file.write(b"." * faces)
        time.sleep(pause)

    _after_normalizing(count)


def pull_away(image: Path, after: int) -> None:
    """Empty an image file when that many batches have been normalized."""

    def pull(_: int, batches: int) -> None:
        if batches == after:
            image.write_bytes(b"")

    _after_normalizing(pull)


def slow_down(seconds: float) -> None:
    """Make every batch take a moment."""
    _after_normalizing(lambda *_: time.sleep(seconds))


def _after_normalizing(action: Callable[[int, int], object]) -> None:
    normalize, numbers = Normalizer.normalize, itertools.count(1)

    def watched(self: Normalizer, original: torch.Tensor) -> Any:
        output = normalize(self, original)
        action(len(original), next(numbers))
        return output

    Normalizer.normalize = watched  # type: ignore[method-assign]


def kill_in_write(number: int, stage: Stage) -> None:
    """End within the writing of temporary file `number`, from 0.

    Args:
        number: Which one.
        stage: When half of it is written, before it is flushed to the disk, before or after it gets its name.
    """

    def write_half(file: Any, data: bytes) -> None:
        file.write(data[: len(data) // 2])
        file.flush()
        die()

    armed = _on_write(number, write_half, stage)
    fsync, replace = os.fsync, Path.replace

    def watched_fsync(descriptor: int) -> None:
        if armed and stage == "fsync":
            die()
        fsync(descriptor)

    def watched_replace(self: Path, target: Path) -> Path:
        if armed and stage == "rename":
            die()
        path = replace(self, target)
        if armed:
            die()
        return path

    os.fsync, Path.replace = watched_fsync, watched_replace  # type: ignore[assignment, method-assign]


def fill_disk(after: int) -> None:
    """No space is left once that many bytes are written."""
    left = [after]

    def write(file: Any, data: bytes) -> None:
        part = data[: left[0]]
        left[0] -= len(part)
        file.write(part)
        if len(part) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    _on_write(None, write, "half")


def _on_write(number: int | None, write: Callable[[Any, bytes], object], stage: Stage) -> list[bool]:
    # The temporary file of that number (None: each) is written by `write`, or for later stages as always, and then
    # the list that is returned holds something.
    opening, numbers, armed = Path.open, itertools.count(), list[bool]()

    def watched(self: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        file = opening(self, mode, *args, **options)
        if self.suffix != ".tmp" or "w" not in mode:
            return file
        if number is not None and next(numbers) != number:
            return file
        if stage == "half":
            return _Replaced(file, write)
        armed.append(True)
        return file

    Path.open = watched  # type: ignore[method-assign]
    return armed


class _Replaced:
    """A file that is written in another way."""

    def __init__(self, file: Any, write: Callable[[Any, bytes], object]) -> None:
        self._file, self._write = file, write

    def write(self, data: bytes) -> None:
        self._write(self._file, data)

    def __enter__(self) -> _Replaced:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
