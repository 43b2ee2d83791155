from __future__ import annotations

import errno
import os
import subprocess
import time
from pathlib import Path

import pytest

from norface.cache.durable import _HOST, STALE_AFTER_S, remove_stale, write_durably
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


def test_only_temporary_files_of_dead_runs_are_removed(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    past = time.time() - STALE_AFTER_S - 60
    removed = [f".a.{_HOST}.{gone.pid}.0123.tmp", ".old.elsewhere.1.0123.tmp", f".old.{_HOST}.{os.getpid()}.0123.tmp"]
    kept = [f".a.{_HOST}.{os.getpid()}.0123.tmp", f".a.{_HOST}.1.0123.tmp", f".a.elsewhere.{gone.pid}.0123.tmp"]
    for name in (*removed, *kept, "c.tmp", ".x.tmp"):
        (tmp_path / name).write_text("")
        if "old" in name or name == "c.tmp":
            os.utime(tmp_path / name, (past, past))
    remove_stale(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*kept, "c.tmp", ".x.tmp"}


def test_a_file_whose_temporary_is_taken_for_a_dead_runs_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, removals = Path.replace, iter([True, True, False])

    def robbed(self: Path, target: Path) -> Path:
        if next(removals):
            self.unlink()
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", robbed)
    write_durably(tmp_path / "file", b"whole")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"]
    monkeypatch.setattr(Path, "replace", lambda self, target: (self.unlink(), replace(self, target)))
    with pytest.raises(OutputError, match="No such file"):
        write_durably(tmp_path / "other", b"whole")
