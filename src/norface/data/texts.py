"""Many strings in two buffers, for what the worker processes of a loader hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from norface.imaging.sources import string_column


class Texts(Sequence[str]):
    """Strings of a column, by position.

    A list of a million strings is a million objects, and a forked process copies each of them when it reads it, because
    reading counts a reference. These are two Arrow buffers, which all processes share.

    Args:
        values: Strings, or a pandas or Arrow column of them; missing ones become empty.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._values = string_column(values)

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Texts: ...
    def __getitem__(self, index: int | slice) -> str | Texts:
        if isinstance(index, slice):
            return Texts(self._values[index])
        return self._values[int(index)].as_py() or ""

    def take(self, rows: NDArray[np.int64]) -> Texts:
        """The strings at these positions."""
        return Texts(self._values.take(pa.array(rows)))
