from __future__ import annotations

from itertools import permutations
from typing import cast

import pytest

from norface.errors import ConfigError
from norface.faces.choose import RULES, Rule, choose
from norface.faces.contract import Box, Detection

LARGE = Detection(Box(0, 0, 60, 60), None, 0.7)
CENTRAL = Detection(Box(80, 80, 40, 40), None, 0.8)
SMALL = Detection(Box(150, 150, 20, 20), None, 0.99)


@pytest.mark.parametrize(
    ("rule", "label", "expected"),
    [
        ("largest", None, LARGE),
        ("central", None, CENTRAL),
        ("label-box", Box(148, 152, 22, 20), SMALL),
        ("label-box", Box(70, 70, 60, 60), CENTRAL),
        ("label-box", None, LARGE),  # the data set does not know this one's box
        ("largest", Box(148, 152, 22, 20), LARGE),  # not asked for
    ],
)
def test_rules(rule: Rule, label: Box | None, expected: Detection) -> None:
    for faces in permutations((LARGE, CENTRAL, SMALL)):
        assert choose(faces, rule=rule, width=200, height=200, label_box=label) is expected


def test_no_face_and_none_at_the_box() -> None:
    for rule in RULES:
        assert choose([], rule=cast(Rule, rule), width=10, height=10, label_box=Box(0, 0, 5, 5)) is None
    assert choose([LARGE], rule="label-box", width=200, height=200, label_box=Box(100, 100, 60, 60)) is None
    barely = Box(55, 55, 60, 60)  # 25 of 7175 square pixels in common
    assert choose([LARGE], rule="label-box", width=200, height=200, label_box=barely) is None


def test_ties_do_not_depend_on_the_order() -> None:
    one, other = Detection(Box(0, 0, 10, 10), None, 0.9), Detection(Box(90, 0, 10, 10), None, 0.9)
    surer = Detection(Box(90, 0, 10, 10), None, 0.95)
    for faces in ((one, other), (other, one)):
        assert choose(faces, rule="largest", width=100, height=10) is one
        assert choose(faces, rule="central", width=100, height=10) is one
    assert choose((one, surer), rule="largest", width=100, height=10) is surer


def test_unknown_rule() -> None:
    with pytest.raises(ConfigError, match="largest, central, label-box"):
        choose([], rule=cast(Rule, "nearest"), width=1, height=1)
