from __future__ import annotations

import logging
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norface.data.folds import Fold, OfficialSplit, OrderedFold, PublishedFold, SeededFold
from norface.data.published import protocol
from norface.data.splits import check_subject_exclusive
from norface.data.subjects import FOLD, shares_people
from norface.data.table import FaceTable
from norface.data.usual import usual_folds
from norface.errors import ConfigError, SplitError
from small_tables import sides, small_table

DISFA = protocol("disfa")


def disfa(faces: int = 3) -> FaceTable:
    return small_table(DISFA.subjects, faces=faces, emotions=(), provenance={"dataset": "disfa"})


@pytest.mark.parametrize("fold", [*DISFA.folds, *DISFA.aliases])
def test_published_folds_test_one_part_and_train_on_the_others(fold: str) -> None:
    found = sides(PublishedFold(fold, val=0.2).assign(disfa()))
    tested = DISFA.parts[DISFA.tested(fold)]
    assert found["test"] == set(tested)
    assert len(found["val"]) == 4 and found["train"] | found["val"] == set(DISFA.subjects) - set(tested)
    assert set(found) == {"train", "val", "test"}


def test_the_normalizers_people_come_from_the_training_people() -> None:
    assigned = PublishedFold("part1", normalizer_share=0.5, val=2).assign(disfa())
    found = sides(assigned)
    assert {name: len(who) for name, who in found.items()} == {"normalizer": 9, "train": 7, "val": 2, "test": 9}
    assert found["test"] == set(DISFA.parts["part1"])
    assert not shares_people(assigned)
    assert shares_people(PublishedFold("part1").assign(disfa()))
    assert not shares_people(disfa())


@settings(max_examples=40, deadline=None)
@given(
    people=st.integers(2, 30),
    folds=st.integers(2, 6),
    val=st.one_of(st.integers(1, 3), st.floats(0.01, 0.9)),
    share=st.one_of(st.just(0.0), st.floats(0.05, 0.8)),
    seed=st.integers(0, 99),
    ordered=st.booleans(),
)
def test_folds_are_disjoint_and_cover_everybody(
    people: int, folds: int, val: float, share: float, seed: int, ordered: bool
) -> None:
    table = small_table([f"p{k}" for k in range(people)], faces=2, seed=seed)
    tested: Counter[str] = Counter()
    for number in range(1, folds + 1):
        fold: Fold = SeededFold(number, folds=folds, val=val, normalizer_share=share, seed=seed)
        if ordered:
            fold = OrderedFold(number, groups=folds, val=val, normalizer_share=share, seed=seed)
        try:
            assigned = fold.assign(table)
        except SplitError as error:  # too few people: said so, never a fold without training people
            assert "training subjects" in str(error) or "at least one subject in each" in str(error)
            return
        check_subject_exclusive(assigned)
        found = sides(assigned)
        assert set.union(*found.values()) == set(table.frame["subject"])
        assert len(found["train"]) >= 1 and len(found["val"]) >= 1
        assert ("normalizer" in found) is (share > 0)
        tested.update(found["test"])
        again = fold.assign(table)
        assert again.frame["split"].tolist() == assigned.frame["split"].tolist()
    assert tested == Counter(dict.fromkeys(table.frame["subject"], 1))  # everybody is tested once


def test_seeded_folds_have_equal_sizes_and_belong_together() -> None:
    table = small_table([f"p{k:02d}" for k in range(23)])
    parts = [sides(SeededFold(k, folds=5, seed=3).assign(table))["test"] for k in range(1, 6)]
    assert sorted(len(part) for part in parts) == [4, 4, 5, 5, 5]
    other = [sides(SeededFold(k, folds=5, seed=4).assign(table))["test"] for k in range(1, 6)]
    assert parts != other


