from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from norface.data.readers.layout import (
    Listing,
    by_frame_number,
    fold,
    frame_number,
    has_suffix,
    join,
    missing,
    refuse,
    wrong_level,
)
from norface.errors import DatasetError


def tree(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")
    return root


def test_paths_are_found_in_any_case_and_spelt_as_on_disk(tmp_path: Path) -> None:
    listing = Listing(tree(tmp_path, "Image/Aligned/A.JPG", "Image/Aligned/b.jpg"))
    wanted = ["image/aligned/a.jpg", "IMAGE/ALIGNED/B.JPG", "Image/Aligned/A.JPG", "image/a.jpg", "", "image"]
    found = listing.find_all(wanted)
    assert found == ["Image/Aligned/A.JPG", "Image/Aligned/b.jpg", "Image/Aligned/A.JPG", None, None, None]
    assert listing.find("IMAGE") == "Image"
    assert listing.find("image/aligned") == "Image/Aligned"
    assert listing.find("") == ""
    assert listing.find("none/there") is None


def test_exact_spelling_wins(tmp_path: Path) -> None:
    listing = Listing(tree(tmp_path, "a/B.jpg", "a/b.jpg", "A/b.jpg"))
    assert listing.find_all(["a/B.jpg", "a/b.jpg", "A/b.jpg"]) == ["a/B.jpg", "a/b.jpg", "A/b.jpg"]
    assert listing.files("a") == ["B.jpg", "b.jpg"]


@pytest.mark.parametrize("path", ["Image\\a.jpg", "./Image/a.jpg", "Image//a.jpg", "/Image/a.jpg", "Image/./a.jpg"])
def test_ways_to_write_a_path(tmp_path: Path, path: str) -> None:
    assert Listing(tree(tmp_path, "Image/a.jpg")).find_all([path]) == ["Image/a.jpg"]


@pytest.mark.parametrize("path", ["../a.jpg", "Image/../a.jpg", "../../a.jpg", "..", "/".join("x" * 5000)])
def test_paths_that_lead_outside_or_nowhere(tmp_path: Path, path: str) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    listing = Listing(tree(tmp_path / "root", "Image/b.jpg"))
    assert listing.find(path) is None


def test_composed_and_decomposed_names_are_the_same(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Müller.jpg")
    listing = Listing(tree(tmp_path, decomposed))
    assert listing.find("MÜLLER.jpg") == decomposed
    assert fold("Ä") == fold(unicodedata.normalize("NFD", "ä"))


def test_each_folder_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, *(f"images/{k}.jpg" for k in range(50)))
    scanned: list[str] = []
    scandir = os.scandir

    def counting(path: Path) -> object:
        scanned.append(str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counting)
    listing = Listing(tmp_path)
    assert None not in listing.find_all(f"IMAGES/{k}.jpg" for k in range(50))
    assert len(scanned) == 2


def test_names_that_are_not_utf8_are_set_aside(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"a\xff.jpg")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    listing = Listing(tree(tmp_path, "b.jpg"))
    assert listing.files() == ["b.jpg"]
    assert listing.undecodable == ["a\\xff.jpg"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may list every folder")
def test_folder_without_permission(tmp_path: Path) -> None:
    tree(tmp_path, "a/b.jpg")
    (tmp_path / "a").chmod(0)
    with pytest.raises(DatasetError, match="a folder that can be listed"):
        Listing(tmp_path).files("a")
    (tmp_path / "a").chmod(0o700)


def test_listing_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="a folder that can be listed"):
        Listing(tmp_path / "none").files()


def test_walk_is_sorted_and_keeps_to_suffixes(tmp_path: Path) -> None:
    listing = Listing(tree(tmp_path, "B/2.jpg", "B/1.PNG", "B/c/3.jpg", "B/x.txt", "other.jpg"))
    assert list(listing.walk("b", (".jpg", ".png"))) == ["B/1.PNG", "B/2.jpg", "B/c/3.jpg"]
    assert list(listing.walk("none")) == []
    assert "other.jpg" in list(listing.walk())


def test_suffixes() -> None:
    assert has_suffix("A.JPG", (".jpg",))
    assert not has_suffix("jpg", (".jpg",))
    assert join("", "a") == "a"
    assert join("a", "b") == "a/b"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("12.jpg", 12),
        ("0012.png", 12),
        ("SN001_0012.jpg", 12),
        ("2440", 2440),
        ("a1b2.jpg", 2),
        ("12a.jpg", None),
        ("x", None),
    ],
)
def test_frame_numbers(name: str, value: int | None) -> None:
    assert frame_number(name) == value


def test_frames_by_number_leave_doubles_out() -> None:
    numbered, left_out = by_frame_number(["10.jpg", "2.jpg", "0002.jpg", "cover.jpg", "001.jpg"])
    assert numbered == {1: "001.jpg", 2: "0002.jpg", 10: "10.jpg"}
    assert list(numbered) == [1, 2, 10]
    assert left_out == ["2.jpg", "cover.jpg"]


def test_levels_are_recognised_up_to_two_away(tmp_path: Path) -> None:
    root = tree(tmp_path / "outer" / "set", "Labels/a.txt", "Images/deep/b.jpg")
    assert wrong_level(root, ("Labels", "Images")) is None
    assert wrong_level(root, ()) is None
    for start, words in (
        (root.parent, "one level too high"),
        (root.parent.parent, "two levels too high"),
        (root / "Images", "one level too low"),
        (root / "Images" / "deep", "two levels too low"),
    ):
        problem = wrong_level(start, ("Labels", "Images"))
        assert problem is not None
        assert words in problem.found
        assert problem.action == f"Use --root {root}"


def test_other_folders_are_described(tmp_path: Path) -> None:
    tree(tmp_path / "set", "x/y/z/a.txt")
    problem = wrong_level(tmp_path / "set" / "x" / "y" / "z", ("Labels",))
    assert problem is not None
    assert (problem.found, problem.fatal) == ("a.txt", True)
    gone = wrong_level(tmp_path / "none", ("Labels",))
    assert gone is not None
    assert gone.found == "nothing there"


def test_missing_parts_and_refusal(tmp_path: Path) -> None:
    listing = Listing(tree(tmp_path, "Labels/other.txt"))
    assert missing(listing, "labels", "the labels", "Unpack them.") == ()
    (problem,) = missing(listing, "Labels/a.txt", "the labels", "Unpack them.", fatal=False)
    assert problem.found == "nothing of that name; Labels has other.txt"
    refuse((problem,))
    with pytest.raises(DatasetError, match="Unpack them"):
        refuse((problem, *missing(listing, "Images", "the images", "Unpack them.")))
