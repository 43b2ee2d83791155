"""Where image files lie: a local folder, or an object store that fsspec knows. Both read whole files and parts of them.

Neither keeps anything open, so both may be shared by threads, inherited by forked processes and sent to spawned ones.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Protocol

from norface.errors import ConfigError, ImageError
from norface.imaging.links import inside

REMOTE_VARIABLE = "NORFACE_REMOTE"


class Storage(Hashable, Protocol):
    """Files below one root; paths are POSIX and relative to it."""

    def where(self, path: str) -> str:
        """A file's full name, for messages."""

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """A file, or `length` bytes of it from `start` on (fewer where it ends before).

        Raises:
            ImageError: It cannot be read.
        """

    def open(self, path: str) -> Any:
        """A context that gives the file, opened for reading and seeking.

        Raises:
            ImageError: It cannot be read.
        """

    def version(self, path: str) -> str:
        """Changes when the file changes: size and time of modification, or what the store knows instead.

        Raises:
            ImageError: There is no such file.
        """

    def names(self, folder: str) -> list[str]:
        """Names of everything directly in a folder; empty where there is no such folder."""


@dataclass(frozen=True)
class LocalStorage:
    """A folder of this machine. Links that lead out of it are refused, see `norface.imaging.links`.

    Args:
        root: The folder.
    """

    root: Path

    def path(self, path: str) -> Path:
        """A file's place on this machine.

        Raises:
            ImageError: A link leads out of the root.
        """
        try:
            return inside(self.root, path)
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            raise _unreadable(self.where(path), error) from error

    def where(self, path: str) -> str:
        """See `Storage`."""
        return str(self.root / path)

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """See `Storage`."""
        try:
            with self.path(path).open("rb") as file:
                if start:
                    file.seek(start)
                return file.read() if length is None else file.read(length)
        except (OSError, ValueError) as error:
            raise _unreadable(self.where(path), error) from error

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """See `Storage`."""
        try:
            file = self.path(path).open("rb")
        except (OSError, ValueError) as error:
            raise _unreadable(self.where(path), error) from error
        with file:
            yield file

    def version(self, path: str) -> str:
        """See `Storage`."""
        try:
            state = self.path(path).stat()
        except (OSError, ValueError) as error:
            raise _unreadable(self.where(path), error) from error
        return f"{state.st_size}-{state.st_mtime_ns}"

    def names(self, folder: str) -> list[str]:
        """See `Storage`; one listing, not one `stat` per file: that takes minutes on network storage.

        Links that lead out of the root are left out.
        """
        try:
            with os.scandir(self.path(f"{folder.rstrip('/')}/" if folder else "")) as entries:
                found = [(entry.name, entry.is_symlink()) for entry in entries]
        except (OSError, ValueError, ImageError):
            return []
        return [
            name
            for name, linked in found
            if not linked or self._allowed(f"{folder.rstrip('/')}/{name}" if folder else name)
        ]

    def _allowed(self, path: str) -> bool:
        try:
            self.path(path)
        except ImageError:
            return False
        return True


@dataclass(frozen=True)
class RemoteStorage:
    """A folder of an object store, by its fsspec URL (``s3://bucket/faces``). What lies there is taken not to change.

    Args:
        url: The folder.

    Raises:
        ConfigError: fsspec, or what it needs for this kind of store, is not installed.
    """

    url: str

    def __post_init__(self) -> None:
        self._system()

    def _system(self) -> tuple[Any, str]:
        # fsspec keeps connections per process and thread, and starts anew after a fork; so nothing is kept here.
        try:
            import fsspec
        except ImportError as error:
            raise _not_installed(self.url, "fsspec", "`pip install 'norface[remote]'`") from error
        try:
            system, base = fsspec.core.url_to_fs(self.url)
        except ImportError as error:  # its message names the package
            raise _not_installed(self.url, str(error), "Install the package that it names") from error
        except ValueError as error:
            raise ConfigError(
                expected="a folder, or the URL of an object store that fsspec knows, like s3://bucket/faces",
                found=str(error),
                where=self.url,
                action="Correct the root of the images.",
            ) from error
        return system, str(base).rstrip("/")

    def _path(self, base: str, path: str) -> str:
        return f"{base}/{path}" if path else base

    def where(self, path: str) -> str:
        """See `Storage`."""
        return f"{self.url.rstrip('/')}/{path}"

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """See `Storage`."""
        system, base = self._system()
        end = None if length is None else start + length
        try:
            return bytes(system.cat_file(self._path(base, path), start=start or None, end=end))
        except Exception as error:  # every store has its own classes of errors
            raise _unreadable(self.where(path), error) from error

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """See `Storage`."""
        system, base = self._system()
        try:
            file = system.open(self._path(base, path), "rb")
        except Exception as error:
            raise _unreadable(self.where(path), error) from error
        with file:
            yield file

    def version(self, path: str) -> str:
        """See `Storage`; asked once per process, because asking is as slow as reading."""
        return _remote_version(self, path)

    def names(self, folder: str) -> list[str]:
        """See `Storage`.

        Raises:
            ImageError: The store does not answer.
        """
        system, base = self._system()
        try:
            entries = system.ls(self._path(base, folder.rstrip("/")), detail=False)
        except FileNotFoundError:
            return []
        except Exception as error:
            raise _unreadable(self.where(folder), error) from error
        return [str(entry).rstrip("/").rsplit("/", 1)[-1] for entry in entries]


@lru_cache(maxsize=1024)
def _remote_version(storage: RemoteStorage, path: str) -> str:
    system, base = storage._system()
    try:
        return f"{system.size(storage._path(base, path))}-{system.checksum(storage._path(base, path))}"
    except Exception as error:
        raise _unreadable(storage.where(path), error) from error


def check_allowed(url: str, *, where: str) -> None:
    """Make sure that a store which a file names is one that the user has allowed: opening it reaches for a network.

    Args:
        url: The store.
        where: The file, for the message.

    Raises:
        ConfigError: ``NORFACE_REMOTE``, a list with commas, has neither the store nor one that it lies in.
    """
    allowed = [entry.strip().rstrip("/") for entry in os.environ.get(REMOTE_VARIABLE, "").split(",") if entry.strip()]
    if ".." not in url and any(url == entry or url.startswith(f"{entry}/") for entry in allowed):
        return
    raise ConfigError(
        expected=f"images on this machine, or in a store that {REMOTE_VARIABLE} lists",
        found=url,
        where=where,
        action=f"Nothing was opened. If you trust it: export {REMOTE_VARIABLE}={url.rstrip('/')}",
    )


def storage_of(root: Path | str) -> Storage:
    """The storage of a root: a URL with ``://`` is fsspec's, everything else a local folder."""
    return RemoteStorage(root) if isinstance(root, str) and "://" in root else LocalStorage(Path(root))


def _unreadable(where: str, error: Exception) -> ImageError:
    said = getattr(error, "strerror", None) or (str(error).splitlines() or [""])[0] or type(error).__name__
    return ImageError(
        expected="a readable file",
        found=str(said),
        where=where,
        action="Check the path and the root folder of the face table.",
    )


def _not_installed(url: str, found: str, action: str) -> ConfigError:
    return ConfigError(
        expected="what reads object stores", found=f"not installed: {found}", where=url, action=f"{action}."
    )
