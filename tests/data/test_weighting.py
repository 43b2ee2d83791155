from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norface.data.weighting import balanced_weights
from norface.errors import ConfigError


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-1, 4), min_size=1, max_size=60).filter(lambda codes: max(codes) >= 0))
def test_every_emotion_has_the_same_weight(codes: list[int]) -> None:
    emotions = np.array(codes)
    weights = balanced_weights(emotions)
    present = sorted(set(codes) - {-1})
    assert [weights[emotions == code].sum() for code in present] == pytest.approx([1 / len(present)] * len(present))
    assert (weights[emotions < 0] == 0).all()


def test_no_emotion_is_known() -> None:
    with pytest.raises(ConfigError, match="Set sampling to uniform"):
        balanced_weights(np.array([-1, -1]))
