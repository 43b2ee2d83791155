"""Where symbolic links below a root may lead: to files below it, and to folders that the user has named.

A data set from others may hold links to anything that its user can read. On clusters links between file systems are
common and wanted: ``NORFACE_LINKS`` lists the folders they may lead to, separated as in PATH; ``/`` allows every link.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from norface.errors import LinkError

LINKS_VARIABLE = "NORFACE_LINKS"


def inside(root: Path, path: str) -> Path:
    """A path below a root, after making sure that its links lead nowhere else.

    Folders are looked at once per process, files each time; neither needs to exist.

    Raises:
        LinkError: A link leads out of the root, to a folder that ``NORFACE_LINKS`` does not list.
    """
    folder, _, name = path.rpartition("/")
    allowed = os.environ.get(LINKS_VARIABLE, "")
    base = str(root)
    if not base.startswith(os.sep):
        base = os.path.abspath(base)  # noqa: PTH100  another one in another working folder
    place = f"{_real_folder(base, folder, allowed)}{os.sep}{name}"  # as text: Path takes several times as long
    if os.path.islink(place):  # noqa: PTH114
        check_link(root, path, os.path.realpath(place))
    return root / path


@lru_cache(maxsize=65536)
def _real_folder(root: str, folder: str, allowed: str) -> str:
    real = os.path.realpath(os.path.join(root, folder))  # noqa: PTH118
    _check(root, folder, real, allowed)
    return real


def check_link(root: Path, path: str, real: str) -> None:
    """Make sure that a link leads to where it may.

    Args:
        root: The folder that must not be left.
        path: The link, relative to it.
        real: Where it leads, without links.

    Raises:
        LinkError: It leads elsewhere.
    """
    _check(str(root), path, real, os.environ.get(LINKS_VARIABLE, ""))


def _check(root: str, path: str, real: str, allowed: str) -> None:
    folders = (root, *(folder for folder in allowed.split(os.pathsep) if folder))
    if any(_below(real, os.path.realpath(folder)) for folder in folders):
        return
    target = Path(real)
    raise LinkError(
        expected="links to files below the same root",
        found=f"one that leads to {real}",
        where=str(Path(root) / path),
        action=f"If you trust it, allow links to there: export {LINKS_VARIABLE}="
        f"{target if target.is_dir() else target.parent} (a list like PATH; a folder further up will do). "
        "Or copy the files.",
    )


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
