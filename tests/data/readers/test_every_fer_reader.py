"""What holds for every reader of emotions, in every layout: levels, case, names that are not ASCII."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from data.readers import (
    miniature_affectnet,
    miniature_ckplus,
    miniature_expw,
    miniature_fer2013,
    miniature_ferplus,
    miniature_folder,
    miniature_rafdb,
    miniature_sfew,
    miniature_table,
)
from data.readers.miniature import Expected, agree
from norface.data.readers.affectnet import AffectNet
from norface.data.readers.ckplus import CkPlus
from norface.data.readers.contract import DatasetReader
from norface.data.readers.expw import Expw
from norface.data.readers.fer2013 import Fer2013
from norface.data.readers.ferplus import FerPlus
from norface.data.readers.folder import ImageFolder
from norface.data.readers.rafdb import RafDb
from norface.data.readers.sfew import Sfew
from norface.data.readers.table import TableFile
from norface.errors import DatasetError, NorfaceError
from norface.labels import EMOTIONS, TASKS


@dataclass(frozen=True)
class Layout:
    name: str
    reader: DatasetReader
    make: Callable[[Path], Expected]
    inside: str  # a folder in it, where a user may stand by mistake
    fixed: bool = True  # names of folders and files are the owner's


LAYOUTS = (
    Layout("rafdb", RafDb(), miniature_rafdb.make, "Image/aligned"),
    Layout("rafdb original", RafDb(images="original"), miniature_rafdb.make_original, "EmoLabel"),
    Layout("affectnet csv", AffectNet(), miniature_affectnet.make, "Manually_Annotated"),
    Layout("affectnet headerless", AffectNet(), miniature_affectnet.make_headerless, ""),
    Layout("affectnet npy", AffectNet(), miniature_affectnet.make_npy, "train_set/images"),
    Layout("fer2013", Fer2013(), miniature_fer2013.make, ""),
    Layout("ferplus csv", FerPlus(), miniature_ferplus.make, ""),
    Layout("ferplus folders", FerPlus(), miniature_ferplus.make_folders, "FER2013Train"),
    Layout("expw", Expw(), miniature_expw.make, "image/origin"),
    Layout("sfew", Sfew(), miniature_sfew.make, "Train/Angry"),
    Layout("sfew aligned", Sfew(images="aligned"), miniature_sfew.make_aligned, "Train_Aligned_Faces/Angry"),
    Layout("sfew inside", Sfew(images="aligned"), miniature_sfew.make_aligned_inside, "Train/Train_Aligned_Faces"),
    Layout("ckplus", CkPlus(), miniature_ckplus.make, "cohn-kanade-images/S005"),
    Layout("folder", ImageFolder(), miniature_folder.make, "Happiness", False),
    Layout("folder splits", ImageFolder(), miniature_folder.make_splits, "train/angry", False),
    Layout("table", TableFile(), miniature_table.make, "", False),
    Layout("table parquet", TableFile(), miniature_table.make_parquet, "", False),
)

every = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)


@every
def test_reads_what_its_owner_wrote(layout: Layout, tmp_path: Path) -> None:
    expected = layout.make(tmp_path)
    reading = layout.reader.read(tmp_path)
    agree(reading, expected)
    defects = [problem for problem in layout.reader.check(tmp_path) if problem.fatal]
    assert defects == []
    for image in reading.rows["image"]:
        pixels = layout.reader.pixels(tmp_path, image)
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3


@every
def test_reads_the_same_twice_and_writes_nothing(layout: Layout, tmp_path: Path) -> None:
    layout.make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    first, second = layout.reader.read(tmp_path), layout.reader.read(tmp_path)
    assert first.rows.equals(second.rows)
    assert first.skipped == second.skipped
    assert sorted(tmp_path.rglob("*")) == before


@every
def test_names_that_are_not_ascii_and_have_spaces(layout: Layout, tmp_path: Path) -> None:
    root = tmp_path / "Gesichter für München" / "表情 数据"
    root.mkdir(parents=True)
    expected = layout.make(root)
    agree(layout.reader.read(root), expected)


@every
def test_a_folder_one_level_too_high_is_named(layout: Layout, tmp_path: Path) -> None:
    layout.make(tmp_path / "outer" / "the set")
    problem = layout.reader.check(tmp_path / "outer")[0]
    assert problem.fatal
    assert str(tmp_path / "outer" / "the set") in problem.action
    with pytest.raises(DatasetError, match="the set"):
        layout.reader.read(tmp_path / "outer")


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout.inside], ids=lambda layout: layout.name)
def test_a_folder_too_low_is_named(layout: Layout, tmp_path: Path) -> None:
    root = tmp_path / "the set"
    layout.make(root)
    problem = layout.reader.check(root / layout.inside)[0]
    assert problem.fatal
    assert problem.action == f"Use --root {root}"
    assert "too low" in problem.found
    with pytest.raises(DatasetError, match="too low"):
        layout.reader.read(root / layout.inside)


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout.fixed], ids=lambda layout: layout.name)
@pytest.mark.parametrize("change", [str.upper, str.lower, str.swapcase], ids=["upper", "lower", "swapped"])
def test_case_of_names_does_not_matter(layout: Layout, change: Callable[[str], str], tmp_path: Path) -> None:
    expected = layout.make(tmp_path)
    for path in sorted(tmp_path.rglob("*"), key=lambda path: -len(path.parts)):
        path.rename(path.with_name(change(path.name)))
    reading = layout.reader.read(tmp_path)
    assert len(reading.rows) == len(expected.images)
    emotions = reading.rows["emotion"]
    assert sorted(emotions.dropna()) == sorted(expected.emotions.values())
    for image in reading.rows["image"]:
        layout.reader.pixels(tmp_path, image)  # as it is truly spelt


@every
def test_nothing_there_a_file_and_an_empty_folder(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    for name in ("absent", "file", "empty"):
        problems = layout.reader.check(tmp_path / name)
        assert problems
        assert problems[0].fatal
        with pytest.raises(DatasetError):
            layout.reader.read(tmp_path / name)


@every
def test_any_single_file_may_be_missing(layout: Layout, tmp_path: Path) -> None:
    """Whatever is removed, the answer is a reading that says so, or an error that a user can act on."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    expected = layout.make(whole)
    files = sorted(path for path in whole.rglob("*") if path.is_file())
    shutil.copytree(whole, broken)
    for path in files[:: max(len(files) // 12, 1)]:
        copy = broken / path.relative_to(whole)
        copy.unlink()
        try:
            reading = layout.reader.read(broken)
        except NorfaceError:
            assert any(problem.fatal for problem in layout.reader.check(broken))
        else:
            labels = reading.rows.set_index("face_id")["emotion"].dropna().to_dict()
            assert labels.items() <= dict(expected.emotions).items()
        shutil.copy(path, copy)


@every
def test_files_of_the_system_are_not_seen(layout: Layout, tmp_path: Path) -> None:
    expected = layout.make(tmp_path)
    for folder in [tmp_path, *(path for path in tmp_path.rglob("*") if path.is_dir())]:
        for name in (".DS_Store", "._a.jpg", "Thumbs.db"):
            (folder / name).write_bytes(b"\0")
    (tmp_path / "__MACOSX").mkdir()
    agree(layout.reader.read(tmp_path), expected)


@every
def test_info_is_complete(layout: Layout) -> None:
    info = layout.reader.info
    assert info.title
    assert info.licence
    assert info.tree
    assert set(info.tasks) <= set(TASKS)
    assert set(info.emotions) <= set(EMOTIONS)
    counted = {"faces", "subjects", "train", "val", "test", *info.emotions}
    assert {key.rpartition("/")[2] for key in info.literature} <= counted
    by_split = [info.literature[split] for split in ("train", "val", "test") if split in info.literature]
    assert not by_split or sum(by_split) == info.literature["faces"]
    for split in ("train", "val", "test"):
        named = [n for key, n in info.literature.items() if key.startswith(f"{split}/")]
        assert not named or sum(named) == info.literature[split]


def test_expected_is_checked_at_all(tmp_path: Path) -> None:
    expected = miniature_rafdb.make(tmp_path)
    wrong = replace(expected, emotions={**expected.emotions, "train_00001": "happy"})
    with pytest.raises(AssertionError):
        agree(RafDb().read(tmp_path), wrong)
