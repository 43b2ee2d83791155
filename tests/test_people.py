from __future__ import annotations

import pytest

from norface.people import SAME_PEOPLE, common_people, dataset_of, person, person_space


def test_disfa_plus_shows_people_of_disfa() -> None:
    assert person_space({"dataset": "disfa_plus"}) == person_space({"dataset": "disfa"}) == "disfa"
    assert person_space({"dataset": "bp4d_plus"}) == "bp4d_plus"  # 140 other people with BP4D's names
    assert dataset_of({"dataset": "disfa_plus"}) == "disfa_plus"
    assert set(SAME_PEOPLE) == {"disfa_plus", "ferplus"}


@pytest.mark.parametrize(
    "provenance", [{}, {"dataset": "folder"}, {"dataset": "table"}, {"dataset": ""}, {"dataset": 3}]
)
def test_tables_of_nobody_in_particular_have_bare_names(provenance: dict[str, object]) -> None:
    assert person_space(provenance) is None
    assert person("ann", person_space(provenance)) == "ann"


def test_common_people() -> None:
    assert common_people(["disfa:SN001", "disfa:SN002"], ["disfa:SN001", "disfa:SN009"]) == ("disfa:SN001",)
    assert common_people(["bp4d:F001"], ["bp4d_plus:F001"]) == ()
    assert common_people(["s1", "s2"], ["s2", "s3"]) == ("s2",)
    # A bare name may be anybody of that name, on either side.
    assert common_people(["disfa:SN001", "disfa:SN002"], ["SN001"]) == ("disfa:SN001",)
    assert common_people(["SN001", "SN003"], ["disfa:SN001"]) == ("SN001",)
    assert common_people([], ["a"]) == common_people(["a"], []) == ()
