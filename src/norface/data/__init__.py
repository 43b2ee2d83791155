"""Face tables, splits, pairs, datasets and the data module that serves every stage."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from norface.data.datamodule import FaceDataModule
    from norface.data.few import FewSubjects
    from norface.data.folds import OfficialSplit, OrderedFold, PublishedFold, SeededFold
    from norface.data.leave_out import LeaveOut
    from norface.data.pairs import PairPolicy
    from norface.data.stride import EveryNth
    from norface.data.table import FaceTable, TableMeta

__all__ = [
    "EveryNth",
    "FaceDataModule",
    "FaceTable",
    "FewSubjects",
    "LeaveOut",
    "OfficialSplit",
    "OrderedFold",
    "PairPolicy",
    "PublishedFold",
    "SeededFold",
    "TableMeta",
]

_MODULES = {
    "EveryNth": "stride",
    "FaceDataModule": "datamodule",
    "FaceTable": "table",
    "FewSubjects": "few",
    "LeaveOut": "leave_out",
    "OfficialSplit": "folds",
    "OrderedFold": "folds",
    "PairPolicy": "pairs",
    "PublishedFold": "folds",
    "SeededFold": "folds",
    "TableMeta": "table",
}


def __getattr__(name: str) -> object:
    """Import late: reading a table should not cost the seconds that Lightning takes."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
