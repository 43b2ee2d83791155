"""Files that survive a crash: a name either holds a whole file or nothing."""

from __future__ import annotations

import contextlib
import os
import platform
import time
import uuid
from pathlib import Path

from norface.errors import OutputError

STALE_AFTER_S = 3600.0
"""A file is written from memory in one go; a temporary one this old belongs to a run that died, on whatever machine."""

_HOST = platform.node().replace(".", "_")
_ATTEMPTS = 3


def write_durably(path: Path, data: bytes | memoryview) -> None:
    """Write under a temporary name, flush to the disk, then rename; make parent folders.

    Raises:
        OutputError: No permission, no space left, or a file stands where a folder should be.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(_ATTEMPTS):
            try:
                _write_and_rename(path, data)
                break
            except FileNotFoundError:  # a run elsewhere took the temporary file for a dead run's, see `remove_stale`
                if attempt == _ATTEMPTS - 1:
                    raise
    except OSError as error:
        raise OutputError(
            expected="a place to write to",
            found=error.strerror or str(error),
            where=str(path),
            action="Free some space, change the permissions or choose another folder, then run the same command again.",
        ) from error
    _flush_folder(path.parent)


def _write_and_rename(path: Path, data: bytes | memoryview) -> None:
    temporary = path.with_name(f".{path.name}.{_HOST}.{os.getpid()}.{uuid.uuid4().hex[:12]}.tmp")
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


def _flush_folder(folder: Path) -> None:
    # Makes the new name itself durable. Not every file system can, and the data are safe without.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_stale(folder: Path) -> None:
    """Delete the temporary files of runs that were killed; those of running ones stay.

    Whether a process of this machine still runs, its number tells; one of another machine is given `STALE_AFTER_S`.
    Should that be wrong (two containers that call themselves by one name), the other run writes its file once more.
    """
    for temporary in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):  # another process may be faster
            if _writer_is_gone(temporary.name) or time.time() - temporary.stat().st_mtime > STALE_AFTER_S:
                temporary.unlink()


def _writer_is_gone(name: str) -> bool:
    host, process = ["", "", *name.split(".")][-4:-2]
    if os.name != "posix" or host != _HOST or not process.isdigit():  # elsewhere signal 0 is no mere question
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it runs, for another user
        return False
    return False
