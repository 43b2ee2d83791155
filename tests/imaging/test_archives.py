from __future__ import annotations

import io
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norface.errors import ImageError
from norface.imaging import archives
from norface.imaging.archives import archive_index, read_member
from norface.imaging.storage import LocalStorage

NAMES = ("F001/T1/0001.jpg", "F001/T1/0002.jpg", "Übung 1/α.png", "x.png")
CONTENTS = {name: f"contents of {name} ".encode() * 50 for name in NAMES}


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("NORFACE_CACHE", str(tmp_path / "cache"))
    archives._index.cache_clear()
    yield tmp_path / "cache" / "archives"
    archives._index.cache_clear()


def write_zip(path: Path, contents: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in contents.items():
            file.writestr(name, data)


def write_tar(path: Path, contents: dict[str, bytes], prefix: str = "", form: int = tarfile.PAX_FORMAT) -> None:
    with tarfile.open(path, "w", format=form) as file:
        for name, data in contents.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))


WRITERS: dict[str, Callable[[Path, dict[str, bytes]], None]] = {
    "deflated.zip": write_zip,
    "stored.ZIP": lambda path, contents: write_zip(path, contents, zipfile.ZIP_STORED),
    "pax.tar": write_tar,
    "gnu.TAR": lambda path, contents: write_tar(path, contents, form=tarfile.GNU_FORMAT),
    "dotted.tar": lambda path, contents: write_tar(path, contents, "./"),
    "absolute.tar": lambda path, contents: write_tar(path, contents, "/"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_members_are_read_in_place(tmp_path: Path, name: str) -> None:
    long = {"/".join(["a long folder name"] * 12) + "/1.png": b"long", "empty.png": b""}
    WRITERS[name](tmp_path / name, CONTENTS | long)
    storage = LocalStorage(tmp_path)
    assert archive_index(storage, name).names() == sorted(CONTENTS | long)
    for member, data in (CONTENTS | long).items():
        assert read_member(storage, name, member) == data
    for absent in ("F001", "F001/T1", "f001/T1/0001.jpg", "x.pn", "zz", "\0"):
        with pytest.raises(ImageError, match="no such member"):
            read_member(storage, name, absent)


def test_names_as_old_packers_for_windows_write_them(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"F001\\T1\\1.png": b"1"})
    assert read_member(LocalStorage(tmp_path), "a.zip", "F001/T1/1.png") == b"1"


def test_of_members_with_one_name_the_last_counts(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        for name, data in (("./b", b"old"), ("a", b"1"), ("b", b"new"), ("c", b"3")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed, pytest.warns(UserWarning, match="Duplicate"):
        packed.writestr("b", b"old")
        packed.writestr("b", b"new")
    storage = LocalStorage(tmp_path)
    assert archive_index(storage, "a.tar").names() == ["a", "b", "c"]
    assert read_member(storage, "a.tar", "b") == read_member(storage, "a.zip", "b") == b"new"


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_empty_archive(tmp_path: Path, suffix: str) -> None:
    WRITERS["deflated.zip" if suffix == "zip" else "pax.tar"](tmp_path / f"a.{suffix}", {})
    assert archive_index(LocalStorage(tmp_path), f"a.{suffix}").names() == []


def test_hostile_members_leave_no_trace_and_links_are_not_followed(tmp_path: Path) -> None:
    inside = tmp_path / "deep" / "root"
    inside.mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"secret")
    hostile = {"../../evil.png": b"1", "/etc/evil.png": b"2", "C:\\evil.png": b"3"}
    write_zip(inside / "a.zip", hostile)
    with tarfile.open(inside / "a.tar", "w") as file:
        for kind, name in ((tarfile.SYMTYPE, "link.png"), (tarfile.LNKTYPE, "hard.png"), (tarfile.DIRTYPE, "folder")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "../../secret"
            file.addfile(info)
    before = sorted(tmp_path.rglob("*"))
    storage = LocalStorage(inside)
    assert archive_index(storage, "a.tar").names() == []
    for name in archive_index(storage, "a.zip").names():
        read_member(storage, "a.zip", name)
    for name in ("link.png", "hard.png"):
        with pytest.raises(ImageError, match="no such member"):
            read_member(storage, "a.tar", name)
    assert sorted(tmp_path.rglob("*")) == before


def central(data: bytes) -> int:
    """Place of the first entry of a zip file's directory."""
    return data.index(b"PK\x01\x02")


def patched(data: bytes, offset: int, form: str, value: int) -> bytes:
    place = central(data) + offset
    return data[:place] + struct.pack(form, value) + data[place + struct.calcsize(form) :]


@pytest.mark.parametrize(
    ("offset", "form", "value", "message"),
    [
        (24, "<I", 2**32 - 2, "an image of at most"),  # the size it claims when unpacked
        (20, "<I", 2**31, "an image of at most"),  # the size it claims in the archive
        (24, "<I", 10, "damaged contents"),  # unpacks to more than it claims
        (24, "<I", 10_000, "damaged contents"),
        (16, "<I", 7, "damaged contents"),  # checksum
        (8, "<H", 1, "an encrypted one"),
        (10, "<H", zipfile.ZIP_BZIP2, "compression method 12"),
        (42, "<I", 3, "the header of a zip member"),
    ],
)
def test_claims_of_zip_members_are_not_trusted(
    tmp_path: Path, offset: int, form: str, value: int, message: str
) -> None:
    path = tmp_path / "a.zip"
    write_zip(path, {"a.png": bytes(1000)})
    path.write_bytes(patched(path.read_bytes(), offset, form, value))
    with pytest.raises(ImageError, match=message) as error:
        read_member(LocalStorage(tmp_path), "a.zip", "a.png")
    assert str(tmp_path / "a.zip!a.png") in str(error.value)


def test_bomb_is_unpacked_no_further_than_it_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zip"
    write_zip(path, {"a.png": bytes(50_000_000)})
    path.write_bytes(patched(path.read_bytes(), 24, "<I", 1000))
    lengths = []
    inflate = archives._inflate

    def measured(data: bytes, size: int, where: str) -> bytes:
        contents = inflate(data, size, where)
        lengths.append(len(contents))
        return contents

    monkeypatch.setattr(archives, "_inflate", measured)
    with pytest.raises(ImageError, match="damaged contents"):
        read_member(LocalStorage(tmp_path), "a.zip", "a.png")
    assert lengths == [1001]
    write_tar(tmp_path / "a.tar", {"a.png": bytes(1000)})
    monkeypatch.setattr(archives, "MAX_BYTES", 999)
    with pytest.raises(ImageError, match="an image of at most 999 bytes"):
        read_member(LocalStorage(tmp_path), "a.tar", "a.png")


def test_damaged_contents_are_noticed(tmp_path: Path) -> None:
    for name, method in (("a.zip", zipfile.ZIP_STORED), ("b.zip", zipfile.ZIP_DEFLATED)):
        write_zip(tmp_path / name, {"a.png": os.urandom(1000)}, method)
        data = bytearray((tmp_path / name).read_bytes())
        data[500] ^= 1
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ImageError, match=r"damaged contents|deflated contents"):
            read_member(LocalStorage(tmp_path), name, "a.png")


def test_header_longer_than_usual(tmp_path: Path) -> None:
    """The member's own header may hold other fields than the directory's."""
    name, data = b"a.png", b"contents"
    extra = b"zz" + struct.pack("<H", 2000) + bytes(2000)
    common = struct.pack("<HHHHHIII", 20, 0, 0, 0, 33, zlib.crc32(data), len(data), len(data))
    local = b"PK\x03\x04" + common + struct.pack("<HH", len(name), len(extra)) + name + extra + data
    entry = b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local), 0)
    (tmp_path / "a.zip").write_bytes(local + entry + end)
    assert read_member(LocalStorage(tmp_path), "a.zip", "a.png") == data


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
@pytest.mark.parametrize("damage", ["missing", "empty", "rubbish", "truncated"])
def test_missing_and_damaged_archives(tmp_path: Path, name: str, damage: str) -> None:
    path = tmp_path / name
    WRITERS["deflated.zip" if name == "a.zip" else "pax.tar"](path, {"a": os.urandom(20_000), "b": b"2"})
    data = {"empty": b"", "rubbish": b"rubbish " * 5000, "truncated": path.read_bytes()[:15_000]}.get(damage)
    if data is None:
        path.unlink()
    else:
        path.write_bytes(data)
    with pytest.raises(ImageError, match="No such file" if damage == "missing" else "expected a whole archive"):
        read_member(LocalStorage(tmp_path), name, "b")


