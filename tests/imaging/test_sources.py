from __future__ import annotations

import importlib.util
import io
import multiprocessing
import pickle
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norface.errors import ConfigError, ImageError
from norface.imaging import archives, storage
from norface.imaging.files import encode_png, write_png
from norface.imaging.pixels import Pixels
from norface.imaging.sources import OUTSIDE, ImageRoot, Reference, read_reference, split_reference

HOSTILE = ("", "/etc/a.png", "../a.png", "a/../../b.png", "C:\\a.png", "C:a.png", "\\\\server\\a.png", "a\\..\\b.png")


def picture(value: int) -> Pixels:
    return np.full((8, 12, 3), value, np.uint8)


def packed(*values: int) -> tuple[bytes, bytes]:
    """A zip and a tar file with pictures ``F001/<value>.png``."""
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as file, tarfile.open(fileobj=tarred, mode="w") as tar:
        for value in values:
            data = encode_png(picture(value))
            file.writestr(f"F001/{value}.png", data)
            info = tarfile.TarInfo(f"./F001/{value}.png")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return zipped.getvalue(), tarred.getvalue()


FILES = {"plain/1.png": encode_png(picture(1)), "plain/größe 2.png": encode_png(picture(2))}
FILES |= dict(zip(("a.zip", "deep/a.tar"), packed(3, 4), strict=True))
KNOWN = {"plain/1.png": 1, "plain/größe 2.png": 2, "a.zip!F001/3.png": 3, "deep/a.tar!F001/4.png": 4}
UNKNOWN = ("plain/3.png", "nowhere/1.png", "a.zip!F001/5.png", "plain/1.png#0")


@pytest.fixture
def folder(tmp_path: Path) -> str:
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return str(tmp_path)


@pytest.fixture
def store() -> Iterator[str]:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for name, data in FILES.items():
        memory.pipe_file(f"/norface/{name}", data)
    archives._index.cache_clear()
    storage._remote_version.cache_clear()
    yield "memory://norface"
    memory.rm("/norface", recursive=True)


@pytest.fixture(params=["folder", "store"])
def root(request: pytest.FixtureRequest) -> ImageRoot:
    return ImageRoot(request.getfixturevalue(request.param))


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("a.jpg", Reference("a.jpg")),
        ("folder/a.zip/b.jpg", Reference("folder/a.zip/b.jpg")),  # a folder may have such a name
        ("F001.zip!T1/0001.jpg", Reference("F001.zip", "T1/0001.jpg")),
        ("x/F001.TAR!a!b.jpg", Reference("x/F001.TAR", "a!b.jpg")),
        ("a.tar.gz!b.jpg", Reference("a.tar.gz", "b.jpg")),
        ("a.tgz!b.jpg", Reference("a.tgz", "b.jpg")),
        ("a.zip!b.zip!c.jpg", Reference("a.zip", "b.zip!c.jpg")),
        ("wow!/a.jpg", Reference("wow!/a.jpg")),
        ("a.zip!", Reference("a.zip!")),
        ("clip.avi#0", Reference("clip.avi", frame=0)),
        ("S 1/clip.MP4#0123", Reference("S 1/clip.MP4", frame=123)),
        ("clip.avi#x", Reference("clip.avi#x")),
        ("clip.avi#1.png", Reference("clip.avi#1.png")),
        ("take #3/a.jpg", Reference("take #3/a.jpg")),
        ("fer2013.csv@17", Reference("fer2013.csv@17")),
    ],
)
def test_references_are_taken_apart(reference: str, expected: Reference) -> None:
    assert split_reference(reference) == expected


@pytest.mark.parametrize("reference", [*HOSTILE, "a.zip!../b.png", "a.zip!x/../../b.png"])
def test_references_that_leave_the_root(folder: str, reference: str) -> None:
    for attempt in (split_reference, ImageRoot(folder).read, ImageRoot(folder).read_bytes):
        with pytest.raises(ImageError, match="a path inside the root"):
            attempt(reference)
    assert not ImageRoot(folder).exist([reference])[0]


def test_video_in_an_archive(folder: str) -> None:
    with pytest.raises(ImageError, match=r"Copy the video out of the archive"):
        ImageRoot(folder).read("a.zip!clip.avi#3")


def test_images_are_read_from_wherever_they_lie(root: ImageRoot) -> None:
    for reference, value in KNOWN.items():
        np.testing.assert_array_equal(root.read(reference), picture(value))
        assert root.read_bytes(reference) == encode_png(picture(value))
    for reference in UNKNOWN:
        with pytest.raises(ImageError) as error:
            root.read(reference)
        assert root.where(reference).split("/")[-1] in error.value.where
    assert root.members("a.zip") == root.members("deep/a.tar") == ["F001/3.png", "F001/4.png"]


def test_bytes_that_are_no_image(folder: str) -> None:
    write_png(Path(folder) / "cut.png", picture(0))
    data = (Path(folder) / "cut.png").read_bytes()[:30]
    with zipfile.ZipFile(Path(folder) / "b.zip", "w") as file:
        file.writestr("cut.png", data)
    with pytest.raises(ImageError, match=r"b.zip!cut.png: expected a whole PNG.*a truncated file"):
        read_reference(Path(folder), "b.zip!cut.png")


