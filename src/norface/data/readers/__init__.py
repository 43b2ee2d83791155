"""Readers of published data sets, one file each: the owner's folder becomes rows of a face table."""

from __future__ import annotations

import difflib
import importlib

from norface.data.readers.contract import DatasetReader
from norface.errors import ConfigError

READERS: dict[str, str] = {
    "rafdb": "norface.data.readers.rafdb:RafDb",
    "affectnet": "norface.data.readers.affectnet:AffectNet",
    "fer2013": "norface.data.readers.fer2013:Fer2013",
    "ferplus": "norface.data.readers.ferplus:FerPlus",
    "expw": "norface.data.readers.expw:Expw",
    "sfew": "norface.data.readers.sfew:Sfew",
    "ckplus": "norface.data.readers.ckplus:CkPlus",
    "bp4d": "norface.data.readers.bp4d:Bp4d",
    "bp4d_plus": "norface.data.readers.bp4d_plus:Bp4dPlus",
    "disfa": "norface.data.readers.disfa:Disfa",
    "disfa_plus": "norface.data.readers.disfa_plus:DisfaPlus",
    "folder": "norface.data.readers.folder:ImageFolder",
    "table": "norface.data.readers.table:TableFile",
}
"""Module and class of each reader by the name of its data set. Plain data, so that listing them imports nothing."""


def reader_class(dataset: str) -> type[DatasetReader]:
    """The reader of a data set.

    Raises:
        ConfigError: There is none of this name; suggests a close one.
    """
    if dataset not in READERS:
        close = difflib.get_close_matches(dataset.lower().replace("-", "_"), READERS, n=1, cutoff=0.5)
        hint = f"Did you mean {close[0]}? " if close else ""
        raise ConfigError(
            expected=f"one of {', '.join(READERS)}",
            found=repr(dataset),
            where="--dataset",
            action=f"{hint}`norface data list` describes them all.",
        )
    module, _, name = READERS[dataset].partition(":")
    found: type[DatasetReader] = getattr(importlib.import_module(module), name)
    return found
