from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from norface.data.pairs import PairDraw, PairPolicy
from norface.errors import ConfigError

SUBJECTS = np.array([0, 1, 0, 1, 2, 0, 1, 2, 3], np.int64)


def test_shares_and_targets() -> None:
    draw = PairDraw(PairPolicy(0.4, 0.1, 0.2), SUBJECTS, seed=3)
    drawn = [(i, draw(epoch, i)) for epoch in range(500) for i in range(8)]
    counts: Counter[str] = Counter(pair.kind for _, pair in drawn)
    for kind, share in (("fixed", 0.4), ("same_image", 0.1), ("same_subject", 0.2), ("random", 0.3)):
        assert counts[kind] / len(drawn) == pytest.approx(share, abs=0.03)  # 4 standard errors
    for index, pair in drawn:
        if pair.kind == "fixed":
            assert pair.target == -1
        elif pair.kind == "same_image":
            assert pair.target == index
        elif pair.kind == "same_subject":
            assert pair.target != index
            assert SUBJECTS[pair.target] == SUBJECTS[index]
        else:
            assert SUBJECTS[pair.target] != SUBJECTS[index]


def test_all_other_faces_are_reached_alike() -> None:
    draw = PairDraw(PairPolicy(0.0, 0.0, 0.5), SUBJECTS, seed=0)
    pairs = [draw(epoch, 0) for epoch in range(4000)]
    same = Counter(pair.target for pair in pairs if pair.kind == "same_subject")
    other = Counter(pair.target for pair in pairs if pair.kind == "random")
    assert set(same) == {2, 5}
    assert set(other) == {1, 3, 4, 6, 7, 8}
    assert min(same.values()) > 0.9 * max(same.values()) - 50
    assert min(other.values()) > 0.7 * max(other.values())


def test_draws_depend_on_seed_epoch_and_index_only() -> None:
    def draws(seed: int, epoch: int) -> list[object]:
        draw = PairDraw(PairPolicy(), SUBJECTS, seed=seed)
        return [draw(epoch, i) for i in reversed(range(9))]

    assert draws(1, 5) == draws(1, 5)
    assert draws(1, 5) != draws(1, 6)
    assert draws(1, 5) != draws(2, 5)
    assert draws(0, 1) != draws(1, 0)


def test_people_without_a_second_face_or_without_others() -> None:
    lonely = PairDraw(PairPolicy(0, 0, 1), SUBJECTS, seed=0)(0, 8)
    assert lonely.kind == "random"
    family = PairDraw(PairPolicy(0, 0, 0), np.zeros(3, np.int64), seed=0)(0, 1)
    assert family.kind == "same_subject"
    assert PairDraw(PairPolicy(0, 0, 0), np.zeros(1, np.int64), seed=0)(0, 0).kind == "same_image"


@pytest.mark.parametrize("shares", [(0.6, 0.3, 0.2), (-0.1, 0.0, 0.0)])
def test_impossible_policy(shares: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigError, match="sum to at most 1"):
        PairPolicy(*shares)
