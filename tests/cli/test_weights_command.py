from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from norface.cli.main import main
from norface.cli.weights import PURPOSES, state
from norface.faces.weights import NETWORK_FILES
from norface.network_files import NetworkFile
from norface.teachers.weights import TEACHER_FILES


def test_every_known_file_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NORFACE_WEIGHTS", str(tmp_path))
    (tmp_path / "w600k_r50.onnx").write_bytes(b"cut")
    (tmp_path / "headpose_hopenet.pth").write_bytes(b"of which no checksum is known")
    assert main(["weights", "list"]) == 0
    shown = capsys.readouterr().out
    for file in (*NETWORK_FILES, *TEACHER_FILES):
        assert file.name in shown and file.licence in shown and file.source in shown and PURPOSES[file.reader] in shown
    lines = {line.split()[0]: line for line in shown.splitlines() if line.strip()}
    assert str(tmp_path) in shown
    assert "WRONG" in lines["w600k_r50.onnx"]
    assert "not known" in lines["headpose_hopenet.pth"]
    assert lines["mobileface_id_v2.onnx"].endswith("missing")


def test_another_folder_can_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "list", "--weights", str(tmp_path / "none")]) == 0
    assert "no such folder" in capsys.readouterr().out


def test_the_digest_decides(tmp_path: Path) -> None:
    (tmp_path / "n.onnx").write_bytes(b"right")
    digests = {hashlib.sha256(b"right").hexdigest(): "found, sha256 right", "00": "WRONG", None: "not known"}
    for digest, told in digests.items():
        assert told in state(tmp_path / "n.onnx", NetworkFile("x", "n.onnx", "MIT", "https://p", digest))
    assert state(tmp_path / "m.onnx", NetworkFile("x", "m.onnx", "MIT", "https://p")) == "missing"
