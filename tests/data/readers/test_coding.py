from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from norface.data.readers import coding
from norface.data.readers.coding import Coding, au_in_name, read_intensity, read_occurrence
from norface.errors import NorfaceError
from norface.labels import AU_NAMES

FILE = "labels.csv"
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# What spreadsheets, editors and damaged disks leave behind, near the border between a number and none.
_ODD = (
    "-1",
    "1.0",
    "1e0",
    "0x1",
    "1_0",
    "nan",
    "inf",
    "1e999",
    "0.1",
    "٣",
    "９",
    "²",
    "\0",
    "\ufeff",
    "#",
    '"',
    "'1'",
    '"1"',
)
SCRAPS = st.sampled_from([*map(str, range(13)), *_ODD, "AU06", "001.jpg", "frame", ""])
NOISE = st.text(alphabet="0123459,.;# \t\r\n\x0b\x1c\u2028\"'-+eAUjpg\0é٣９", max_size=120)
LINES = st.lists(st.lists(SCRAPS, min_size=1, max_size=6), max_size=8)


def files(separator: str) -> st.SearchStrategy[bytes]:
    """Noise, arbitrary bytes, and lines of scraps with a header that may be right."""
    head = st.sampled_from(["", "0,1,2,12\n", "1,1,2,4\n", "0,AU06,x,1\n", "frame,au\n", "# remark\n"])
    lines = LINES.map(lambda rows: "\n".join(separator.join(row) for row in rows))
    good = st.lists(st.tuples(st.integers(0, 9), st.sampled_from("0159")), max_size=9).map(
        lambda rows: "\n".join(f"{frame}{separator}{code}{separator}{code}{separator}0" for frame, code in rows)
    )
    return st.binary(max_size=80) | st.tuples(head, lines | good | NOISE).map(lambda two: "".join(two).encode())


def text_of(data: bytes) -> list[str]:
    """Lines as an editor shows them."""
    text = data.decode("utf-8", errors="replace").removeprefix("\ufeff")
    return [line.strip() for line in re.split("\r\n|\r|\n", text) if line.strip()]


def fields_of(line: str) -> list[str]:
    row: list[str] = next(csv.reader([line], skipinitialspace=True)) if '"' in line else line.split(",")
    return [text.strip() for text in row]


def says(text: str, value: float) -> bool:
    """Whether a cell holds this number, by Python's own reading."""
    try:
        return text.isascii() and float(text) == value
    except ValueError:
        return False


def labels_of(found: Coding) -> Iterator[tuple[int, int, float]]:
    assert found.codes.shape == (len(found.frames), len(found.aus))
    assert (np.diff(found.frames) > 0).all()
    for row, column in zip(*np.nonzero(~np.isnan(found.codes)), strict=True):
        yield int(found.frames[row]), found.aus[column], float(found.codes[row, column])


def both_ways(read: Callable[[], Coding], monkeypatch: pytest.MonkeyPatch) -> Coding | None:
    """Read with and without the shortcut for files without a flaw: the same labels or the same refusal."""
    results: list[Coding | str] = []
    for slowly in (False, True):
        with monkeypatch.context() as patch:
            if slowly:
                patch.setattr(coding, "_all_at_once", lambda lines, described: None)
            try:
                results.append(read())
            except NorfaceError as error:
                results.append(str(error))
    fast, slow = results
    if isinstance(fast, str) or isinstance(slow, str):
        assert fast == slow
        return None
    assert fast.aus == slow.aus
    np.testing.assert_array_equal(fast.frames, slow.frames)
    np.testing.assert_array_equal(fast.codes, slow.codes)
    assert fast.skipped == slow.skipped
    return fast


@FUZZ
@given(data=files(","), flag_last=st.booleans())
def test_occurrences_are_never_invented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, flag_last: bool
) -> None:
    (tmp_path / FILE).write_bytes(data)
    found = both_ways(lambda: read_occurrence(tmp_path, FILE, flag_last=flag_last), monkeypatch)
    if found is None:
        return
    header, *rows = [fields_of(line) for line in text_of(data)]
    for frame, au, value in labels_of(found):
        assert value in {0, 1}
        columns = [k for k, text in enumerate(header) if k and re.fullmatch(f"(?:AU ?)?0*{au}", text)]
        assert any(
            len(row) == len(header) and says(row[0], frame) and says(row[k], value) for row in rows for k in columns
        )


@FUZZ
@given(data=files(","), missing=st.sampled_from([None, 9]))
def test_intensities_are_never_invented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, missing: int | None
) -> None:
    (tmp_path / FILE).write_bytes(data)
    found = both_ways(lambda: read_intensity(tmp_path, FILE, 12, missing=missing), monkeypatch)
    if found is None:
        return
    assert found.aus == (12,)
    rows = [fields_of(line) for line in text_of(data)]
    for frame, _, value in labels_of(found):
        assert value in {0, 1, 2, 3, 4, 5}
        assert any(len(row) == 2 and says(row[0], frame) and says(row[1], value) for row in rows)


@FUZZ
@given(data=files(" "))
def test_intensities_beside_names_of_pictures_are_never_invented(tmp_path: Path, data: bytes) -> None:
    (tmp_path / FILE).write_bytes(data)
    try:
        found = read_intensity(tmp_path, FILE, 4, separator=None)
    except NorfaceError:
        return
    rows = [line.rsplit(None, 1) for line in text_of(data) if not line.startswith("#")]
    for frame, _, value in labels_of(found):
        assert value in {0, 1, 2, 3, 4, 5}
        numbers = [
            (re.findall(r"\d+", row[0], re.ASCII) or ["x"])[-1] for row in rows if len(row) == 2 and says(row[1], value)
        ]
        assert str(frame) in {number.lstrip("0") or "0" for number in numbers}


@FUZZ
@given(
    rows=st.dictionaries(
        st.integers(0, 9_999_999), st.lists(st.sampled_from([0, 1, 9]), min_size=3, max_size=3), min_size=1, max_size=20
    )
)
def test_every_label_of_a_good_file_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: dict[int, list[int]]
) -> None:
    lines = ["0,12,1,40"] + [",".join(map(str, [frame, *codes])) for frame, codes in rows.items()]
    (tmp_path / FILE).write_text("\n".join(lines))
    found = both_ways(lambda: read_occurrence(tmp_path, FILE), monkeypatch)
    assert found is not None
    assert found.aus == (1, 12)
    assert found.unnamed == ("40",)
    assert found.skipped == ()
    wanted = {(f, au, c) for f, codes in rows.items() for au, c in zip((12, 1), codes[:2], strict=True) if c != 9}
    assert set(labels_of(found)) == wanted
    assert set(found.frames.tolist()) == set(rows)


@pytest.mark.parametrize("heading", ["6", "06", "AU6", "AU06", "au 6", " AU_06 ", "AU-6"])
def test_headings_of_a_unit(heading: str) -> None:
    assert au_in_name(heading) == 6


@pytest.mark.parametrize(
    "heading", ["", "0", "99", "3", "6.0", "-6", "AU", "AU6_c", "６", "frame", "1234", "AU06 intensity"]
)
def test_headings_that_name_no_unit(heading: str) -> None:
    assert au_in_name(heading) is None
    assert 3 not in AU_NAMES
