"""The settings of one run, as configurations for `norface fit`, and a fingerprint of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from norface.cache.key import canonical_json
from norface.checkpoints import checkpoint_file
from norface.errors import ConfigError
from norface.imaging.files import write_atomically
from norface.protocol.divisions import Division
from norface.protocol.plan import Protocol, Run

Settings = dict[str, Any]
BASE, OWN = "base.yaml", "own.yaml"


@dataclass(frozen=True)
class Planned:
    """A run and everything that decides its outcome.

    Args:
        run: The run.
        folder: Where it writes.
        configs: Paths of the configurations of the protocol, and of those of the variant.
        contents: What these files hold.
        base: What the protocol sets for all variants; between the two.
        own: What the variant and the run set; last.
        parents: Fingerprints of table and normalizer.
    """

    run: Run
    folder: Path
    configs: tuple[list[str], list[str]]
    contents: tuple[list[Any], list[Any]]
    base: Settings
    own: Settings
    parents: dict[str, str]

    def settings(self) -> Settings:
        """All settings as plain data; the paths of configurations do not matter, their contents do."""
        common, variant = self.contents
        return {"configs": common, "base": self.base, "variant": variant, "own": self.own, "parents": self.parents}

    def fingerprint(self) -> str:
        """sha256 (hex) of the settings."""
        return hashlib.sha256(canonical_json(_plain(self.settings()))).hexdigest()

    def words(self) -> list[str]:
        """Options of `norface fit`; the run's own configurations are written first."""
        for name, settings in ((BASE, self.base), (OWN, self.own)):
            write_atomically(self.folder / name, yaml.safe_dump(settings, sort_keys=False).encode())
        paths = [*self.configs[0], str(self.folder / BASE), *self.configs[1], str(self.folder / OWN)]
        return [word for path in paths for word in ("--config", path)]


def plan_runs(protocol: Protocol, found: list[Division], out: Path) -> list[Planned]:
    """Every run of a protocol with its settings, in the order in which they are trained.

    Raises:
        ConfigError: A configuration or the normalizer is missing.
    """
    files = _Files()
    by_name = {division.name: division for division in found}
    tables = {division.name: division.assigned.fingerprint() for division in found}
    planned = []
    for run in protocol.runs(list(by_name)):
        division, variant = by_name[run.fold], protocol.variants[run.variant]
        checkpoint = _filled(protocol.normalizer, run.fold)
        parents = {"table": tables[run.fold]} | ({"normalizer": files.sha256(checkpoint)} if checkpoint else {})
        planned.append(
            Planned(
                run=run,
                folder=out / run.folder,
                configs=(protocol.configs, variant.configs),
                contents=(files.contents(protocol.configs), files.contents(variant.configs)),
                base=_base(protocol, division),
                own=_own(protocol, run, division),
                parents=parents,
            )
        )
    return planned


def _base(protocol: Protocol, division: Division) -> Settings:
    data: Settings = {"table": division.table}
    if division.folds is not None:
        data["folds"] = division.folds
    if protocol.normalizer is not None:
        data |= {
            "source": "cache",
            "cache_dir": _filled(protocol.cache, division.name),
            "normalizer": {
                "class_path": "norface.normalizer.TrainedNormalizer",
                "init_args": {"checkpoint": _filled(protocol.normalizer, division.name)},
            },
        }
    return merged(
        {"data": {"init_args": data}}, protocol.filled(protocol.settings.plain, division.name, division.table)
    )


def _own(protocol: Protocol, run: Run, division: Division) -> Settings:
    data: Settings = {"seed": run.seed}
    if run.people is not None:
        data["few_subjects"] = {"count": run.people, "seed": run.seed}
    own = {
        "seed_everything": run.seed,
        "data": {"init_args": data},
        "model": {"init_args": {"seed": run.seed}},
    }
    variant = protocol.filled(protocol.variants[run.variant].settings.plain, division.name, division.table)
    return merged(variant, own)


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


def _filled(path: str | None, fold: str) -> str | None:
    return None if path is None else path.replace("{fold}", fold)


class _Files:
    """Files that many runs share, read once."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def contents(self, paths: list[str]) -> list[Any]:
        """What configurations hold."""
        return [self._read(path, lambda file: yaml.safe_load(file.read_text(encoding="utf-8"))) for path in paths]

    def sha256(self, path: str) -> str:
        """Of a file's bytes."""

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
                action="Correct the path in the protocol file; paths are relative to the working folder.",
            ) from error
        return self.known[path]
