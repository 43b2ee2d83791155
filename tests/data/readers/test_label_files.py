from __future__ import annotations

from pathlib import Path

import pytest

from norface.data.readers.contract import Skipped
from norface.data.readers.parsing import Labels, code, number, read_labels, split, text_lines
from norface.errors import DatasetError


def read(root: Path, text: str, **options: object) -> Labels:
    (root / "labels.txt").write_text(text, encoding="utf-8", newline="")
    settings: dict[str, object] = {"separator": ",", "numeric": ("code",), **options}
    return read_labels(root, "labels.txt", ("name", "code"), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        (" 3 ", 3),
        ("+3", 3),
        ("-3", -3),
        ("3.0", 3),
        ("3.0000000e+00", 3),
        ("3e2", 300),
        ("00003", 3),
        ("3.", 3),
    ],
)
def test_codes_are_whole_numbers_however_written(text: str, value: int) -> None:
    assert code(text) == value


@pytest.mark.parametrize(
    "text",
    ["", " ", "3.5", "x", "nan", "inf", "1e999", "1_0", "٣", "３", "3 4", "3,4", "0x3", "1e20", "--3", "True", "."],
)
def test_what_is_no_code(text: str) -> None:
    assert code(text) is None


def test_numbers() -> None:
    assert [number(text) for text in ("-0.0553", ".5", "5.", "1e-3", " 2 ")] == [-0.0553, 0.5, 5.0, 0.001, 2.0]
    assert [number(text) for text in ("nan", "-inf", "1e400", "", "1_0", "²")] == [None] * 6


@pytest.mark.parametrize(
    "text", ["a,1\nb,2", "name,code\na,1\nb,2\n", "Code, Name\n1,a\n2 ,b\n\n", "n_a.m e,CODE\na,1\nb,2"]
)
def test_header_is_optional_and_decides_the_order(tmp_path: Path, text: str) -> None:
    labels = read(tmp_path, text)
    assert labels.columns == {"name": ["a", "b"], "code": ["1", "2"]}
    assert labels.header == ("a" not in text[:1])
    assert labels.skipped == ()


def test_header_can_be_forced_or_forbidden(tmp_path: Path) -> None:
    assert read(tmp_path, "1,name\n2,3", header=False, numeric=()).columns["code"] == ["name", "3"]
    with pytest.raises(DatasetError, match=r"no column name in a, 1"):
        read(tmp_path, "a,1\nb,2", header=True)


def test_only_wanted_columns_are_kept(tmp_path: Path) -> None:
    assert read(tmp_path, "a,1\nb,x\nc,3", wanted=("name",)).columns == {"name": ["a", "c"]}


def test_comments_are_left_out(tmp_path: Path) -> None:
    labels = read(tmp_path, "# a comment\nname,code\n# another\na,1\n", comment="#")
    assert (labels.columns["name"], labels.lines) == (["a"], [4])


def test_places_count_every_line(tmp_path: Path) -> None:
    labels = read(tmp_path, "\n\na,1\n\nb,2,3\nc,3\n")
    assert [labels.place(row) for row in range(len(labels))] == ["labels.txt:3", "labels.txt:6"]
    assert labels.skipped == (Skipped("labels.txt:5", "unreadable label"),)


def test_a_quote_that_is_not_closed_spoils_its_own_line_only(tmp_path: Path) -> None:
    labels = read(tmp_path, 'a,1\n"b,2\nc,3\n"d,x",4\n')
    assert labels.columns["name"] == ["a", "c", "d,x"]
    assert [one.what for one in labels.skipped] == ["labels.txt:2"]


def test_most_lines_must_fit(tmp_path: Path) -> None:
    assert len(read(tmp_path, "a,1\nb")) == 1
    with pytest.raises(DatasetError, match=r"'b' in line 2, and 1 more such lines"):
        read(tmp_path, "a,1\nb\nc")


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff"])
def test_empty_files(tmp_path: Path, text: str) -> None:
    with pytest.raises(DatasetError, match="an empty file"):
        read(tmp_path, text)


def test_header_alone_has_no_labels(tmp_path: Path) -> None:
    assert len(read(tmp_path, "name,code\n")) == 0


def test_missing_file_and_folder_instead(tmp_path: Path) -> None:
    for path in ("none.txt", "."):
        with pytest.raises(DatasetError, match="a readable label file"):
            read_labels(tmp_path, path, ("name",), separator=None)


def test_white_space_leaves_spaces_in_the_first_column() -> None:
    assert split("a b c  1\t2", None, 3) == ["a b c", "1", "2"]
    assert split("1", None, 3) == ["1"]


def test_bytes_that_are_not_utf8_match_no_name(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(b"a\xe9,1\nb,2\n")
    assert [line for _, line in text_lines(tmp_path, "labels.txt")] == ["a\ufffd,1", "b,2"]


@pytest.mark.parametrize("character", ["\x1c", "\x1d", "\x1e", "\x1f"])
def test_separators_of_ascii_are_damage_and_no_spaces(tmp_path: Path, character: str) -> None:
    (tmp_path / "labels.txt").write_bytes(f"{character} 3\n4{character}5\n".encode())
    assert [line for _, line in text_lines(tmp_path, "labels.txt")] == ["\ufffd 3", "4\ufffd5"]
