from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from norface.data.few import FewSubjects
from norface.errors import ConfigError, SplitError

PEOPLE = pd.Series([f"p{k // 2}" for k in range(20)], dtype="str")
ROWS = np.arange(16, dtype=np.int64)  # p8 and p9 do not train


def chosen(count: int, seed: int = 0) -> set[str]:
    return set(PEOPLE[FewSubjects(count, seed).kept(PEOPLE, ROWS)])


def test_fewer_are_among_more() -> None:
    for seed in range(5):
        assert chosen(2, seed) < chosen(3, seed) < chosen(8, seed) == {f"p{k}" for k in range(8)}
        assert len(chosen(3, seed)) == 3
    assert len({tuple(sorted(chosen(2, seed))) for seed in range(20)}) > 5


def test_all_faces_of_those_who_train_are_kept() -> None:
    kept = FewSubjects(3).kept(PEOPLE, ROWS)
    assert kept.sum() == 6


def test_too_many_or_none() -> None:
    with pytest.raises(SplitError, match="9 training subjects"):
        chosen(9)
    with pytest.raises(ConfigError, match="at least 1"):
        FewSubjects(0)