def test_damaged_archive_is_scanned_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(b"rubbish " * 500)
    scans = []
    scan = archives._tar_members

    def counted(file: IO[bytes]) -> Iterator[tuple[bytes, archives.Member]]:
        scans.append(1)
        return scan(file)

    monkeypatch.setattr(archives, "_tar_members", counted)
    for _ in range(3):
        with pytest.raises(ImageError, match="whole archive"):
            read_member(LocalStorage(tmp_path), "a.tar", "x.png")
    assert len(scans) == 1
    write_tar(path, CONTENTS)
    assert read_member(LocalStorage(tmp_path), "a.tar", "x.png") == CONTENTS["x.png"]


def test_archive_that_cannot_be_read_just_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_zip(tmp_path / "a.zip", CONTENTS)

    def fail(file: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(archives, "_zip_members", fail)
        with pytest.raises(ImageError, match="Input/output error"):
            read_member(LocalStorage(tmp_path), "a.zip", "x.png")
    assert read_member(LocalStorage(tmp_path), "a.zip", "x.png") == CONTENTS["x.png"]


@pytest.mark.parametrize("name", ["faces.tar.gz", "FACES.TGZ"])
def test_compressed_tar_is_refused_with_advice(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / name, "w:gz"):
        pass
    with pytest.raises(ImageError, match=f"a compressed tar file. Decompress it once: `gunzip --keep {name}`"):
        read_member(LocalStorage(tmp_path), name, "a.png")


def no_scan(file: object) -> None:
    raise AssertionError("scanned again")


def test_long_scans_are_kept_until_the_archive_changes(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "WORTH_KEEPING", 1000.0)
    write_tar(tmp_path / "a.tar", CONTENTS)
    storage = LocalStorage(tmp_path)
    read_member(storage, "a.tar", "x.png")
    assert not kept.exists()
    monkeypatch.setattr(archives, "WORTH_KEEPING", 0.0)
    archives._index.cache_clear()
    names = archive_index(storage, "a.tar").names()
    assert len(list(kept.iterdir())) == 1
    archives._index.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(archives, "_tar_members", no_scan)
        assert archive_index(storage, "a.tar").names() == names
        assert read_member(storage, "a.tar", "x.png") == CONTENTS["x.png"]
    write_tar(tmp_path / "a.tar", {"y.png": b"y"})
    assert archive_index(storage, "a.tar").names() == ["y.png"]
    assert len(list(kept.iterdir())) == 1
    state = (tmp_path / "a.tar").stat()
    write_tar(tmp_path / "a.tar", {"z.png": b"z"})  # same size
    os.utime(tmp_path / "a.tar", ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert archive_index(storage, "a.tar").names() == ["z.png"]


@pytest.mark.parametrize("damage", ["rubbish", "truncated", "foreign"])
def test_damaged_index_is_made_again(tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    monkeypatch.setattr(archives, "WORTH_KEEPING", 0.0)
    write_zip(tmp_path / "a.zip", CONTENTS)
    names = archive_index(LocalStorage(tmp_path), "a.zip").names()
    (file,) = kept.iterdir()
    if damage == "foreign":
        write_zip(tmp_path / "b.zip", {"b.png": b""})
        archive_index(LocalStorage(tmp_path), "b.zip")
        (other,) = set(kept.iterdir()) - {file}
        other.replace(file)
    else:
        file.write_bytes(b"ARROW1" if damage == "rubbish" else file.read_bytes()[:-40])
    archives._index.cache_clear()
    assert archive_index(LocalStorage(tmp_path), "a.zip").names() == names


def test_index_stays_in_memory_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "WORTH_KEEPING", 0.0)
    monkeypatch.setenv("NORFACE_CACHE", str(tmp_path / "a.zip" / "cache"))  # below a file
    write_zip(tmp_path / "a.zip", CONTENTS)
    assert read_member(LocalStorage(tmp_path), "a.zip", "x.png") == CONTENTS["x.png"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zip"]


def test_place_of_kept_indexes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(archives._kept_file("a.zip")).startswith(str(tmp_path / "cache" / "archives"))
    monkeypatch.delenv("NORFACE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert str(archives._kept_file("a.zip")).startswith(str(tmp_path / "xdg" / "norface" / "archives"))
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert str(archives._kept_file("a.zip")).startswith(str(tmp_path / "home" / ".cache" / "norface"))
    nobody = RuntimeError("Could not determine home directory.")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(nobody))
    assert archives._kept_file("a.zip") is None


@pytest.mark.parametrize("name", ["stored.ZIP", "pax.tar"])
def test_many_threads_read_at_once(tmp_path: Path, name: str) -> None:
    contents = {f"{k:04d}.png": f"{k}".encode() * (k + 1) for k in range(200)}
    WRITERS[name](tmp_path / name, contents)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda member: read_member(LocalStorage(tmp_path), name, member), contents))
    assert found == list(contents.values())


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


@settings(max_examples=30, deadline=None)
@given(contents=st.dictionaries(names.map(lambda n: "m" + n.replace("\\", "/")), st.binary(max_size=50), max_size=8))
def test_any_name_and_contents_come_back(tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes]) -> None:
    contents = {name: data for name, data in contents.items() if not name.endswith("/")}
    folder = tmp_path_factory.mktemp("any")
    write_zip(folder / "a.zip", contents)
    write_tar(folder / "a.tar", contents)
    for archive in ("a.zip", "a.tar"):
        found = archive_index(LocalStorage(folder), archive).names()
        assert found == sorted(contents, key=str.encode)
        assert {name: read_member(LocalStorage(folder), archive, name) for name in found} == contents


@settings(max_examples=60, deadline=None)
@given(places=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=4), cut=st.booleans())
def test_damage_anywhere_is_an_error_or_goes_unnoticed_but_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[int, int]], cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    for name in ("a.zip", "a.tar"):
        WRITERS["deflated.zip" if name == "a.zip" else "pax.tar"](folder / name, CONTENTS)
        data = bytearray((folder / name).read_bytes())
        for place, value in places:
            data[place % len(data)] = value
        (folder / name).write_bytes(data[: places[0][0]] if cut else data)
        try:
            for member in archive_index(LocalStorage(folder), name).names():
                read_member(LocalStorage(folder), name, member)
        except ImageError:
            pass
