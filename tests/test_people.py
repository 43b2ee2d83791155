from __future__ import annotations

import pytest

from norface.people import DRAWN, SAME_PEOPLE, common_people, dataset_of, person, person_space
from norface.synthetic.facekit.source import FaceKitFaces
from norface.synthetic.source import ProceduralFaces


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


def test_drawn_people_belong_to_their_source_and_seed() -> None:
    assert person_space({"source": "norface.synthetic.FaceKitFaces", "seed": 0}) == "facekit-0"
    assert person_space({"source": "norface.synthetic.ProceduralFaces", "seed": 7}) == "procedural-7"
    assert set(DRAWN) == {ProceduralFaces.name, FaceKitFaces.name}
    # Whoever prepared drawn faces as a data set of their own has named it.
    assert person_space({"source": ProceduralFaces.name, "seed": 7, "dataset": "disfa_plus"}) == "disfa"
    for nobody in ({"source": ProceduralFaces.name}, {"source": "a camera", "seed": 0}, {"source": 3, "seed": 0}):
        assert person_space(nobody) is None


def test_common_people() -> None:
    assert common_people(["disfa:SN001", "disfa:SN002"], ["disfa:SN001", "disfa:SN009"]) == ("disfa:SN001",)
    assert common_people(["bp4d:F001"], ["bp4d_plus:F001"]) == ()
    assert common_people(["s1", "s2"], ["s2", "s3"]) == ("s2",)
    # A bare name may be anybody of that name, on either side.
    assert common_people(["disfa:SN001", "disfa:SN002"], ["SN001"]) == ("disfa:SN001",)
    assert common_people(["SN001", "SN003"], ["disfa:SN001"]) == ("SN001",)
    assert common_people([], ["a"]) == common_people(["a"], []) == ()