def test_what_exists(root: ImageRoot) -> None:
    references = [*KNOWN, *UNKNOWN, *HOSTILE, *KNOWN]
    expected = [True] * len(KNOWN) + [False] * (len(UNKNOWN) + len(HOSTILE)) + [True] * len(KNOWN)
    assert root.exist(references).tolist() == expected
    with_gaps = pd.Series([None, "plain/1.png", None], dtype="str")
    assert root.exist(with_gaps).tolist() == [False, True, False]
    assert root.exist([]).tolist() == []
    with pytest.raises(ImageError, match=r"a.tgz"):
        root.exist(["a.tgz!x.png"])


def test_of_videos_the_file_is_looked_for(folder: str) -> None:
    (Path(folder) / "clip.avi").write_bytes(b"")
    assert ImageRoot(folder).exist(["clip.avi#7", "other.avi#7", "clip.avi"]).tolist() == [True, False, True]
    with pytest.raises(ImageError, match="a frame of a video, which has no bytes"):
        ImageRoot(folder).read_bytes("clip.avi#7")


def test_frames_of_videos(folder: str) -> None:
    writer = cv2.VideoWriter(str(Path(folder) / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for level in (20, 120, 220):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    root = ImageRoot(folder)
    for frame, level in ((2, 220), (0, 20), (1, 120)):
        assert abs(int(root.read(f"clip.avi#{frame}").mean()) - level) < 6
    for reference in ("clip.avi#3", "other.avi#0"):
        with pytest.raises(ImageError, match=reference.split("#")[0]):
            root.read(reference)


def test_folders_are_listed_once(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = []
    names = storage.LocalStorage.names

    def noted(self: storage.LocalStorage, path: str) -> list[str]:
        listed.append(path)
        return names(self, path)

    monkeypatch.setattr(storage.LocalStorage, "names", noted)
    ImageRoot(folder).exist(["plain/1.png", "plain/2.png", "a.png", "plain/3.png"] * 100)
    assert listed == ["plain/", ""]


def test_roots_travel_light_and_work_in_other_processes(folder: str) -> None:
    root = ImageRoot(folder)
    root.read("a.zip!F001/3.png")
    assert len(pickle.dumps(root)) < 500
    assert pickle.loads(pickle.dumps(root)) == root
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        images = pool.map(root.read, KNOWN)
    assert [int(image[0, 0, 0]) for image in images] == list(KNOWN.values())


def test_stores_need_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ConfigError, match=r"not installed: fsspec. `pip install 'norface\[remote\]'`"):
        ImageRoot("memory://faces")


def test_stores_that_cannot_be_read(store: str) -> None:
    with pytest.raises(ConfigError, match="Protocol not known: nonsense"):
        ImageRoot("nonsense://faces")
    with pytest.raises(ConfigError, match="Copy the video here"):
        ImageRoot(store).read("clip.avi#0")
    if importlib.util.find_spec("s3fs") is None:
        with pytest.raises(ConfigError, match="not installed: Install s3fs"):
            ImageRoot("s3://bucket/faces")


def test_store_that_does_not_answer(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(Exception):
        """Stores have their own classes of errors."""

    def refuse(*args: object, **options: object) -> None:
        raise Refused("An error occurred (403)\nwhen calling")

    memory = pytest.importorskip("fsspec").filesystem("memory")
    for name in ("cat_file", "ls", "open", "size"):
        monkeypatch.setattr(type(memory), name, refuse)
    root = ImageRoot(store)
    for attempt in (lambda: root.read("a.png"), lambda: root.exist(["a.png"]), lambda: root.read("b.zip!a.png")):
        with pytest.raises(ImageError, match=r"found An error occurred \(403\)\. Check"):
            attempt()
    with pytest.raises(ImageError, match="403"), storage.storage_of(store).open("a.png"):
        pass


parts = st.sampled_from([*"ab./\\!#:1", "..", ".zip!", ".avi#", "a.zip!a", "a.avi#1", "ü", "\n"])
paths = st.lists(parts, max_size=8).map("".join)


@settings(max_examples=300, deadline=None)
@given(paths.filter(lambda path: path[1:2] != ":" or path[0] in "ab"))  # whether .: is a drive depends on Python
def test_outside_is_what_windows_and_posix_call_outside(path: str) -> None:
    windows = PureWindowsPath(path)
    outside = bool(windows.drive or windows.root or ".." in windows.parts or path.startswith("/"))
    assert bool(re.search(OUTSIDE.replace("$", r"\Z"), path.replace("!", "x"))) == outside


@settings(max_examples=100, deadline=None)
@given(st.lists(paths, max_size=20))
def test_many_references_are_judged_like_each_of_them(
    tmp_path_factory: pytest.TempPathFactory, references: list[str]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "judged"
    folder.mkdir(exist_ok=True)
    (folder / "a").touch()
    with zipfile.ZipFile(folder / "a.zip", "w") as file:
        file.writestr("a", "")
    (folder / "a.avi").touch()
    root = ImageRoot(folder)
    here = {Reference("a"), Reference("a.zip"), Reference("a.avi"), Reference("a.zip", "a")}

    def exists(reference: str) -> bool:
        try:
            place = split_reference(reference)
        except ImageError:
            return False
        return Reference(place.path, place.member) in here

    references = [*references, "a", "a.zip!a", "a.avi#1", "b"]
    simple = [name for name in references if "/" not in name and not ("zip!" in name and not name.startswith("a.zip!"))]
    assert root.exist(simple).tolist() == [exists(name) for name in simple]
