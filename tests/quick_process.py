"""Processes that run a `norface` command and start in milliseconds, to be killed and interrupted at any moment.

They are forked from a server that has imported everything but computed nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.forkserver import ensure_running
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import jsonargparse  # noqa: F401
import torch

import norface.cli.cache
import norface.cli.launching
import norface.cli.parsing
import norface.cli.training
import norface.data.caching
import norface.normalizer.inference
import norface.teachers  # noqa: F401
from norface.cli.main import main
from sabotage import Sabotage

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__])


@dataclass
class Quick:
    """A command that runs in a process of its own.

    Args:
        process: The process.
        log: What it prints.
    """

    process: BaseProcess
    log: Path

    def wait(self) -> int:
        """Its exit code once it has ended; minus a signal's number if that has ended it."""
        self.process.join(600)
        assert self.process.exitcode is not None, f"still running after ten minutes:\n{self.text}"
        return self.process.exitcode

    def send(self, number: signal.Signals) -> int:
        """Send a signal and wait."""
        assert self.process.pid is not None
        if self.process.is_alive():
            os.kill(self.process.pid, number)
        return self.wait()

    @property
    def text(self) -> str:
        """What it has printed."""
        return self.log.read_text() if self.log.exists() else ""


def start(
    command: Sequence[str], log: Path, *, sabotage: Sabotage | None = None, environment: Mapping[str, str] | None = None
) -> Quick:
    """Start a command; returns when it has begun."""
    _start_server()
    begun = CONTEXT.Event()
    arguments = (list(command), log, sabotage, dict(environment or {}), begun)
    process = CONTEXT.Process(target=_run, args=arguments, daemon=True)
    process.start()
    assert begun.wait(600)
    return Quick(process, log)


def torchrun(command: Sequence[str], count: int, log: Path, sabotages: Sequence[Sabotage | None] = ()) -> list[Quick]:
    """Processes with the environment that torchrun gives to those that it starts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RUN_ID": "none",
        "GROUP_RANK": "0",
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
    }
    sabotages = [*sabotages, *[None] * (count - len(sabotages))]
    words = [*command, "--trainer.devices", str(count)]
    return [
        start(
            words,
            log.with_suffix(f".{rank}"),
            sabotage=sabotages[rank],
            environment={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(count)
    ]


def _start_server() -> None:
    # It imports what it is told to before it learns of this process's path, and says nothing where that fails.
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    try:
        ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def run(command: Sequence[str], log: Path, *, sabotage: Sabotage | None = None) -> int:
    """Run a command; its exit code."""
    return start(command, log, sabotage=sabotage).wait()


def seconds(command: Sequence[str], log: Path) -> float:
    """Run a command; how long it takes."""
    quick = start(command, log)
    began = time.monotonic()
    assert quick.wait() == 0, quick.text
    return time.monotonic() - began


def _run(command: list[str], log: Path, sabotage: Sabotage | None, environment: dict[str, str], begun: Event) -> None:
    with log.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.update(environment)
    torch.set_num_threads(1)
    if sabotage is not None:
        sabotage()
    begun.set()
    code = main(command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it has ended: an interruption comes too late
    sys.exit(code)