def test_ordered_folds_take_every_nth_subject() -> None:
    table = small_table([f"S{k:03d}" for k in range(21, 0, -1)])
    assert sides(OrderedFold(1, groups=10).assign(table))["test"] == {"S001", "S011", "S021"}
    assert sides(OrderedFold(10, groups=10).assign(table))["test"] == {"S010", "S020"}


def test_validation_people_do_not_depend_on_the_tested_faces() -> None:
    table = disfa(faces=10)
    other = table.frame.copy()
    tested = other["subject"].isin(DISFA.parts["part1"])
    other.loc[tested, "AU01_c"] = 1 - other.loc[tested, "AU01_c"]
    one, two = (PublishedFold("part1").assign(each) for each in (table, table.with_frame(other)))
    assert sides(one) == sides(two)


def test_people_without_a_usable_face_are_not_carved() -> None:
    table = small_table(["a", "b", "c", "d", "e"])
    table = table.with_frame(table.frame.assign(success=(~table.frame["subject"].isin(["a", "b"])).astype(float)))
    for seed in range(5):
        found = sides(SeededFold(1, folds=2, val=1, seed=seed).assign(table))
        assert not found["val"] & {"a", "b"}


def test_the_fold_stands_in_the_provenance() -> None:
    table = PublishedFold("me-graphau-1", seed=4).assign(disfa())
    assert table.meta.provenance == {
        "dataset": "disfa",
        FOLD: {
            "kind": "PublishedFold",
            "fold": "me-graphau-1",
            "dataset": None,
            "protocol": None,
            "val": 0.15,
            "normalizer_share": 0.0,
            "seed": 4,
            "normalizer": "shared with the classifier",
        },
    }


def test_strangers_and_absent_people(caplog: pytest.LogCaptureFixture) -> None:
    strangers = small_table([*DISFA.subjects, "SN014", "SN033"], provenance={"dataset": "disfa"})
    with pytest.raises(SplitError, match="2 others: SN014, SN033"):
        PublishedFold("part1").assign(strangers)
    partial = small_table([name for name in DISFA.subjects if name != "SN005"], provenance={"dataset": "disfa"})
    with caplog.at_level(logging.WARNING):
        PublishedFold("part1").assign(partial)
    assert "1 subjects of disfa are not in the table: SN005" in caplog.text


def test_published_folds_ask_whose_they_are() -> None:
    nameless = small_table(DISFA.subjects)
    with pytest.raises(ConfigError, match="dataset: disfa"):
        PublishedFold("part1").assign(nameless)
    assert sides(PublishedFold("part1", dataset="disfa").assign(nameless))["test"] == set(DISFA.parts["part1"])
    other = small_table(["SN001"], provenance={"dataset": "disfa_plus"})
    with pytest.raises(SplitError, match="a table of disfa, found one of disfa_plus"):
        PublishedFold("part1", dataset="disfa").assign(other)


def official(**parts: int) -> FaceTable:
    """Faces of unknown people: each is its own subject."""
    names = [f"{part}_{k:03d}" for part, count in parts.items() for k in range(count)]
    return small_table(names, faces=1, aus=(), split={name: name[:-4] for name in names})


def test_official_split_without_validation_carves_it_by_emotion() -> None:
    table = official(train=100, test=20)
    emotions = ["happy"] * 80 + ["sad"] * 20 + ["happy"] * 20
    table = table.with_frame(table.frame.assign(emotion=pd.Series(emotions, dtype="str")))
    assigned = OfficialSplit(val=0.1).assign(table)
    counts = assigned.frame.groupby("split")["emotion"].value_counts().to_dict()
    assert counts == {
        ("train", "happy"): 72,
        ("train", "sad"): 18,
        ("val", "happy"): 8,
        ("val", "sad"): 2,
        ("test", "happy"): 20,
    }


