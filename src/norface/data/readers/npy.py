"""The one number in a tiny .npy file, read without NumPy's parser: hundreds of thousands of them share a few headers.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

import numpy as np

_MAGIC = b"\x93NUMPY"
_LARGEST = 4096
"""More bytes than any file with a single number or short text has."""


def scalar_text(path: Path) -> str | None:
    """The single value of an array as text, whether it is a number or text; None where the file is something else.

    Objects, which only pickle could read, are never loaded.
    """
    try:
        with path.open("rb", buffering=0) as file:
            data = file.read(_LARGEST)
    except OSError:
        return None
    if data[:6] != _MAGIC or len(data) < 12:
        return None
    start = 10 + int.from_bytes(data[8:10], "little") if data[6] == 1 else 12 + int.from_bytes(data[8:12], "little")
    dtype = _dtype(data[:start])
    if dtype is None or len(data) != start + dtype.itemsize:
        return None
    if dtype.kind in "US":  # not by NumPy, which fails badly on code points that do not exist
        encoding = "latin-1" if dtype.kind == "S" else "utf-32-be" if dtype.str[0] == ">" else "utf-32-le"
        return data[start:].decode(encoding, errors="replace").rstrip("\0")
    return str(np.frombuffer(data, dtype, 1, start)[0])


@lru_cache(maxsize=256)
def _dtype(header: bytes) -> np.dtype | None:
    """Type of the value that follows, None where it is not one value of a plain type."""
    try:
        described = ast.literal_eval(header[10 if header[6] == 1 else 12 :].decode("latin-1").strip())
        if set(described) != {"descr", "fortran_order", "shape"} or header[6] > 3:
            return None
        dtype, shape = np.dtype(str(described["descr"])), tuple(described["shape"])
    except (ValueError, TypeError, SyntaxError, KeyError, IndexError, MemoryError, RecursionError):
        return None
    single = all(side == 1 for side in shape)
    return dtype if single and dtype.kind in "iufUS" and 0 < dtype.itemsize < _LARGEST else None
