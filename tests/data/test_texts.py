from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from norface.data.texts import Texts

WORDS = ["a", "größer", "", "x" * 50, "a"]


@pytest.mark.parametrize("values", [WORDS, pd.Series(WORDS, dtype="str"), pa.chunked_array([WORDS[:2], WORDS[2:]])])
def test_texts_are_a_sequence(values: list[str]) -> None:
    texts = Texts(values)
    assert list(texts) == WORDS
    assert (len(texts), texts[1], texts[np.int64(3)], texts[-1]) == (5, "größer", "x" * 50, "a")  # type: ignore[call-overload]
    assert list(texts[1:3]) == WORDS[1:3]
    assert list(texts.take(np.array([4, 0, 3]))) == ["a", "a", "x" * 50]
    with pytest.raises(IndexError):
        _ = texts[5]


def test_missing_texts_are_empty() -> None:
    assert list(Texts(pd.Series(["a", None, np.nan], dtype="str"))) == ["a", "", ""]


def test_a_part_travels_without_the_whole() -> None:
    texts = Texts([f"{k:040d}" for k in range(10_000)])
    part = pickle.dumps(texts.take(np.arange(10)))
    assert len(part) < 2000
    assert list(pickle.loads(part)) == list(texts[:10])
