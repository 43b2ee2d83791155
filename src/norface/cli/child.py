"""Runs a `norface` command line in a process of its own, so that its end, however bad, is not that of others."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

PATIENCE_S = 60.0
"""How long an interrupted run may take to end by itself."""


def launch(words: list[str], log: Path) -> int:
    """Run a command line to its end.

    Args:
        words: Command and options.
        log: File that gets what it prints, at its end.

    Returns:
        Its exit code; below 0 where a signal ended it.

    Raises:
        KeyboardInterrupt: This process was interrupted; the other one has been asked to stop, and has stopped.
    """
    with log.open("ab") as stream:
        # A process group of its own: Ctrl-C reaches this process alone, which passes it on once.
        command = [sys.executable, "-m", "norface", *words]
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, process_group=0)
        # What a scheduler sends at the end of its patience counts as Ctrl-C; else the run would be left to itself.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            return process.wait()
        except BaseException:
            _stop(process)
            raise
        finally:
            signal.signal(signal.SIGTERM, before)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(PATIENCE_S)
    except BaseException:  # too slow, or a second Ctrl-C
        process.kill()
        process.wait()
