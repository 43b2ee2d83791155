"""OpenCV's own messages: only errors where norface tells the user itself what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2

_ERRORS_ONLY = 2


@contextmanager
def errors_only() -> Iterator[None]:
    """Silence OpenCV's warnings while something is opened."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(_ERRORS_ONLY)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
