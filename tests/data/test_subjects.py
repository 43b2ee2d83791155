from __future__ import annotations

import pytest

from norface.data.subjects import check_unseen, people, people_in
from norface.errors import LeakageError
from small_tables import small_table


def test_people_have_names_that_hold_across_data_sets() -> None:
    split = {"SN001": "test", "SN003": "train"}
    table = small_table(["SN003", "SN001"], faces=1, provenance={"dataset": "disfa_plus"}, split=split)
    assert people(table).tolist() == ["disfa:SN003", "disfa:SN001"]
    assert people_in(table, ("test", "train")) == ("disfa:SN001", "disfa:SN003")
    assert people_in(table, ("val",)) == ()
    bare = small_table(["ann"], faces=1)
    assert people(bare).tolist() == ["ann"] and people(bare, "mine").tolist() == ["mine:ann"]


def test_trained_on_and_tested() -> None:
    assert check_unseen(["disfa:SN001"], ["bp4d:F001"], what="classifier", allow=False) == ()
    with pytest.raises(LeakageError, match=r"that the classifier was not trained on, found 1 .* disfa:SN001"):
        check_unseen(["disfa:SN001"], ["disfa:SN001"], what="classifier", allow=False)
    assert check_unseen(["disfa:SN001"], ["disfa:SN001"], what="classifier", allow=True) == ("disfa:SN001",)
