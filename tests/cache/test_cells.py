from __future__ import annotations

import pyarrow as pa
import pytest

from norface.cache.cells import BinaryCells


@pytest.mark.parametrize("kind", [pa.string(), pa.large_binary()])
@pytest.mark.parametrize("values", [["a", "", "größe"], ["", ""], ["x"], [None, "b", None], [None]])
def test_cells_are_the_bytes_of_the_column(kind: pa.DataType, values: list[str | None]) -> None:
    column = pa.array([None if value is None else value.encode() for value in values], pa.binary()).cast(kind)
    cells = BinaryCells(column)
    assert [bytes(cells[row]) for row in range(len(values))] == [(value or "").encode() for value in values]
