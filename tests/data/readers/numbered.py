"""Pictures that carry their own frame number, so that a label beside the wrong picture shows."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

BITS, BLOCK, ROWS = 16, 8, 4


def numbered(number: int) -> NDArray[np.uint8]:
    """A grey picture ``(32, 32, 3)`` of 16 black or white blocks: the number in binary; it survives JPEG."""
    bits = np.array([number >> k & 1 for k in range(BITS)], np.uint8).reshape(ROWS, ROWS)
    return np.repeat(np.kron(bits, np.ones((BLOCK, BLOCK), np.uint8))[..., None] * 255, 3, axis=2)


def number_in(pixels: NDArray[np.uint8]) -> int:
    """The number that `numbered` has painted."""
    blocks = pixels[..., 1].reshape(ROWS, BLOCK, ROWS, BLOCK).mean(axis=(1, 3)).reshape(-1)
    return int(sum(int(value > 127) << k for k, value in enumerate(blocks)))


def jpeg(number: int) -> bytes:
    """A JPEG file with the number in it."""
    done, data = cv2.imencode(".jpg", numbered(number))
    assert done
    return bytes(data)


def write_numbered(path: Path, number: int) -> None:
    """A picture with the number in it; the suffix says in which format."""
    done, data = cv2.imencode(path.suffix, numbered(number))
    assert done
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(data))


def write_video(path: Path, numbers: range) -> None:
    """An AVI file whose frames carry these numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    side = BLOCK * ROWS
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (side, side))
    assert writer.isOpened()
    for number in numbers:
        writer.write(numbered(number))
    writer.release()
