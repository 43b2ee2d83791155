from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from norface.cache import CrossFitted, NormalizedBatch
from norface.errors import AlignmentError, ConfigError, LeakageError
from norface.imaging.alignment import Alignment

SMALL = Alignment(8)


@dataclass
class Painter:
    """Paints every face in one shade."""

    fingerprint: str
    subjects: tuple[str, ...]
    alignment: Alignment = SMALL
    shade: float = 0.0

    def normalize(self, original: Tensor) -> NormalizedBatch:
        figure = torch.zeros(len(original))
        return NormalizedBatch(torch.full_like(original, self.shade), figure, figure)


PEOPLE = [f"set:p{k}" for k in range(60)]


def painters(parts: int) -> list[Painter]:
    """Each has seen everybody of the first thirty but one part."""
    return [Painter(f"{k}" * 64, tuple(PEOPLE[n] for n in range(30) if n % parts != k)) for k in range(parts)]


def test_everybody_is_normalized_by_one_who_has_not_seen_them() -> None:
    together = CrossFitted(painters(3))
    chosen = together.deal([*PEOPLE, PEOPLE[5]])
    for name, number in zip(PEOPLE, chosen, strict=False):
        assert name not in together.normalizers[number].subjects
    assert chosen[60] == chosen[5]  # one person, one normalizer
    unseen = Counter(chosen[30:60].tolist())  # people of a test meet all of them
    assert unseen.keys() == {0, 1, 2}
    assert together.subjects == tuple(sorted(PEOPLE[:30]))


def test_neither_their_order_nor_the_company_of_a_person_matters() -> None:
    ones = painters(3)
    forward, backward = CrossFitted(ones), CrossFitted(ones[::-1])
    assert forward.fingerprint == backward.fingerprint
    assert forward.deal(PEOPLE).tolist() == backward.deal(PEOPLE).tolist()
    assert forward.deal(PEOPLE[40:41]) == forward.deal(PEOPLE)[40:41]
    assert len({forward.fingerprint, CrossFitted(ones[:2]).fingerprint, ones[0].fingerprint}) == 3


def test_somebody_whom_all_have_seen_is_refused_by_name() -> None:
    together = CrossFitted([Painter("a" * 64, ("set:p1", "set:p2")), Painter("b" * 64, ("set:p2", "p3"))])
    assert together.deal(["set:p1"]).tolist() == [1]
    with pytest.raises(LeakageError, match=r"found 1 on whom all 2 were trained.*: set:p2\."):
        together.deal(["set:p1", "set:p2"])
    assert together.deal(["other:p2"]) >= 0  # the same name in another data set is somebody else
    assert together.deal(["other:p3"]).tolist() == [0]  # a bare name may be anybody


def test_what_cannot_be_cross_fitted_is_refused() -> None:
    one = Painter("a" * 64, ("p1",))
    for several in ([], [one], [one, one]):
        with pytest.raises(ConfigError, match="at least two different normalizers"):
            CrossFitted(several)
    with pytest.raises(AlignmentError, match="cropped alike"):
        CrossFitted([one, Painter("b" * 64, ("p2",), Alignment(16))])
