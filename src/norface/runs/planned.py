"""A run as configurations for `norface fit` and what follows it, with a fingerprint of everything that decides it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml

from norface.cache.key import canonical_json
from norface.checkpoints import checkpoint_file
from norface.errors import ConfigError
from norface.imaging.files import write_atomically

Settings = dict[str, Any]
Words = tuple[str, ...]
R = TypeVar("R")
BASE, OWN = "base.yaml", "own.yaml"


@dataclass(frozen=True, kw_only=True)
class Planned(Generic[R]):
    """A run and everything that decides its outcome.

    Args:
        run: Which one; its text is how it is called.
        folder: Where it writes.
        configs: Paths of the configurations of all runs, and of those of the variant.
        contents: What these files hold.
        base: What is set for all variants; between the two.
        own: What the variant and the run set; last.
        parents: Fingerprints of what it is made from, such as its table.
        more: Further options of `norface fit`.
        then: Command lines of `norface` that follow it, in their order.
        judged: What decides these, where `then` says more than that: it holds folders.
        leaves: File in the folder that says, if the marker does too, that the run is finished.
    """

    run: R
    folder: Path
    configs: tuple[list[str], list[str]]
    contents: tuple[list[Any], list[Any]]
    base: Settings
    own: Settings
    parents: dict[str, str]
    more: Words = ()
    then: tuple[Words, ...] = ()
    judged: Settings | None = None
    leaves: str

    def settings(self) -> Settings:
        """All settings as plain data; the paths of configurations do not matter, their contents do."""
        common, variant = self.contents
        about = {"configs": common, "base": self.base, "variant": variant, "own": self.own, "parents": self.parents}
        return about if self.judged is None else {**about, "judged": self.judged}

    def fingerprint(self) -> str:
        """sha256 (hex) of the settings."""
        return hashlib.sha256(canonical_json(_plain(self.settings()))).hexdigest()

    def words(self) -> list[str]:
        """The configurations as options of `norface fit`; the run's own ones are written first."""
        for name, settings in ((BASE, self.base), (OWN, self.own)):
            write_atomically(self.folder / name, yaml.safe_dump(settings, sort_keys=False).encode())
        paths = [*self.configs[0], str(self.folder / BASE), *self.configs[1], str(self.folder / OWN)]
        return [word for path in paths for word in ("--config", path)]

    def steps(self) -> list[list[str]]:
        """All command lines: a training that goes on where it was interrupted, and what follows it."""
        fit = ["fit", *self.words(), "--run", str(self.folder), "--ckpt_path", "last", *self.more]
        return [fit, *map(list, self.then)]


def merged(first: Settings, second: Settings) -> Settings:
    """Two nested settings as one; where both say something, the second counts."""
    joined = dict(first)
    for key, value in second.items():
        both = isinstance(joined.get(key), dict) and isinstance(value, dict)
        joined[key] = merged(joined[key], value) if both else value
    return joined


def changed(before: Settings, after: Settings, prefix: str = "") -> list[str]:
    """Names of the settings that differ, such as ``own.model.init_args.lr``."""
    names = []
    for key in sorted({*before, *after}):
        one, other = before.get(key), after.get(key)
        if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            one, other = ({str(k + 1): item for k, item in enumerate(items)} for items in (one, other))
        if isinstance(one, dict) and isinstance(other, dict):
            names += changed(one, other, f"{prefix}{key}.")
        elif one != other:
            names.append(f"{prefix}{key}")
    return names


def _plain(settings: Settings) -> Settings:
    plain: Settings = json.loads(json.dumps(settings, default=str))
    return plain


class Files:
    """Files that many runs share, read once."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def contents(self, paths: list[str]) -> list[Any]:
        """What configurations hold.

        Raises:
            ConfigError: One cannot be read.
        """
        return [self._read(path, lambda file: yaml.safe_load(file.read_text(encoding="utf-8"))) for path in paths]

    def sha256(self, path: str) -> str:
        """Of a file's bytes.

        Raises:
            ConfigError: It cannot be read.
        """

        def digest(file: Path) -> str:
            with file.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()

        return str(self._read(str(checkpoint_file(Path(path))), digest))

    def _read(self, path: str, how: Callable[[Path], Any]) -> Any:
        try:
            if path not in self.known:
                self.known[path] = how(Path(path))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise ConfigError(
                expected="a file that can be read",
                found=getattr(error, "strerror", None) or str(error).splitlines()[0],
                where=path,
                action="Correct the path in the protocol or study; paths are relative to the working folder.",
            ) from error
        return self.known[path]
