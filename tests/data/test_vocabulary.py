from __future__ import annotations

import pandas as pd
import pytest

from norface.data.vocabulary import restrict
from norface.errors import TableError
from small_tables import small_table


def test_emotions_are_kept_by_name_in_the_order_asked_for() -> None:
    table = small_table(["a"], faces=4)
    table = table.with_frame(table.frame.assign(emotion=pd.Series(["happy", "sad", None, "neutral"], dtype="str")))
    chosen = restrict(table, emotions=("sad", "neutral"))
    assert chosen.meta.emotions == ("sad", "neutral")
    assert chosen.emotion_codes().tolist() == [-1, 0, -1, 1]
    assert len(chosen) == 4 and chosen.meta.provenance == {"emotions_left_out": {"happy": 1}}
    assert chosen.occurrence().tolist() == table.occurrence().tolist()
    reordered = restrict(table, emotions=("sad", "happy", "neutral"))
    assert reordered.emotion_codes().tolist() == [1, 0, -1, 2] and reordered.meta.provenance == {}


def test_action_units_are_kept_by_number() -> None:
    table = small_table(["a", "b"], aus=(1, 4, 12))
    table = table.with_frame(table.frame.assign(AU04_r=2.0))
    chosen = restrict(table, aus=(12, 1))
    assert chosen.meta.aus == (1, 12)
    assert [name for name in chosen.frame.columns if name.startswith("AU")] == ["AU01_c", "AU12_c"]
    assert chosen.occurrence().tolist() == table.occurrence()[:, [0, 2]].tolist()
    assert restrict(table).frame.equals(table.frame)


def test_labels_are_never_made_up() -> None:
    table = small_table(["a"])
    with pytest.raises(TableError, match=r"emotions contempt, fear, found one with neutral, happy, sad"):
        restrict(table, emotions=("happy", "fear", "contempt"))
    with pytest.raises(TableError, match=r"action units 2, found one with 1, 12"):
        restrict(table, aus=(1, 2))
    with pytest.raises(TableError, match=r"found one with none"):
        restrict(small_table(["a"], emotions=()), emotions=("happy",))
