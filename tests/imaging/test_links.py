from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from norface.data.readers.folder import ImageFolder
from norface.data.table import FaceTable
from norface.errors import DatasetError, ImageError, LinkError
from norface.imaging.files import encode_png, write_png
from norface.imaging.links import LINKS_VARIABLE
from norface.imaging.pixels import Pixels
from norface.imaging.sources import ImageRoot


def picture(value: int) -> Pixels:
    return np.full((8, 8, 3), value, np.uint8)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    write_png(tmp_path / "elsewhere/a.png", picture(9))
    with zipfile.ZipFile(tmp_path / "elsewhere/z.zip", "w") as file:
        file.writestr("a.png", encode_png(picture(9)))
    return tmp_path / "elsewhere"


@pytest.fixture
def root(tmp_path: Path, elsewhere: Path) -> Path:
    """Links of every kind to `elsewhere`, and some that stay inside."""
    root = tmp_path / "faces"
    write_png(root / "inside/a.png", picture(1))
    (root / "near").symlink_to("inside")
    (root / "near.png").symlink_to(root / "inside/a.png")
    (root / "folder").symlink_to(elsewhere)
    (root / "file.png").symlink_to(elsewhere / "a.png")
    (root / "z.zip").symlink_to("../elsewhere/z.zip")
    (root / "chain.png").symlink_to("file.png")
    (root / "inside/up").symlink_to("../..")
    return root


OUTSIDE = ("folder/a.png", "file.png", "z.zip!a.png", "chain.png", "inside/up/elsewhere/a.png")
INSIDE = ("inside/a.png", "near/a.png", "near.png", "inside/up/faces/inside/a.png")


def test_links_inside_the_root_are_followed(root: Path) -> None:
    for reference in INSIDE:
        assert ImageRoot(root).read(reference)[0, 0, 0] == 1
    assert ImageRoot(root).exist(list(INSIDE)).all()


@pytest.mark.parametrize("reference", OUTSIDE)
def test_links_out_of_the_root_are_refused(root: Path, reference: str) -> None:
    with pytest.raises(LinkError, match=rf"export {LINKS_VARIABLE}=") as caught:
        ImageRoot(root).read(reference)
    assert str(root.parent / "elsewhere") in str(caught.value)
    with pytest.raises(LinkError):
        ImageRoot(root).read_bytes(reference)
    if "!" in reference:
        with pytest.raises(LinkError):
            ImageRoot(root).exist([reference])
    else:
        assert not ImageRoot(root).exist([reference]).any()


@pytest.mark.parametrize("allowed", ["{0}", "/nowhere:{0}", "{0}/", "{0}/..", "/"])
def test_links_to_where_the_user_allows_are_followed(
    root: Path, elsewhere: Path, allowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LINKS_VARIABLE, allowed.format(elsewhere))
    for reference in OUTSIDE:
        assert ImageRoot(root).read(reference)[0, 0, 0] == 9
    assert ImageRoot(root).exist(list(OUTSIDE)).all()


@pytest.mark.parametrize("allowed", ["", ":", "/nowhere", "elsewhere", "{0}x", "{0}/a"])
def test_other_folders_do_not_help(root: Path, elsewhere: Path, allowed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LINKS_VARIABLE, allowed.format(elsewhere))
    with pytest.raises(LinkError):
        ImageRoot(root).read("folder/a.png")


def test_a_folder_beside_the_root_that_begins_like_it_is_outside(tmp_path: Path) -> None:
    write_png(tmp_path / "root2/a.png", picture(1))
    (tmp_path / "root").mkdir()
    (tmp_path / "root/a.png").symlink_to(tmp_path / "root2/a.png")
    with pytest.raises(LinkError):
        ImageRoot(tmp_path / "root").read("a.png")


def test_the_root_itself_may_be_a_link_and_relative(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root.parent / "linked").symlink_to(root)
    monkeypatch.chdir(root.parent)
    assert ImageRoot(root.parent / "linked").read("inside/a.png")[0, 0, 0] == 1
    assert ImageRoot(Path("linked")).read("near/a.png")[0, 0, 0] == 1


def test_a_relative_root_is_another_one_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        write_png(tmp_path / name / "faces/a.png", picture(1))
    (tmp_path / "secret.png").write_bytes(encode_png(picture(9)))
    monkeypatch.chdir(tmp_path / "one")
    ImageRoot(Path("faces")).read("a.png")
    (tmp_path / "two/faces/b.png").symlink_to(tmp_path / "secret.png")
    monkeypatch.chdir(tmp_path / "two")
    with pytest.raises(LinkError):
        ImageRoot(Path("faces")).read("b.png")


def test_loops_and_dangling_links(tmp_path: Path) -> None:
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    for name in ("loop.png", "gone.png"):
        with pytest.raises(ImageError):
            ImageRoot(tmp_path).read(name)


def test_a_table_says_how_to_allow_its_links_before_anything_is_read(root: Path, elsewhere: Path) -> None:
    frame = pd.DataFrame({"image": ["inside/a.png", "folder/a.png"], "subject": ["a", "b"]})
    frame.to_csv(root / "faces.csv", index=False)
    (root / "faces.json").write_text('{"alignment": {"template": "own", "size": 8, "margin": 0.0, "drop": 0.0}}')
    with pytest.raises(LinkError, match=f"{LINKS_VARIABLE}={elsewhere}"):
        FaceTable.load(root / "faces.csv")


def test_links_that_nobody_names_do_not_matter(root: Path) -> None:
    pd.DataFrame({"image": ["inside/a.png"], "subject": ["a"]}).to_csv(root / "faces.csv", index=False)
    (root / "faces.json").write_text('{"alignment": {"template": "own", "size": 8, "margin": 0.0, "drop": 0.0}}')
    assert len(FaceTable.load(root / "faces.csv")) == 1


def test_readers_of_data_sets_say_so_too(tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set/happy").symlink_to(elsewhere)
    (problem,) = ImageFolder().check(tmp_path / "set")
    assert f"export {LINKS_VARIABLE}=" in problem.action
    with pytest.raises(DatasetError, match=LINKS_VARIABLE):
        ImageFolder().read(tmp_path / "set")
    monkeypatch.setenv(LINKS_VARIABLE, os.fspath(elsewhere))
    assert ImageFolder().read(tmp_path / "set").rows["image"].tolist() == ["happy/a.png"]
