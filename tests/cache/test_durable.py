from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from norface.cache.durable import STALE_AFTER_S, remove_stale, write_durably
from norface.errors import OutputError


def test_writes_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_durably(path, b"one")
    write_durably(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("call", ["fsync", "rename", "open"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
def test_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    path = tmp_path / "file"
    write_durably(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        owner, name = {"fsync": (os, "fsync"), "rename": (Path, "replace"), "open": (Path, "open")}[call]
        patch.setattr(owner, name, fail)
        with pytest.raises(OutputError, match=os.strerror(code)):
            write_durably(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_durably(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="expected a place to write to"):
        write_durably(tmp_path / "file" / "inner", b"")


def test_only_old_temporary_files_are_removed(tmp_path: Path) -> None:
    old, young, other = tmp_path / ".a.1.tmp", tmp_path / ".b.2.tmp", tmp_path / "c.tmp"
    for path in (old, young, other):
        path.write_text("")
    past = time.time() - STALE_AFTER_S - 60
    os.utime(old, (past, past))
    os.utime(other, (past, past))
    remove_stale(tmp_path)
    assert set(tmp_path.iterdir()) == {young, other}
