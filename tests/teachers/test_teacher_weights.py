from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import norface.teachers
from norface.errors import CheckpointError
from norface.teachers.weights import TEACHER_FILES, expected_sha256, files_of, find_weights


def test_every_known_file_has_a_reader_a_licence_and_a_page() -> None:
    for file in TEACHER_FILES:
        assert hasattr(norface.teachers, file.reader) and file.licence and file.source.startswith("https://")
        assert file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32


def test_where_files_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "headpose_hopenet.pth").write_bytes(b"of which no checksum is known")
    wanted, names = tmp_path / "headpose_hopenet.pth", ("headpose_hopenet.pth",)
    assert find_weights("HopeNet", str(tmp_path), names) == wanted
    assert find_weights("HopeNet", str(wanted), ("whatever.pth",)) == wanted
    monkeypatch.setenv("NORFACE_WEIGHTS", str(tmp_path))
    assert find_weights("HopeNet", None, names) == wanted
    assert find_weights("HopeNet", None, ("preferred.pth", *names)) == wanted
    assert find_weights("HopeNet", "headpose_hopenet.pth", names) == wanted
    for nowhere in ("nowhere", str(tmp_path / "nowhere")):
        with pytest.raises(CheckpointError, match="no such file or folder"):
            find_weights("HopeNet", nowhere, names)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("headpose_hopenet.pth").write_bytes(b"nearer")
    assert find_weights("HopeNet", "headpose_hopenet.pth", names) == Path("headpose_hopenet.pth")


@pytest.mark.parametrize("file", [file for file in TEACHER_FILES if file.sha256], ids=lambda file: file.name)
def test_a_known_name_with_other_content_is_refused(tmp_path: Path, file: object) -> None:
    from norface.network_files import NetworkFile

    assert isinstance(file, NetworkFile)
    (tmp_path / file.name).write_bytes(b"other")
    with pytest.raises(CheckpointError) as caught:
        find_weights(file.reader, str(tmp_path), (file.name,))
    assert hashlib.sha256(b"other").hexdigest() in str(caught.value) and str(file.sha256) in str(caught.value)


def test_known_digests_are_those_of_the_real_files(weights: Path) -> None:
    for file in files_of("Blendshapes"):
        assert hashlib.sha256((weights / file.name).read_bytes()).hexdigest() == expected_sha256(file.name)
