"""Cells of an Arrow column without an object for each: such an object costs more than reading a small image."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


class BinaryCells:
    """The cells of a string or large binary column as slices of its buffer, nothing copied; missing ones are empty.

    Args:
        column: A column of a record batch that was read from a file and validated.
    """

    def __init__(self, column: pa.Array) -> None:
        _, offsets, data = column.buffers()
        kind = np.int64 if pa.types.is_large_binary(column.type) else np.int32
        # A memoryview gives Python's own integers, several times faster than an array does.
        self._offsets = np.frombuffer(offsets, kind, len(column) + 1).data
        self._data = np.frombuffer(b"" if data is None else data, np.uint8).data

    def __getitem__(self, row: int) -> memoryview:
        return self._data[self._offsets[row] : self._offsets[row + 1]]
