from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from norface.data.published import PROTOCOLS, Protocol, protocol
from norface.errors import ConfigError

ALL = [lists for protocols in PROTOCOLS.values() for lists in protocols]
BP4D = {*(f"F{k:03d}" for k in range(1, 24)), *(f"M{k:03d}" for k in range(1, 19))}
EVERYBODY = {
    "bp4d": BP4D,
    "bp4d_plus": {*(f"F{k:03d}" for k in range(1, 83)), *(f"M{k:03d}" for k in range(1, 59))},
    "disfa": {f"SN{k:03d}" for k in range(1, 33)} - {f"SN{k:03d}" for k in (14, 15, 19, 20, 22)},
}
SIZES = {
    ("bp4d", "three-fold"): {"part1": 14, "part2": 14, "part3": 13},
    ("bp4d", "fera-2015"): {"train": 21, "devel": 20},
    ("bp4d_plus", "four-fold"): {"fold-1": 35, "fold-2": 35, "fold-3": 35, "fold-4": 35},
    ("disfa", "three-fold"): {"part1": 9, "part2": 9, "part3": 9},
}


def name(lists: Protocol) -> str:
    return f"{lists.dataset}-{lists.name}"


@pytest.mark.parametrize("lists", ALL, ids=name)
def test_parts_partition_the_subjects_of_the_data_set(lists: Protocol) -> None:
    sizes = {part: len(subjects) for part, subjects in lists.parts.items()}
    assert sizes == SIZES[lists.dataset, lists.name]
    everybody = [subject for subjects in lists.parts.values() for subject in subjects]
    assert len(everybody) == len(set(everybody))
    assert set(everybody) == EVERYBODY[lists.dataset]  # nobody is missing from any list
    assert list(lists.subjects) == sorted(everybody)


@pytest.mark.parametrize("lists", ALL, ids=name)
def test_folds_and_aliases_lead_to_parts(lists: Protocol) -> None:
    assert set(lists.folds) <= set(lists.parts)
    assert [lists.tested(fold) for fold in lists.folds] == list(lists.folds)
    for alias, fold in lists.aliases.items():
        assert lists.tested(alias) == fold and alias in lists.also_called(fold)


@pytest.mark.parametrize("dataset", ["bp4d", "disfa"])
def test_me_graphau_counts_from_the_other_end(dataset: str) -> None:
    lists = protocol(dataset)
    assert lists.name == "three-fold"
    tested = [lists.tested(f"me-graphau-{number}") for number in (1, 2, 3)]
    assert tested == ["part3", "part2", "part1"]


def test_fera_trains_on_odd_numbers_and_tests_even_ones() -> None:
    lists = protocol("bp4d", "fera-2015")
    assert lists.folds == ("devel",)
    assert {int(subject[1:]) % 2 for subject in lists.parts["train"]} == {1}
    assert {int(subject[1:]) % 2 for subject in lists.parts["devel"]} == {0}


def test_the_lists_are_those_of_the_reference() -> None:
    reference = Path(__file__).resolve().parents[3] / "shared" / "reference" / "datasets.md"
    reference = Path(os.environ.get("NORFACE_REFERENCE", reference))
    if not reference.is_file():
        pytest.skip("the collection of facts is not there; set NORFACE_REFERENCE to datasets.md")
    text = reference.read_text(encoding="utf-8")
    folds = {
        f"fold-{number}": tuple(names.split(", ")) for number, names in re.findall(r"\| fold-(\d) \| (.*?) \|", text)
    }
    assert folds == dict(protocol("bp4d_plus").parts)
    for dataset in ("bp4d", "disfa"):
        section = text[text.index(f"### {dataset.upper()} 3-fold") :]
        listed = re.findall(r"\*\*(part\d)(?: \(\d+\))?\*\*: (.*)", section)[:3]
        assert {part: tuple(names.split()) for part, names in listed} == dict(protocol(dataset).parts)


@pytest.mark.parametrize("fold", ["1", "fold1", "part4", ""])
def test_bare_numbers_are_no_folds(fold: str) -> None:
    with pytest.raises(ConfigError, match=r"me-graphau-1.*Authors number the same folds differently"):
        protocol("disfa").tested(fold)


def test_unknown_data_sets_and_protocols() -> None:
    with pytest.raises(ConfigError, match=r"bp4d, bp4d_plus, disfa, found 'rafdb'.*OfficialSplit"):
        protocol("rafdb")
    with pytest.raises(ConfigError, match="three-fold, fera-2015, found 'five-fold'"):
        protocol("bp4d", "five-fold")
