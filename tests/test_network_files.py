from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from norface.errors import CheckpointError, DetectionError
from norface.network_files import NetworkFile, check_sha256, pages


def test_the_digest_decides(tmp_path: Path) -> None:
    path = tmp_path / "n.onnx"
    path.write_bytes(b"right")
    assert check_sha256(path, hashlib.sha256(b"right").hexdigest(), error=CheckpointError) == path
    assert check_sha256(path, None, error=CheckpointError) == path
    with pytest.raises(DetectionError, match="damaged"):
        check_sha256(path, hashlib.sha256(b"wrong").hexdigest(), error=DetectionError)


def test_files_of_one_page_are_told_together() -> None:
    files = [NetworkFile("x", name, "MIT", page) for name, page in (("a", "https://p"), ("b", "https://q"))]
    files.append(NetworkFile("x", "c", "MIT", "https://p"))
    assert pages(files) == "a or c from https://p (MIT); b from https://q (MIT)"
