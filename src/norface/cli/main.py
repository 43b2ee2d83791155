"""The `norface` command: finds the command asked for, runs it, and turns errors into exit codes.

Exit codes: 0 done, 1 a check did not pass, 2 something a user can correct, 130 interrupted. A bug keeps its traceback.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import time

from norface import __version__
from norface.cli.allowed_code import only_code_of, take_packages
from norface.cli.commands import COMMANDS, TRAINING, Command, all_commands
from norface.cli.memory import out_of_memory
from norface.cli.timing import take_timing
from norface.cli.usage import UsageError, did_you_mean, explain
from norface.errors import NorfaceError, OutputError

FAILED, USAGE, INTERRUPTED = 1, 2, 130
GROUP_HELP = "norface.cli.main:group_help"
DISK_TROUBLE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}


def main(args: list[str] | None = None) -> int:
    """Run one command line.

    Args:
        args: Arguments without the program's name; None = those of the process.

    Returns:
        The exit code.
    """
    # Before any library is imported: albumentations asks its server for the newest version, slowly where it is offline.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    args = list(sys.argv[1:] if args is None else args)
    name = ""
    try:
        if not args or args[0] in {"-h", "--help", "help"}:
            print(help_text())
            return 0
        if args[0] in {"-V", "--version"}:
            print(f"norface {__version__}")
            return 0
        name, command, rest = find(args)
        return _run_timed(name, command, rest)
    except BrokenPipeError:  # `norface ... | head` closed the pipe: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        known = users_error(error)
        if known is None:
            raise
        print(explain(known, command=name), file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print(f"\nnorface {name}: interrupted; run the same command again to continue", file=sys.stderr)
        return INTERRUPTED


def users_error(error: BaseException | None) -> NorfaceError | None:
    """What a user can correct in an exception; None where it is a bug.

    Libraries wrap what a constructor raises, so its causes are searched too. A full disk and missing permissions may
    show up anywhere, inside Lightning for instance, and so may the end of memory.
    """
    while error is not None:
        if isinstance(error, NorfaceError):
            return error
        if isinstance(error, OSError) and error.errno in DISK_TROUBLE:
            return OutputError(
                expected="files and folders that can be read and written",
                found=error.strerror or str(error),
                where=str(error.filename or "writing"),
                action="Free some space, change the permissions or choose another folder; then run the command again.",
            )
        if (lack := out_of_memory(error)) is not None:
            return lack
        error = error.__cause__
    return None


def find(args: list[str]) -> tuple[str, Command, list[str]]:
    """Command named by the first one or two words of a command line.

    Returns:
        Its name, the command and the remaining arguments. For a group without a command, help is what remains.

    Raises:
        UsageError: There is no such command.
    """
    commands = all_commands()
    for words in (2, 1):
        name = " ".join(args[:words])
        if name in commands:
            return name, commands[name], args[words:]
    group = [name for name in commands if name.startswith(f"{args[0]} ")]
    if group and (len(args) == 1 or args[1] in {"-h", "--help"}):
        return args[0], Command("", GROUP_HELP), [args[0]]
    asked = " ".join(args[: 2 if group else 1])
    choices = group or [*commands, *(name.split()[0] for name in commands)]
    raise UsageError(
        expected=f"one of {', '.join(group)}" if group else "a command",
        found=repr(asked),
        where="norface",
        action=f"{did_you_mean(asked, choices)}`norface --help` lists the commands.",
    )


def group_help(group: str) -> int:
    """Print the commands of a group such as `cache`."""
    for name, command in all_commands().items():
        if name.startswith(f"{group} "):
            print(f"  norface {name:<16} {command.summary}")
    print(f"\n`norface {group} COMMAND --help` lists the options.")
    return 0


def help_text() -> str:
    """What ``norface --help`` prints."""
    lines = [
        "norface: facial expression analysis that first removes what is not expression",
        "",
        "usage: norface COMMAND [options]",
    ]
    for heading, commands in COMMANDS.items():
        lines += ["", f"{heading}:"]
        lines += [f"  {name:<16} {command.summary}" for name, command in commands.items()]
    lines += [
        "",
        "Options of every command:",
        "  --help                its options",
        "  --timing FILE:STAGE   add its wall time to a results file",
        "  --allow_code PACKAGE  let configurations use classes of a package that is not norface's; may be repeated",
        "",
        "norface --version prints the version. Start with `make demo`, or `norface faces draw --out data/faces`.",
    ]
    return "\n".join(lines)


def _run_timed(name: str, command: Command, args: list[str]) -> int:
    args, timing = take_timing(args)
    args, packages = take_packages(args)
    start = time.perf_counter()
    with only_code_of(packages):
        code = _run(name, command, args)
    if timing is not None and code == 0:
        timing.record(time.perf_counter() - start)
    return code


def _run(name: str, command: Command, args: list[str]) -> int:
    given = {arg.partition("=")[0] for arg in args}
    variant = next((function for option, function in command.variants.items() if option in given), None)
    module, _, attribute = (variant or command.function).partition(":")
    function = getattr(importlib.import_module(module), attribute)
    if command.function == TRAINING:
        return int(function([name, *args]))
    if command.function == GROUP_HELP:
        return group_help(args[0])
    from jsonargparse import auto_cli

    from norface.cli.parsing import Parser

    try:
        result = auto_cli(
            function,
            args=args,
            as_positional=command.positional and variant is None,
            parser_class=Parser,
            prog=f"norface {name}",
            allow_abbrev=False,
        )
    except SystemExit as end:  # --help
        return int(end.code or 0)
    return FAILED if result is False else 0