def test_official_validation_is_kept_or_tested() -> None:
    table = official(train=50, val=10, test=10)
    kept = OfficialSplit(normalizer_share=0.2).assign(table).frame["split"].value_counts().to_dict()
    assert kept == {"train": 40, "normalizer": 10, "val": 10, "test": 10}
    assigned = OfficialSplit(test="val", val=0.1).assign(table)
    assert assigned.frame["split"].value_counts().to_dict() == {"train": 45, "test": 10, "": 10, "val": 5}
    assert sides(assigned)["test"] == {f"val_{k:03d}" for k in range(10)}
    assert sides(assigned)[""] == {f"test_{k:03d}" for k in range(10)}


@pytest.mark.parametrize(
    ("table", "fold", "message"),
    [
        (official(train=5, val=3), OfficialSplit(), "none in test.*Set test to val"),
        (official(test=5), OfficialSplit(), "none in train"),
        (small_table(["a", "b"]), OfficialSplit(), "none in train and test"),
        (official(train=1, test=3), OfficialSplit(), "1 training subjects, of whom 1 val"),
        (small_table(["a", "b", "c"]), SeededFold(1, folds=4), "at least one subject in each of 4 folds, found 3"),
        (small_table(["a", "b", "c"]), OrderedFold(1, groups=4), "found 3 subjects"),
        (small_table(["a", "b", "c"]), SeededFold(1, folds=3, val=2), "2 training subjects, of whom 2 val"),
    ],
)
def test_too_few_people_and_missing_parts(table: FaceTable, fold: Fold, message: str) -> None:
    with pytest.raises(SplitError, match=message):
        fold.assign(table)


@pytest.mark.parametrize("options", [{"val": 0}, {"val": -1}, {"val": 1.5}, {"normalizer_share": 1.0}])
def test_impossible_shares(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="Validation subjects come from the training subjects"):
        PublishedFold("part1", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("fold", "folds"), [(0, 5), (6, 5), (1, 1)])
def test_folds_are_counted_from_one(fold: int, folds: int) -> None:
    with pytest.raises(ConfigError, match="from 1"):
        SeededFold(fold, folds=folds)
    with pytest.raises(ConfigError, match="from 1"):
        OrderedFold(fold, groups=folds)


def test_usual_folds() -> None:
    assert list(usual_folds("disfa")) == ["part1", "part2", "part3"]
    assert list(usual_folds("bp4d", protocol_name="fera-2015")) == ["devel"]
    assert list(usual_folds("bp4d_plus")) == ["fold-1", "fold-2", "fold-3", "fold-4"]
    assert [type(fold) for fold in usual_folds("rafdb").values()] == [OfficialSplit]
    assert usual_folds("affectnet")["official"].describe()["test"] == "val"
    assert usual_folds("fer2013")["official"].describe()["test"] == "test"
    assert {type(fold) for fold in usual_folds("ckplus").values()} == {OrderedFold}
    assert len(usual_folds("ckplus")) == 10 and len(usual_folds("ckplus", groups=8)) == 8
    assert {type(fold) for fold in usual_folds("expw").values()} == {SeededFold}
    assert len(usual_folds(None)) == 5
    assert {type(fold) for fold in usual_folds("disfa", groups=9).values()} == {SeededFold}
    assert usual_folds("disfa", val=3)["part1"].val == 3
    with pytest.raises(ConfigError, match="published lists"):
        usual_folds("rafdb", protocol_name="three-fold")


def test_many_single_faces_are_carved_in_proportion() -> None:
    count = 50_000
    frame = pd.DataFrame({"face_id": [f"train_{k}" for k in range(count)], "success": 1.0})
    frame = frame.assign(subject=frame["face_id"], image=frame["face_id"])
    frame = frame.assign(split=np.where(np.arange(count) % 5 == 0, "test", "train"))
    table = small_table(["a"], aus=()).with_frame(frame.assign(emotion=["happy", "sad", "neutral", "sad"] * 12_500))
    found = OfficialSplit(val=0.1).assign(table).frame["split"].value_counts().to_dict()
    assert found == {"train": 36_000, "val": 4_000, "test": 10_000}
