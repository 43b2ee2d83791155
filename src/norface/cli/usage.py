"""What the command line says when it cannot go on: one readable block instead of a traceback or a usage dump."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterable

from norface.errors import ConfigError, NorfaceError

WIDTH = 100


class UsageError(ConfigError):
    """The command line itself cannot be understood."""


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """``"Did you mean ...? "`` with the closest choice, or nothing where none is close."""
    close = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f"Did you mean {close[0]}? " if close else ""


def explain(error: NorfaceError, *, command: str) -> str:
    """The block a user sees on stderr.

    Args:
        error: What went wrong.
        command: Name of the command that stopped, such as ``faces draw``.
    """
    parts = {"where": error.where, "expected": error.expected, "found": error.found, "to do": error.action}
    head = f"norface {command}: stopped ({type(error).__name__})".replace("norface :", "norface:")
    return "\n".join([head, *(entry(name, text) for name, text in parts.items())])


def entry(name: str, text: str, *, indent: int = 2) -> str:
    """A name and its text in two columns, the text wrapped."""
    lines = [wrapped for line in text.splitlines() for wrapped in _wrap(_visible(line))] or [""]
    return "\n".join(f"{'':{indent}}{name if i == 0 else '':<8}  {line}" for i, line in enumerate(lines))


def _wrap(line: str) -> list[str]:
    # Paths and option names stay whole, so that they can be copied.
    return textwrap.wrap(line, WIDTH - 12, break_long_words=False, break_on_hyphens=False) or [""]


def _visible(line: str) -> str:
    # Names come from files of others: control characters would move the cursor, or change the terminal's title.
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in line)
