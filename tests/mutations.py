"""Strategies of hypothesis that damage what was whole."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Edit = tuple[int, int, bytes]
_KINDS = 7

anything_in_json: SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", "..", "/etc/passwd", "<script>", "nan", "class_path", "ä\0", "s3://a", "\ud800"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)


def damaged(*wholes: bytes, largest: int = 6) -> SearchStrategy[bytes]:
    """One of several files after a few edits: bits flipped, bytes replaced, cut out, put in, doubled, cut off."""
    edit = st.tuples(st.integers(0, _KINDS - 1), st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=8))
    return st.builds(_edited, st.sampled_from(wholes), st.lists(edit, min_size=1, max_size=largest))


def _edited(data: bytes, edits: list[Edit]) -> bytes:
    for kind, number, new in edits:
        if not data:
            break
        place, length = number % len(data), 1 + number % 97
        head, tail = data[:place], data[place:]
        data = (
            head + bytes([tail[0] ^ (1 << new[0] % 8)]) + tail[1:],
            head + new + tail[len(new) :],
            head + tail[length:],
            head + new + tail,
            head + tail[:length] + tail,
            head,
            head + (b"\xff" if new[0] % 2 else b"\0") * min(len(new), len(tail)) + tail[len(new) :],
        )[kind]
    return data


def damaged_json(whole: Any) -> SearchStrategy[Any]:
    """A JSON document in which some values, at any depth, are replaced, removed or joined by others."""
    return st.lists(st.tuples(st.integers(0, 2**31), st.integers(0, 2), anything_in_json), min_size=1, max_size=3).map(
        lambda edits: _changed(whole, edits)
    )


def _changed(whole: Any, edits: list[tuple[int, int, Any]]) -> Any:
    document = deepcopy(whole)
    for number, kind, new in edits:
        places = list(_places(document))
        if not places:
            return new
        holder, key = places[number % len(places)]
        if kind == 0:
            del holder[key]
        elif kind == 1 or not isinstance(holder, dict):
            holder[key] = new
        else:
            holder[str(new)[:8]] = new
    return document


def _places(document: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    keys: Callable[[Any], Any] = lambda holder: list(holder) if isinstance(holder, dict) else range(len(holder))  # noqa: E731
    waiting = [document]
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, dict | list):
            found += [(holder, key) for key in keys(holder)]
            waiting += [holder[key] for key in keys(holder)]
    return found
