"""Which packages configurations may take code from, and ``--allow_code PACKAGE``, which adds one.

A configuration builds whatever class it names, and importing a package already runs it. So class paths, wherever they
come from (YAML, options, environment variables, hyper-parameters in a checkpoint), are limited to the packages below
before anything is imported; jsonargparse enforces it. Only the command line can add a package: a configuration that
could allow itself would allow everything.
"""

from __future__ import annotations

import inspect
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from norface.cli.usage import UsageError
from norface.errors import ConfigError

OPTION = "--allow_code"
PACKAGES: tuple[str, ...] = ("norface", "torch", "lightning", "timm", "torchmetrics", "albumentations")
"""Packages whose classes configurations may name. What they merely import, such as ``torch.os``, they may not."""


def take_packages(args: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Take the option, which may be given more than once, out of a command line.

    Returns:
        The other arguments, and the packages.

    Raises:
        UsageError: The option has no value, or one that is not the dotted name of a package or class.
    """
    rest: list[str] = []
    found: list[str] = []
    remaining = iter(args)
    for arg in remaining:
        if arg == OPTION:
            found.append(next(remaining, ""))
        elif arg.startswith(f"{OPTION}="):
            found.append(arg.partition("=")[2])
        else:
            rest.append(arg)
    for package in found:
        if not all(part.isidentifier() for part in package.split(".")) or package.split(".")[0] == "jsonargparse":
            raise UsageError(
                expected="a package, such as my_package, or a class in it",
                found=repr(package),
                where=OPTION,
                action="Name the package that a configuration takes a class from.",
            )
    return rest, tuple(found)


@contextmanager
def only_code_of(packages: Sequence[str]) -> Iterator[None]:
    """Within, class paths may name code of `PACKAGES` and of `packages`, and nothing else."""
    from jsonargparse import set_parsing_settings

    extra = [package for package in packages if package not in PACKAGES]
    set_parsing_settings(
        import_path_denylist=["*"],
        import_path_allowlist=[*PACKAGES, *extra],
        instantiate_subclass_spec_in_any=False,
    )
    try:
        yield
    finally:  # the limit itself stays for the rest of the process
        set_parsing_settings(import_path_denylist=extra)


def check_classes(config: object) -> None:
    """Make sure that a parsed configuration builds objects from classes only.

    jsonargparse also calls functions whose annotation promises the right type, and those do other things on the way.

    Raises:
        ConfigError: A class path names a function or an object.
    """
    for path in _class_paths(config):
        module, _, name = path.rpartition(".")
        # Looked up, not imported: the parser has imported whatever it has allowed.
        if not inspect.isclass(getattr(sys.modules.get(module), name, None)):
            raise ConfigError(
                expected="the path of a class", found=path, where="class_path", action="Name a class of a module."
            )


def _class_paths(value: object) -> Iterator[str]:
    if isinstance(value, Namespace):
        value = vars(value)
    if isinstance(value, Mapping):
        if isinstance(path := value.get("class_path"), str):
            yield path
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _class_paths(item)


def denied(path: str, where: str) -> UsageError:
    """The error for code of a package that is not allowed."""
    return UsageError(
        expected=f"code of {', '.join(PACKAGES)}, or of a package given by {OPTION}",
        found=path,
        where=where,
        action=f"Nothing of it was imported. If you trust that package and this configuration, add "
        f"{OPTION} {path.split('.', maxsplit=1)[0]}",
    )
