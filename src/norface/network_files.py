"""Network files that a user brings: what is known of them, and where they lie. Nothing is downloaded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from norface.errors import NorfaceError

FOLDER_VARIABLE = "NORFACE_WEIGHTS"
DEFAULT_FOLDER = "checkpoints"


@dataclass(frozen=True)
class NetworkFile:
    """A file that a user brings.

    Args:
        reader: What reads it: the name of a detector, or of a teacher's class.
        name: As its owner calls it.
        licence: Who may use it, in a few words.
        source: Page to get it from; not a download address.
        sha256: In hex, where it is known.
    """

    reader: str
    name: str
    licence: str
    source: str
    sha256: str | None = None


def weights_folder() -> Path:
    """Folder of the network files: as NORFACE_WEIGHTS says, or else ``checkpoints``."""
    return Path(os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER)


def file_sha256(path: Path) -> str:
    """sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sha256(path: Path, expected: str | None, *, error: type[NorfaceError]) -> Path:
    """The path, after comparing the file's digest with the expected one; None expects nothing.

    Raises:
        NorfaceError: Of the given class: it is another file.
    """
    if expected is not None and (found := file_sha256(path)) != expected:
        raise error(
            expected=f"the file with sha256 {expected}",
            found=f"one with {found}",
            where=str(path),
            action="It is damaged or another file under this name, and was not opened. Copy the file again from its "
            "source; give a network of your own another name.",
        )
    return path


def pages(files: Sequence[NetworkFile]) -> str:
    """Files with source page and licence, for people."""
    together: dict[tuple[str, str], list[str]] = {}
    for file in files:
        together.setdefault((file.source, file.licence), []).append(file.name)
    return "; ".join(f"{' or '.join(names)} from {page} ({licence})" for (page, licence), names in together.items())
