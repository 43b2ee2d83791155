"""Finding an owner's files: every folder is listed once, case does not matter, and a wrong level is named."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from norface.data.readers.contract import Problem
from norface.errors import DatasetError, LinkError
from norface.imaging.links import inside

IMAGE_SUFFIXES: tuple[str, ...] = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
"""Suffixes of image files, lower case."""

_OF_THE_SYSTEM = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
_LAST_NUMBER = re.compile(r"(\d+)(?:\.[^.]*)?$", re.ASCII)
_TO_CLEAN = re.compile(r"\\|//|/\./|^\.?/|/\.?$")
_SEARCHED_FOLDERS = 50
_DEEPEST = 64


def fold(name: str) -> str:
    """A name as it is compared: without case, and composed as macOS's archives are not."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).lower()


def has_suffix(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a file name ends with one of these lower-case suffixes, whatever its own case."""
    return name.lower().endswith(suffixes)


@dataclass(frozen=True)
class _Names:
    files: dict[str, str] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)


class Listing:
    """What lies below a root. All paths are POSIX, relative to the root; ``""`` is the root itself.

    Files of the operating system (``.DS_Store``, ``._a.jpg``, ``Thumbs.db``, ``__MACOSX``) are not seen at all.

    Args:
        root: The owner's folder.
        check_links: Whether links that lead out of the root are an error, see `norface.imaging.links`.

    Raises:
        DatasetError: A folder cannot be listed, or has a link that must not be followed (from every method).
    """

    def __init__(self, root: Path, *, check_links: bool = False) -> None:
        self.root, self.check_links = root, check_links
        self.undecodable: list[str] = []
        """Entries whose names are not UTF-8, escaped, so far as they were listed; no table can name them."""
        self._listed: dict[str, _Names] = {}
        self._true_folders: dict[str, str | None] = {"": ""}

    def files(self, folder: str = "", suffixes: tuple[str, ...] = ()) -> list[str]:
        """Names of the files in a folder, sorted; of those with one of `suffixes` (lower case) where some are given.

        A folder that is not there has no files.
        """
        names = self._names(folder)
        found = set(names.files.values()) if names else set()
        return sorted(name for name in found if not suffixes or has_suffix(name, suffixes))

    def folders(self, folder: str = "") -> list[str]:
        """Names of the folders in a folder, sorted."""
        names = self._names(folder)
        return sorted(set(names.folders.values())) if names else []

    def find(self, path: str) -> str | None:
        """Path of a file or folder as it is truly spelt, or None. Exact spelling wins over another case."""
        return self.find_all((path,))[0] or self._true_folder(_clean(path))

    def find_all(self, paths: Iterable[str]) -> list[str | None]:
        """For each path of a file, how it is truly spelt, or None where there is none."""
        found: list[str | None] = []
        for path in paths:
            folder, _, name = _clean(path).rpartition("/")
            names = self._names(folder)
            true = (names.files.get(name) or names.files.get(fold(name))) if names else None
            found.append(true and join(self._true_folders[folder] or "", true))
        return found

    def walk(self, folder: str = "", suffixes: tuple[str, ...] = ()) -> Iterator[str]:
        """Paths of all files below a folder, sorted by folder; a link that leads back up is not followed."""
        seen: set[tuple[int, int]] = set()
        top = self._true_folder(folder)
        waiting = [] if top is None else [top]
        while waiting:
            current = waiting.pop()
            status = (self.root / current).stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            yield from (join(current, name) for name in self.files(current, suffixes))
            waiting += [join(current, name) for name in reversed(self.folders(current))]

    def _names(self, folder: str) -> _Names | None:
        """Names in a folder given in any case; None where it is not there."""
        true = self._true_folder(folder)
        if true is None:
            return None
        if true not in self._listed:
            self._listed[true] = self._scan(true)
        return self._listed[true]

    def _true_folder(self, folder: str) -> str | None:
        if folder.count("/") > _DEEPEST:
            return None
        if folder not in self._true_folders:
            parent, _, name = folder.rpartition("/")
            names = self._names(parent)
            true = (names.folders.get(name) or names.folders.get(fold(name))) if names else None
            self._true_folders[folder] = true and join(self._true_folders[parent] or "", true)
        return self._true_folders[folder]

    def _scan(self, folder: str) -> _Names:
        names = _Names()
        try:
            with os.scandir(self.root / folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if entry.name.startswith(".") or entry.name.lower() in _OF_THE_SYSTEM:
                        continue
                    if not is_utf8(entry.name):
                        self.undecodable.append(join(folder, os.fsencode(entry.name).decode(errors="backslashreplace")))
                        continue
                    if self.check_links and entry.is_symlink():
                        self._check_link(join(folder, entry.name))
                    (names.folders if entry.is_dir() else names.files)[entry.name] = entry.name
        except OSError as error:
            raise DatasetError(
                expected="a folder that can be listed",
                found=error.strerror or str(error),
                where=str(self.root / folder),
                action="Correct the path or its permissions.",
            ) from error
        for group in (names.files, names.folders):
            for name in list(group):
                group.setdefault(fold(name), name)
        return names

    def _check_link(self, path: str) -> None:
        try:
            inside(self.root, path)
        except LinkError as error:
            raise DatasetError(
                expected=error.expected, found=error.found, where=error.where, action=error.action
            ) from error


def join(folder: str, name: str) -> str:
    """Path of a name in a folder; ``""`` is the root."""
    return f"{folder}/{name}" if folder else name


def _clean(path: str) -> str:
    """Label files written on Windows have back slashes; some begin with ``./``."""
    if not _TO_CLEAN.search(path):
        return path
    return "/".join(part for part in path.replace("\\", "/").split("/") if part not in {"", "."})


def is_utf8(name: str) -> bool:
    """Whether a file's name is text: other bytes arrive from the file system as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def frame_number(name: str) -> int | None:
    """The last number in a file's name, its suffix aside: 12 for ``12.jpg``, ``0012.png`` and ``SN001_0012``."""
    match = _LAST_NUMBER.search(name)
    return int(match[1]) if match else None


def by_frame_number(names: Iterable[str]) -> tuple[dict[int, str], list[str]]:
    """File names by their frame number, so that padding with zeros does not matter.

    Returns:
        Names by number, ascending; and the names left out: without a number, or a second one of the same frame.
    """
    numbered: dict[int, str] = {}
    left_out: list[str] = []
    for name in sorted(names):
        number = frame_number(name)
        if number is None or number in numbered:
            left_out.append(name)
        else:
            numbered[number] = name
    return dict(sorted(numbered.items())), left_out


def wrong_level(root: Path, marks: Sequence[str]) -> Problem | None:
    """Says whether `root` is the right folder, and if not, which one seems to be.

    Args:
        root: Folder given by the user.
        marks: Files or folders of which at least one stands in the right folder; none: any folder is right.

    Returns:
        None where a mark is there. Otherwise a fatal problem, which names the folder up to two levels below or above
        that has one.
    """
    expected = f"a folder with {' or '.join(marks[:4])}" if marks else "a folder"
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing there"
        return Problem(str(root), expected, found, "Correct the path of --root.")
    if not marks or _count_marks(root, marks):
        return None
    around = [(_count_marks(folder, marks), folder, level) for folder, level in _around(root)]
    most = max((count for count, _, _ in around), default=0)
    if most > 0:
        folder, level = next((folder, level) for count, folder, level in around if count == most)
        found = f"a folder {level}: what is looked for lies in {folder}"
        return Problem(str(root), expected, found, f"Use --root {folder}")
    names = Listing(root)
    present = ", ".join((names.folders() + names.files())[:8]) or "an empty folder"
    return Problem(str(root), expected, present, "Unpack the data set there, or correct the path of --root.")


def _around(root: Path) -> Iterator[tuple[Path, str]]:
    below = [root / name for name in Listing(root).folders()[:_SEARCHED_FOLDERS]]
    yield from ((folder, "one level too high") for folder in below)
    parents = root.resolve().parents
    yield from ((folder, f"{word} too low") for folder, word in zip(parents, ("one level", "two levels"), strict=False))
    for folder in below:
        names = Listing(folder).folders() if os.access(folder, os.R_OK | os.X_OK) else []
        yield from ((folder / name, "two levels too high") for name in names[:_SEARCHED_FOLDERS])


def _count_marks(folder: Path, marks: Sequence[str]) -> int:
    if not os.access(folder, os.R_OK | os.X_OK):
        return 0
    listing = Listing(folder)
    return sum(listing.find(mark) is not None for mark in marks)


def missing(listing: Listing, path: str, what: str, action: str, *, fatal: bool = True) -> tuple[Problem, ...]:
    """One problem where a file or folder is not there, none where it is.

    Args:
        listing: Of the root.
        path: Where it should be, in any case.
        what: What it is, in words.
        action: What to do about it.
        fatal: Whether the set cannot be read without it.
    """
    if listing.find(path) is not None:
        return ()
    parent = path.rpartition("/")[0]
    siblings = (listing.folders(parent) + listing.files(parent))[:6]
    found = f"nothing of that name; {parent or 'the folder'} has {', '.join(siblings) or 'nothing'}"
    return (Problem(path, what, found, action, fatal),)


def refuse(problems: Iterable[Problem]) -> None:
    """Raise the first fatal problem.

    Raises:
        DatasetError: There is one.
    """
    for problem in problems:
        if problem.fatal:
            raise DatasetError(
                expected=problem.expected, found=problem.found, where=problem.where, action=problem.action
            )
