"""Files that survive a crash: a name either holds a whole file or nothing."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from pathlib import Path

from norface.errors import OutputError

STALE_AFTER_S = 3600.0
"""A file is written from memory in one go; a temporary one this old belongs to a run that died, on whatever machine."""


def write_durably(path: Path, data: bytes) -> None:
    """Write under a temporary name, flush to the disk, then rename; make parent folders.

    Raises:
        OutputError: No permission, no space left, or a file stands where a folder should be.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:  # also Ctrl-C: nothing may be left behind
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise OutputError(
            expected="a place to write to",
            found=error.strerror or str(error),
            where=str(path),
            action="Free some space, change the permissions or choose another folder, then run the same command again.",
        ) from error
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    # Makes the new name itself durable. Not every file system can, and the data are safe without.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_stale(folder: Path) -> None:
    """Delete the temporary files of runs that were killed; those of running ones are younger and stay."""
    for temporary in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):  # another process may be faster
            if time.time() - temporary.stat().st_mtime > STALE_AFTER_S:
                temporary.unlink()
