"""What an unfinished preparation keeps on disk: its settings, and one small file for each finished part."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from norface.errors import ConfigError
from norface.faces.plan import Part
from norface.imaging.files import write_atomically

PARTS_FOLDER = ".prepare"
SETTINGS_FILE = "settings.json"

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of one row.

    Args:
        row: Position in the reading.
        why: Why it has no crop, in a few words that can be counted; empty = it has one.
        detail: More about it, for people.
        box: left, top, width, height of the face in pixels of the image.
        score: The detector's confidence, 0..1.
        points: Five landmarks in pixels of the image, flat: x, y, x, y, ...; None where only a box is known.
        placed: The same in pixels of the crop.
        size: Bytes of the crop's file.
    """

    row: int
    why: str = ""
    detail: str = ""
    box: Numbers | None = None
    score: float | None = None
    points: Numbers | None = None
    placed: Numbers | None = None
    size: int = 0


class Workspace:
    """The parts of one preparation in its output folder.

    Args:
        out: The output folder.
    """

    def __init__(self, out: Path) -> None:
        self.out, self.folder = out, out / PARTS_FOLDER

    @property
    def begun(self) -> bool:
        """Whether a preparation was begun here and not finished."""
        return (self.folder / SETTINGS_FILE).is_file()

    def claim(self, settings: Mapping[str, object]) -> None:
        """Begin with these settings, or go on with them.

        Raises:
            ConfigError: The folder was begun with others.
            OutputError: It cannot be written to.
        """
        path = self.folder / SETTINGS_FILE
        if self.begun:
            require_same(_read_json(path), settings, where=str(self.out))
            for temporary in (*self.folder.glob(".*.tmp"), *self.out.glob("images/*/.*.tmp")):
                temporary.unlink(missing_ok=True)  # of a process that was killed
        write_atomically(path, json.dumps(settings, indent=1).encode())

    def write(self, part: Part, outcomes: Iterable[Outcome]) -> None:
        """Note that a part is finished."""
        rows = [[o.row, o.why, o.detail, o.box, o.score, o.points, o.placed, o.size] for o in outcomes]
        # Not flushed to the disk, which would wait for all crops: after a power cut, `finished` finds what is damaged.
        write_atomically(self._path(part), json.dumps(rows).encode())

    def read(self, part: Part) -> list[Outcome] | None:
        """The outcomes of a finished part, None where it is not."""
        try:
            rows = json.loads(self._path(part).read_bytes())
            outcomes = [_outcome(*row) for row in rows]
        except (OSError, ValueError, TypeError):
            return None
        return outcomes if [outcome.row for outcome in outcomes] == part.rows.tolist() else None

    def finished(self, parts: Iterable[Part], crops: list[str]) -> set[int]:
        """Numbers of the parts that need not be done again: noted, and every crop is still there, in full.

        Args:
            parts: All parts.
            crops: Path of each row's crop, relative to the output folder.
        """
        if not self.folder.is_dir():
            return set()
        sizes: dict[str, dict[str, int]] = {}
        done = set()
        for part in parts:
            outcomes = self.read(part)
            made = [outcome for outcome in outcomes or () if not outcome.why]
            if outcomes is not None and all(self._size(crops[o.row], sizes) == o.size for o in made):
                done.add(part.number)
        return done

    def clear(self) -> None:
        """Forget the parts, after everything they say has been written elsewhere."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, part: Part) -> Path:
        return self.folder / f"{part.number:06d}.json"

    def _size(self, path: str, sizes: dict[str, dict[str, int]]) -> int:
        folder, name = os.path.split(path)
        if folder not in sizes:
            place = self.out / folder
            sizes[folder] = {entry.name: entry.stat().st_size for entry in os.scandir(place)} if place.is_dir() else {}
        return sizes[folder].get(name, -1)


def require_same(found: Mapping[str, object], settings: Mapping[str, object], *, where: str) -> None:
    """Compare the settings that a folder was begun with to those asked for.

    Raises:
        ConfigError: They differ; names what, with both values.
    """
    asked = json.loads(json.dumps(settings))  # as they come back from a file: lists for tuples
    different = [name for name in asked if found.get(name) != asked[name]]
    if different:
        raise ConfigError(
            expected="an empty folder, or one prepared with the same settings: "
            + ", ".join(f"{name} {_short(asked[name])}" for name in different),
            found=", ".join(f"{name} {_short(found.get(name))}" for name in different),
            where=where,
            action="Choose another --out, give the same options, or delete this folder to prepare it anew.",
        )


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 300 else f"{text[:299]}…"


def _read_json(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _outcome(row: int, why: str, detail: str, box: Any, score: Any, points: Any, placed: Any, size: int) -> Outcome:
    return Outcome(row, why, detail, _numbers(box), score, _numbers(points), _numbers(placed), size)


def _numbers(item: list[float] | None) -> Numbers | None:
    return None if item is None else tuple(item)
