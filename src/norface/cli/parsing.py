"""A parser that raises `UsageError` where argparse would print fifty lines of usage and exit."""

from __future__ import annotations

import re
from typing import NoReturn

from jsonargparse import ArgumentParser

from norface.cli.allowed_code import denied
from norface.cli.usage import UsageError, did_you_mean

_LONG_OPTION = re.compile(r"(?<![\w-])--[A-Za-z][\w.-]*")
_UNKNOWN = re.compile(r"unrecognized arguments: (.*)", re.DOTALL)
_MISSING = re.compile(r"the following arguments are required: (.*)", re.DOTALL)
_NOT_ACCEPTED = re.compile(r"Option '([^']+)' is not accepted")
_DENIED = re.compile(r"Importing '([^']+)' is not allowed")
_BAD_VALUE = re.compile(r'Parser key "([^"]+)":\s*(.*)', re.DOTALL)
_KEPT_LINES = 6


class Parser(ArgumentParser):
    """jsonargparse's parser with short errors; also the base of LightningCLI's in `norface.cli.training`."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise instead of printing and exiting.

        Raises:
            UsageError: Always.
        """
        if not self.exit_on_error:  # a parser inside a parser: the outer one tells
            super().error(message, ex)
        raise usage_error(message, prog=self.prog, help_text=self.format_help()) from ex


def usage_error(message: str, *, prog: str, help_text: str) -> UsageError:
    """Turn a parser's message into what was expected, found, where, and what to do.

    Args:
        message: What jsonargparse says.
        prog: Program and command.
        help_text: The parser's help, which lists its options.
    """
    prog = prog.replace(" [options]", "")
    see = f"`{prog} --help` lists the options."
    options = sorted(set(_LONG_OPTION.findall(help_text)))
    if match := _DENIED.search(message):
        key = _BAD_VALUE.search(message)
        return denied(match[1], _dashes(key[1]) if key else prog)
    if match := _UNKNOWN.search(message):
        found = match[1].split()[0].partition("=")[0]
        hint = did_you_mean(found, options)
        return UsageError(expected="an option of this command", found=match[1], where=prog, action=hint + see)
    if match := _NOT_ACCEPTED.search(message):
        key = _BAD_VALUE.search(message)
        return UsageError(
            expected="an option that this class or command has",
            found=f"{match[1]!r}",
            where=_dashes(key[1]) if key else prog,
            action=f"Check its spelling and place. `{prog} --{key[1]}.help CLASS` lists those of a class."
            if key
            else did_you_mean(f"--{match[1]}", options) + see,
        )
    if match := _MISSING.search(message):
        return UsageError(expected=match[1], found="nothing", where=prog, action=f"Give it. {see}")
    if match := _BAD_VALUE.search(message):
        return UsageError(
            expected="a value of the right type", found=_shorten(match[2]), where=_dashes(match[1]), action=see
        )
    return UsageError(expected="options that fit together", found=_shorten(message), where=prog, action=see)


def _dashes(key: str) -> str:
    return f"option --{key}"


def _shorten(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    kept = lines if len(lines) <= _KEPT_LINES else [lines[0], "...", *lines[2 - _KEPT_LINES :]]
    return "\n".join(kept)
