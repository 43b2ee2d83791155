from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from norface.cache import CacheIdentity
from norface.errors import CacheError
from norface.imaging.alignment import Alignment

OTHERS = {
    "normalizer": "c" * 64,
    "table": "d" * 64,
    "alignment": Alignment(size=9, margin=0.25),
    "cache_format": 99,
    "version": "9.9.9",
}


@pytest.mark.parametrize("parent", OTHERS)
def test_every_parent_changes_the_key(identity: CacheIdentity, parent: str) -> None:
    other = replace(identity, **{parent: OTHERS[parent]})  # type: ignore[arg-type]
    assert other.key != identity.key
    assert other.folder(Path()) != identity.folder(Path())


@pytest.mark.parametrize("parent", OTHERS)
def test_mismatch_names_the_parent_with_both_values(identity: CacheIdentity, parent: str) -> None:
    other = replace(identity, **{parent: OTHERS[parent]})  # type: ignore[arg-type]
    with pytest.raises(CacheError, match=rf"expected {parent} .*found {parent} ") as caught:
        identity.require(other, where="here")
    mine, theirs = getattr(identity, parent), OTHERS[parent]
    shown = (f"size={mine.size}", "size=9") if isinstance(mine, Alignment) else (str(mine), str(theirs))
    assert shown[0] in caught.value.expected
    assert shown[1] in caught.value.found
    assert not any(name in caught.value.found for name in OTHERS if name != parent)


def test_equal_identities_agree(identity: CacheIdentity) -> None:
    whole, fraction = (replace(identity, alignment=Alignment(size=8, margin=margin)) for margin in (0, 0.0))
    assert whole.key == fraction.key
    whole.require(fraction, where="here")
    assert len(identity.folder(Path("caches")).name) == 16
