from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from norface.errors import ConfigError, DetectionError
from norface.faces.contract import Detector
from norface.faces.detectors import DETECTORS, make_detector
from norface.faces.given import GivenFaces, WholePicture
from norface.faces.weights import NETWORK_FILES, files_of, find_network
from norface.network_files import DEFAULT_FOLDER, file_sha256, weights_folder


def test_by_name(tmp_path: Path) -> None:
    assert isinstance(make_detector("none"), WholePicture)
    assert isinstance(make_detector("table"), GivenFaces)
    (tmp_path / "boxes.csv").write_text("image,box_left,box_top,box_width,box_height\na.jpg,1,2,3,4\n")
    given = make_detector("table", file=tmp_path / "boxes.csv")
    assert len(given.find(np.zeros((9, 9, 3), np.uint8), {"image": "a.jpg"})) == 1


def test_options_reach_the_detector(tmp_path: Path) -> None:
    for name in ("yunet", "retinaface", "scrfd"):
        with pytest.raises(DetectionError, match=re.escape(str(tmp_path))):
            make_detector(name, weights=tmp_path, score=0.5)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("haar", {}, "retinaface, scrfd, yunet, table, none"),
        ("none", {"weights": Path()}, "found weights"),
        ("table", {"score": 0.5, "device": "cpu"}, "found score, device"),
        ("yunet", {"file": Path()}, "found file"),
        ("yunet", {"device": "cuda"}, "found device"),
        ("yunet", {"score": 1.5}, "between 0 and 1"),
    ],
)
def test_options_that_do_not_apply(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_detector(name, **options)  # type: ignore[arg-type]


def test_importing_the_detectors_imports_no_heavy_library() -> None:
    modules = [place.partition(":")[0] for place in DETECTORS.values()]
    heavy = ("torch", "facexlib", "insightface", "onnxruntime", "numba", "skimage")
    code = f"import sys, {', '.join(modules)}; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_detector_must_define_its_methods() -> None:
    for call in (lambda: Detector().detect(np.zeros((1, 1, 3), np.uint8)), Detector().describe):
        with pytest.raises(TypeError, match="defines no"):
            call()


def test_records_are_complete() -> None:
    assert len({file.name for file in NETWORK_FILES}) == len(NETWORK_FILES)
    for file in NETWORK_FILES:
        assert file.reader in DETECTORS and file.licence and file.source.startswith("https://")
        assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
    assert {file.reader for file in NETWORK_FILES} == {"retinaface", "scrfd", "yunet"}


def test_a_known_name_with_other_contents_is_not_opened(tmp_path: Path) -> None:
    for known in NETWORK_FILES:
        (tmp_path / known.name).write_bytes(b"other contents")
        for weights in (tmp_path / known.name, tmp_path):
            accepted = [known.name]
            if known.sha256 is None:
                assert find_network(known.reader, weights, accepted=accepted) == tmp_path / known.name
                continue
            with pytest.raises(DetectionError, match=known.sha256) as caught:
                find_network(known.reader, weights, accepted=accepted)
            assert hashlib.sha256(b"other contents").hexdigest() in str(caught.value)


def test_a_known_file_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("norface.faces.weights.expected_sha256", lambda name: hashlib.sha256(b"right").hexdigest())
    (tmp_path / "det_10g.onnx").write_bytes(b"right")
    assert find_network("scrfd", tmp_path) == tmp_path / "det_10g.onnx"


@pytest.mark.usefixtures("any_content")
def test_where_networks_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NORFACE_WEIGHTS", raising=False)
    assert weights_folder() == Path(DEFAULT_FOLDER)
    monkeypatch.setenv("NORFACE_WEIGHTS", str(tmp_path))
    assert weights_folder() == tmp_path
    preferred, other = (tmp_path / file.name for file in files_of("yunet")[:2])
    other.write_bytes(b"b")
    assert find_network("yunet", None) == other
    preferred.write_bytes(b"a")
    assert find_network("yunet", None) == find_network("yunet", tmp_path) == preferred
    assert find_network("yunet", other) == other
    assert find_network("yunet", tmp_path, accepted=[other.name]) == other
    assert file_sha256(preferred) == hashlib.sha256(b"a").hexdigest()
