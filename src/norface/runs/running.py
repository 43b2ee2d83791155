"""Computes runs. What is finished is not computed again, what was interrupted goes on, a failure stops no other."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal

from filelock import FileLock, Timeout

from norface.errors import ConfigError, ResultsError
from norface.imaging.files import write_atomically
from norface.runs.planned import Planned, R, changed

MARKER, LOG, RESULTS = "run.json", "log.txt", "results.json"
SCHEMA = 1
INTERRUPTED = 130

State = Literal["finished", "failed", "elsewhere"]
Launch = Callable[[list[str], Path], int]
"""Runs one `norface` command line, writes what it prints to the end of a file, returns its exit code."""


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What became of a run.

    Args:
        planned: The run.
        state: elsewhere: another process is computing it.
        error: Why it failed, empty where it did not.
        seconds: Wall time of training and what follows it; 0 where unknown.
        versions: What it was made with.
    """

    planned: Planned[R]
    state: State
    error: str = ""
    seconds: float = 0.0
    versions: dict[str, str] | None = None


def finished_of(outcomes: Sequence[Outcome[R]], *, name: str, kind: str) -> list[Outcome[R]]:
    """Those that are finished.

    Args:
        outcomes: Of all runs.
        name: Of the protocol or the study.
        kind: ``protocol`` or ``study``.

    Raises:
        ResultsError: None is.
    """
    finished = [one for one in outcomes if one.state == "finished"]
    if not finished:
        errors = [f"{one.planned.run}: {one.error}" for one in outcomes if one.error]
        raise ResultsError(
            expected="at least one finished run",
            found="\n".join(["none", *errors[:1]]),
            where=name,
            action=f"Correct what the error says (each run's log.txt has all of it), then run the {kind} again.",
        )
    return finished


def check_folders(planned: Iterable[Planned[R]]) -> None:
    """Make sure that nothing in the folders of runs was made with other settings.

    Raises:
        ConfigError: A run, finished or begun, was; the settings that differ are named.
    """
    for one in planned:
        marker = _marker(one)
        if marker is not None and marker["fingerprint"] != one.fingerprint():
            names = changed(marker.get("settings", {}), json.loads(json.dumps(one.settings(), default=str)))
            raise ConfigError(
                expected="the settings that this run was begun with",
                found=f"others: {', '.join(names[:8])}{' ...' if len(names) > 8 else ''} changed",
                where=str(one.folder),
                action="Undo the change, name another folder with --out, or delete the folder of this run.",
            )


def run_all(
    planned: Sequence[Planned[R]],
    launch: Launch,
    *,
    versions: dict[str, str],
    began: Callable[[Planned[R]], None] = lambda planned: None,
    ended: Callable[[Outcome[R]], None] = lambda outcome: None,
) -> list[Outcome[R]]:
    """Compute what is missing, one run after the other; several processes on the same folder share the runs.

    Args:
        planned: The runs in their order.
        launch: Runs the command lines of a run, `norface fit` first.
        versions: What runs are made with, kept beside each.
        began, ended: Told before and after each run that has to be computed, or is found finished.

    Raises:
        ConfigError: See `check_folders`.
        KeyboardInterrupt: A run was interrupted.
    """
    check_folders(planned)
    outcomes = []
    for one in planned:
        began(one)
        outcome = _finished(one) or _locked(one, launch, versions)
        ended(outcome)
        outcomes.append(outcome)
    return outcomes


def versions_of(finished: Iterable[Outcome[R]]) -> dict[str, str]:
    """Versions of everything that runs were made with."""
    versions: dict[str, set[str]] = defaultdict(set)
    for outcome in finished:
        for name, version in (outcome.versions or {}).items():
            versions[name].add(version)
    return {name: ", ".join(sorted(found)) for name, found in versions.items()}


def _finished(planned: Planned[R]) -> Outcome[R] | None:
    marker = _marker(planned)
    if marker is None or not marker.get("finished") or not (planned.folder / planned.leaves).is_file():
        return None
    return Outcome(planned, "finished", seconds=float(marker.get("seconds", 0)), versions=marker.get("versions"))


def _locked(planned: Planned[R], launch: Launch, versions: dict[str, str]) -> Outcome[R]:
    planned.folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(planned.folder / ".lock", blocking=False):
            return _finished(planned) or _compute(planned, launch, versions)
    except Timeout:
        return Outcome(planned, "elsewhere")


def _compute(planned: Planned[R], launch: Launch, versions: dict[str, str]) -> Outcome[R]:
    folder = planned.folder
    marker: dict[str, Any] = {
        "schema": SCHEMA,
        "finished": False,
        "fingerprint": planned.fingerprint(),
        "settings": planned.settings(),
        "versions": versions,
    }
    _write(folder, marker)
    (folder / planned.leaves).unlink(missing_ok=True)
    log, start = folder / LOG, time.monotonic()
    printed = log.stat().st_size if log.is_file() else 0
    code = 0
    for words in planned.steps():  # a training that is finished already takes a moment to notice it
        code = launch(words, log)
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        if code != 0:
            break
    seconds = round(time.monotonic() - start, 2)
    if code == 0 and (folder / planned.leaves).is_file():
        _write(folder, {**marker, "finished": True, "seconds": seconds})
        return Outcome(planned, "finished", seconds=seconds, versions=versions)
    return Outcome(planned, "failed", error=_reason(log, printed) or f"exit code {code}", seconds=seconds)


def _reason(log: Path, printed: int) -> str:
    """The error at the end of what a run has printed: norface's own block, or the last line of a traceback."""
    if not log.is_file():
        return ""
    lines = [line for line in log.read_bytes()[printed:].decode(errors="replace").splitlines() if line.strip()]
    starts = [number for number, line in enumerate(lines) if ": stopped (" in line]
    return "\n".join(lines[starts[-1] :] if starts else lines[-1:])[:2_000]


def _marker(planned: Planned[R]) -> dict[str, Any] | None:
    path = planned.folder / MARKER
    if not path.is_file():
        return None
    try:
        marker = json.loads(path.read_bytes())
        if isinstance(marker, dict) and marker.get("schema") == SCHEMA and "fingerprint" in marker:
            return marker
        found = "another schema"
    except ValueError as error:
        found = str(error)
    raise ConfigError(
        expected="what an earlier run has noted",
        found=found,
        where=str(path),
        action="Delete the folder of this run; it is then computed anew.",
    )


def _write(folder: Path, marker: dict[str, Any]) -> None:
    write_atomically(folder / MARKER, json.dumps(marker, indent=1, default=str).encode())
