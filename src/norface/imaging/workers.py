"""Worker processes that draw, decode or encode images: how they start, and how they end with their parent."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import parent_process

import cv2

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes started inside do linear algebra on one thread: each on all cores, they are three times slower."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def start_worker() -> None:
    """What every worker process does first."""
    cv2.setNumThreads(1)
    # Ctrl-C goes to the whole group; the parent handles it and ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A parent that is killed cannot: without this its workers would wait for work for ever.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
