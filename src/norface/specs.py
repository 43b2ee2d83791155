"""Describe an object as plain data and build it again: how networks travel inside checkpoints.

A checkpoint must open with ``weights_only=True``, so it holds no pickled objects. A class that inherits `Described`
remembers the arguments it was made with; `describe` turns them into ``{"class_path": ..., "init_args": ...}``, the same
form that the YAML configurations use, and `build` makes the object again. Only classes of norface itself can be built.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Mapping
from functools import wraps
from typing import Any

from norface.errors import CheckpointError, NorfaceError

Spec = dict[str, Any]

_CLASS_PATH = re.compile(r"(norface(?:\.[A-Za-z]\w*)+)\.([A-Za-z]\w*)", re.ASCII)  # no private and no special names


class Described:
    """Base of classes whose constructor arguments are kept in `init_args`."""

    init_args: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            cls.__init__ = _remembering(cls.__init__)  # type: ignore[method-assign]


def _remembering(init: Any) -> Any:
    signature = inspect.signature(init)

    @wraps(init)
    def wrapper(self: Described, *args: Any, **kwargs: Any) -> None:
        if "init_args" not in self.__dict__:  # the outermost constructor knows what the user asked for
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            # Past nn.Module.__setattr__, which would register networks a second time under this name.
            self.__dict__["init_args"] = {k: v for k, v in bound.arguments.items() if k != "self"}
        init(self, *args, **kwargs)

    return wrapper


def describe(obj: Described) -> Spec:
    """Plain data from which `build` makes an equal object (weights apart).

    Raises:
        TypeError: An argument is neither plain data nor itself `Described`.
    """
    cls = type(obj)
    arguments = {name: _plain(value) for name, value in obj.init_args.items()}
    return {"class_path": f"{cls.__module__}.{cls.__qualname__}", "init_args": arguments}


def _plain(value: Any) -> Any:
    if isinstance(value, Described):
        return describe(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} cannot be described as plain data")


def build(spec: Any, *, where: str) -> Any:
    """Make the object that `describe` described.

    Args:
        spec: What `describe` returned.
        where: File it was read from, for the error message.

    Raises:
        CheckpointError: The description is malformed, names a class outside norface or arguments that it does not take.
    """
    if not (isinstance(spec, Mapping) and isinstance(spec.get("class_path"), str)):
        raise CheckpointError(
            expected="a network description with a class_path",
            found=type(spec).__name__,
            where=where,
            action="Train the network again, or use a checkpoint that norface wrote.",
        )
    cls = _described_class(spec["class_path"])
    if cls is None:
        raise CheckpointError(
            expected="a network class of norface",
            found=str(spec["class_path"])[:200],
            where=where,
            action="Use a checkpoint of this version of norface.",
        )
    try:
        return cls(**{key: _built(value, where) for key, value in spec.get("init_args", {}).items()})
    except NorfaceError:
        raise
    except Exception as error:  # what a constructor makes of arbitrary arguments
        raise CheckpointError(
            expected=f"arguments that {cls.__name__} takes",
            found=f"{type(error).__name__}: {str(error)[:200]}",
            where=where,
            action="Use a checkpoint of this version of norface.",
        ) from error


def _described_class(path: str) -> type[Described] | None:
    match = _CLASS_PATH.fullmatch(path)
    if match is None:
        return None
    try:
        found = getattr(importlib.import_module(match[1]), match[2], None)
    except ImportError:
        return None
    return found if isinstance(found, type) and issubclass(found, Described) else None


def _built(value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        if "class_path" in value:
            return build(value, where=where)
        return {key: _built(item, where) for key, item in value.items()}
    if isinstance(value, list):
        return [_built(item, where) for item in value]
    return value
