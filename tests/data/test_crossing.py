from __future__ import annotations

import logging
from pathlib import Path

import pytest

from norface.data.crossing import CROSSINGS, FER_CLASSES, cross, crossing
from norface.data.published import protocol
from norface.data.subjects import FOLD, shares_people
from norface.data.table import FaceTable
from norface.errors import ConfigError, SplitError, TableError
from norface.labels import EMOTIONS
from small_tables import sides, small_table

SEVEN = EMOTIONS[:7]


def named(dataset: str, subjects: list[str], **options: object) -> tuple[str, FaceTable]:
    root = Path("/d") / dataset
    return dataset, small_table(subjects, provenance={"dataset": dataset}, root=root, **options)  # type: ignore[arg-type]


def test_the_known_pairs() -> None:
    pairs = {(known.source, known.target) for known in CROSSINGS}
    assert {("bp4d", "disfa"), ("disfa", "bp4d"), ("disfa", "disfa_plus")} < pairs
    assert {target for source, target in pairs if source == "rafdb"} == {
        "ckplus",
        "sfew",
        "fer2013",
        "expw",
        "affectnet",
    }
    assert crossing("bp4d", "disfa").aus == crossing("disfa", "bp4d").aus == (1, 2, 4, 6, 12)
    assert crossing("rafdb", "sfew").emotions == FER_CLASSES
    assert set(FER_CLASSES) == set(EMOTIONS) - {"contempt"}
    assert FER_CLASSES[0] == "surprise" and FER_CLASSES[6] == "neutral"
    with pytest.raises(ConfigError, match=r"rafdb to expw.*found sfew to rafdb"):
        crossing("sfew", "rafdb")


def test_action_units_cross_on_the_common_five() -> None:
    bp4d = named("bp4d", ["F001", "F002", "F003"], emotions=(), aus=(1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24))
    disfa = named("disfa", ["SN001", "SN002"], emotions=(), aus=(1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26))
    table = cross(bp4d, disfa, val=1)
    assert table.meta.aus == (1, 2, 4, 6, 12)
    found = sides(table)
    assert found["test"] == {"disfa:SN001", "disfa:SN002"}
    assert len(found["val"]) == 1 and len(found["train"]) == 2
    places = [bp4d[1].meta.aus.index(au) for au in table.meta.aus]
    assert table.occurrence()[:12].tolist() == bp4d[1].occurrence()[:, places].tolist()
    assert shares_people(table)
    fold = table.meta.provenance[FOLD]
    assert isinstance(fold, dict) and fold["source"] == "bp4d" and fold["target"] == "disfa"


def test_emotions_cross_on_seven_classes() -> None:
    split = {f"train_{k}": "train" for k in range(6)} | {"test_0": "test"}
    rafdb = named("rafdb", list(split), emotions=SEVEN, aus=(), split=split)
    ckplus = named("ckplus", [f"S{k:03d}" for k in range(10)], emotions=EMOTIONS, aus=())
    table = cross(rafdb, ckplus)
    assert table.meta.emotions == FER_CLASSES
    contempt = (ckplus[1].frame["emotion"] == "contempt").to_numpy()
    codes = table.emotion_codes()
    assert contempt.any() and (codes[28:][contempt] == -1).all() and (codes[28:][~contempt] >= 0).all()
    assert [FER_CLASSES[code] for code in codes[:28]] == rafdb[1].frame["emotion"].tolist()
    assert sides(table)[""] == {"rafdb:test_0"}  # the source's own test is not trained on
    mixed = table.meta.provenance["mixed"]
    assert isinstance(mixed, dict)
    assert mixed["ckplus"]["emotions_left_out"] == {"contempt": int(contempt.sum())}


def test_one_part_of_the_target() -> None:
    rafdb = named("rafdb", ["a", "b"], emotions=SEVEN, aus=())
    split = {"c": "train", "d": "test", "e": "val"}
    fer = named("fer2013", list(split), emotions=SEVEN, aus=(), split=split)
    found = sides(cross(rafdb, fer, target_split="test"))
    assert found["test"] == {"fer2013:d"} and found[""] == {"fer2013:c", "fer2013:e"}
    with pytest.raises(SplitError, match="'tset'"):
        cross(rafdb, fer, target_split="tset")
    with pytest.raises(SplitError, match="'test'"):
        cross(rafdb, named("expw", ["x"], emotions=SEVEN, aus=()), target_split="test")


def test_people_of_disfa_plus_are_not_trained_on(caplog: pytest.LogCaptureFixture) -> None:
    aus = crossing("disfa", "disfa_plus").aus
    nine = ["SN001", "SN003", "SN004", "SN007", "SN009", "SN010", "SN013", "SN025", "SN027"]
    disfa = named("disfa", list(protocol("disfa").subjects), emotions=(), aus=aus)
    plus = named("disfa_plus", nine, emotions=(), aus=aus)
    with caplog.at_level(logging.WARNING):
        table = cross(disfa, plus)
    assert "9 people of disfa are in disfa_plus too" in caplog.text
    found = sides(table)
    assert found["test"] == {f"disfa:{name}" for name in nine}
    assert len(found["train"] | found["val"]) == 18 and not found["test"] & (found["train"] | found["val"])
    fold = table.meta.provenance[FOLD]
    assert isinstance(fold, dict) and len(fold["people_left_out"]) == 9
    with pytest.raises(SplitError, match="people in disfa who are not in disfa_plus"):
        cross(named("disfa", nine, emotions=(), aus=aus), plus)


def test_a_fold_of_the_source_is_kept() -> None:
    split = {"F001": "train", "F002": "normalizer", "F003": "val", "F004": "test"}
    bp4d = named("bp4d", list(split), emotions=(), aus=(1, 2, 4, 6, 12), split=split)
    table = cross(bp4d, named("disfa", ["SN001"], emotions=(), aus=(1, 2, 4, 6, 12)))
    assert {name: len(who) for name, who in sides(table).items()} == {
        "train": 1,
        "normalizer": 1,
        "val": 1,
        "": 1,
        "test": 1,
    }
    assert not shares_people(table)


def test_other_pairs_need_named_labels() -> None:
    one, two = named("sfew", ["a", "b"], emotions=SEVEN, aus=()), named("rafdb", ["c"], emotions=SEVEN, aus=())
    with pytest.raises(ConfigError, match="Name the emotions or action units"):
        cross(one, two)
    assert cross(one, two, emotions=("happy", "sad")).meta.emotions == ("happy", "sad")
    with pytest.raises(TableError, match="contempt"):
        cross(one, two, emotions=("happy", "contempt"))
