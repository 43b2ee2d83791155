"""Face tables, splits, pairs, datasets and the data module that serves every stage."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from norface.data.datamodule import FaceDataModule
    from norface.data.pairs import PairPolicy
    from norface.data.table import FaceTable, TableMeta

__all__ = ["FaceDataModule", "FaceTable", "PairPolicy", "TableMeta"]

_MODULES = {"FaceDataModule": "datamodule", "FaceTable": "table", "PairPolicy": "pairs", "TableMeta": "table"}


def __getattr__(name: str) -> object:
    """Import late: reading a table should not cost the seconds that Lightning takes."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
