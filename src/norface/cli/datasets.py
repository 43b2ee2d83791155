"""The data sets that can be read: ``norface data list``, ``norface data check --dataset``, and readers with options."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from norface.cli.usage import UsageError, did_you_mean, entry

if TYPE_CHECKING:
    from norface.cli.parsing import Parser
    from norface.data.readers.contract import DatasetInfo, DatasetReader, Problem

SHOWN = 20
_TASKS = {"fer": "emotions", "au": "action units", "au-intensity": "intensities"}


def list_sets(*, dataset: str | None = None) -> None:
    """Name every data set that can be read: its tasks, its licence and where to ask for it.

    Args:
        dataset: Show one of them in full: the folder as its owner delivers it, and the options of its reader.
    """
    from norface.data.readers import READERS, reader_class

    if dataset is not None:
        _print_in_full(reader_class(dataset)().info)
        return
    for name in READERS:
        info = reader_class(name).info
        print(f"{name:<12} {info.title}")
        print(f"{'':<12} {_vocabulary(info)}; {info.licence}")
        print(f"{'':<12} {info.source}\n" if info.source else "")
    print("`norface data list --dataset NAME` shows the folder that is expected and the options of the reader.")


def check_folder(*, dataset: str, root: Path, reader: dict[str, Any] | None = None) -> bool:
    """Check an owner's folder, without touching it: what is missing, what is left over, which labels break the format.

    Args:
        dataset: Which data set; `norface data list` names them.
        root: The folder as its owner delivers it.
        reader: Options of the data set's reader, such as --reader.classes 7.

    Returns:
        Whether it can be read.
    """
    made, _ = make_reader(dataset, reader or {}, prog="norface data check")
    problems = made.check(root)
    fatal = [problem for problem in problems if problem.fatal]
    _print_problems(problems)
    if fatal:
        print(f"\n{made.info.title}, the folder that is expected:\n\n{_indented(made.info.tree)}\n")
        print(f"{root} cannot be read yet: {len(fatal)} of what is listed above must be put right")
    elif problems:
        print(f"{root} can be read; what is listed above is left out")
    else:
        print(f"{root} is complete, as far as names and labels tell")
    return not fatal


def make_reader(dataset: str, options: Mapping[str, object], *, prog: str) -> tuple[DatasetReader, dict[str, object]]:
    """A reader with options as they stand on a command line.

    Args:
        dataset: Its name.
        options: Values by name, as a command line gives them.
        prog: The command, for messages.

    Returns:
        The reader, and all of its options as plain data.

    Raises:
        ConfigError: There is no such data set, option or value.
    """
    from norface.data.readers import reader_class

    cls = reader_class(dataset)
    parser = _options_parser(dataset, prog)
    defaults = parser.get_defaults().get("reader")
    known = sorted(vars(defaults)) if defaults is not None else []
    unknown = [name for name in options if name not in known]
    if unknown:
        raise UsageError(
            expected=f"an option of the reader {dataset}: {', '.join(known) or 'it has none'}",
            found=f"--reader.{unknown[0]}",
            where=prog,
            action=f"{did_you_mean(unknown[0], known)}`norface data list --dataset {dataset}` explains them.",
        )
    # Back to text, so that the option's own type decides what 7 and true are.
    parsed = parser.parse_args([f"--reader.{name}={_as_text(value)}" for name, value in options.items()])
    given = dict(vars(parsed["reader"])) if known else {}
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
    return cls(**given), plain


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _options_parser(dataset: str, prog: str) -> Parser:
    """A parser that knows the reader's options, with their types, as ``--reader.<name>``."""
    from norface.cli.parsing import Parser
    from norface.data.readers import reader_class

    parser = Parser(prog=prog, usage="", allow_abbrev=False)
    parser.add_class_arguments(reader_class(dataset), "reader")
    return parser


def _print_in_full(info: DatasetInfo) -> None:
    print(f"{info.title}\n")
    lines = {
        "name": info.name,
        "tasks": ", ".join(info.tasks),
        "emotions": ", ".join(info.emotions),
        "AUs": " ".join(map(str, info.aus)),
        "subjects": "" if info.subjects_known else "not known: every image is a subject of its own",
        "licence": info.licence,
        "source": info.source,
    }
    for label, text in lines.items():
        if text:
            print(f"  {label:<10} {text}")
    print(f"\nThe folder that is expected:\n\n{_indented(info.tree)}\n")
    help_text = _options_parser(info.name, "norface data prepare").format_help()
    options = help_text.partition("  --reader.")
    if options[1]:
        explained = f"{options[1]}{options[2].rstrip()}".replace("``", "")
        print(f"Options of the reader:\n\n{explained}\n")
    print(f"norface data check --dataset {info.name} --root FOLDER")
    print(f"norface data prepare --dataset {info.name} --root FOLDER --out data/{info.name} --detector ...")


def _print_problems(problems: Sequence[Problem]) -> None:
    for problem in problems[:SHOWN]:
        print(f"{'MISS' if problem.fatal else 'note'}  {problem.where}")
        print(entry("expected", problem.expected, indent=6))
        print(entry("found", problem.found, indent=6))
        print(entry("to do", problem.action, indent=6))
    if len(problems) > SHOWN:
        print(f"  ... and {len(problems) - SHOWN} more")


def _vocabulary(info: DatasetInfo) -> str:
    counts = {"fer": f"{len(info.emotions)} " if info.emotions else "", "au": f"{len(info.aus)} " if info.aus else ""}
    return ", ".join(f"{counts.get(task, '')}{_TASKS[task]}" for task in info.tasks)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
