from __future__ import annotations

import json
from collections import namedtuple
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
import pytest

import norface.cli.doctor as doctor_module
from norface.cache import CacheBuild, CachedFace, CacheIdentity
from norface.cli.main import FAILED, USAGE, main
from norface.data.table import FaceTable
from norface.imaging.alignment import Alignment
from norface.imaging.files import write_png


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """Ten people with two images each, unaligned."""
    rng = np.random.default_rng(0)
    points = np.array([[20, 25], [44, 25], [32, 38], [24, 48], [40, 48]]).flatten()
    names = [f"{p}_{a}" for p in ("right_eye", "left_eye", "nose", "mouth_right", "mouth_left") for a in "xy"]
    rows = []
    for person in range(10):
        for face in range(2):
            image = f"images/{person}_{face}.png"
            write_png(tmp_path / image, rng.integers(0, 255, (64, 64, 3), np.uint8))
            emotion = ("happy", "sad")[face]
            rows.append({"face_id": f"{person}-{face}", "image": image, "subject": f"p{person}", "emotion": emotion})
    frame = pd.DataFrame(rows)
    frame[names] = points.astype(float)
    frame.to_csv(tmp_path / "faces.csv", index=False)
    return tmp_path / "faces.csv"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A finished cache of three faces, one of which failed."""
    identity = CacheIdentity(normalizer="a" * 64, table="b" * 64, alignment=Alignment(size=8))
    build = CacheBuild(tmp_path / "cache", identity=identity, subjects=["p1"], face_ids=["x", "y", "z"])
    images = [np.full((8, 8, 3), value, np.uint8) for value in (10, 200)]
    faces = [CachedFace(face_id=f, image=i) for f, i in zip("xy", images, strict=True)]
    build.write(build.missing()[0], [*faces, CachedFace(face_id="z", image=None, error="truncated")])
    build.finish()
    return tmp_path / "cache"


def test_faces_draw_passes_its_options_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[tuple[Path, dict[str, object]]] = []

    def draw_faces(out: Path, **options: object) -> Path:
        calls.append((out, options))
        return out

    monkeypatch.setattr("norface.synthetic.draw_faces", draw_faces)
    splits = ["--splits.train", "3", "--splits.test", "2"]
    assert main(["faces", "draw", "--out", str(tmp_path), "--size", "96", *splits]) == 0
    assert main(["faces", "draw", "--out", str(tmp_path), "--subjects", "5"]) == 0
    assert main(["faces", "draw", "--out", str(tmp_path)]) == 0
    assert [out for out, _ in calls] == [tmp_path] * 3
    assert [options["subjects"] for _, options in calls] == [None, 5, 200]
    assert [options["splits"] for _, options in calls] == [{"train": 3, "test": 2}, None, None]
    assert [options["size"] for _, options in calls] == [96, 64, 64]


def test_data_check_counts_and_reads_everything(csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(csv)]) == 0
    shown = capsys.readouterr().out
    assert "20 faces of 10 subjects" in shown
    assert "every image can be read" in shown


def test_data_check_lists_unreadable_images(csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(10):
        image = csv.parent / f"images/{number}_0.png"
        image.write_bytes(image.read_bytes()[:500])
    (csv.parent / "images/0_1.png").write_bytes(b"")
    assert main(["data", "check", str(csv)]) == FAILED
    shown = capsys.readouterr().out
    assert "images/0_0.png (a truncated file)" in shown
    assert "and 1 more" in shown
    assert "11 of the images cannot be read" in shown


def test_data_check_skips_rows_that_are_not_usable(csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (csv.parent / "images/0_0.png").write_bytes(b"")
    frame = pd.read_csv(csv)
    frame["success"] = (frame["image"] != "images/0_0.png").astype(int)
    frame.to_csv(csv, index=False)
    assert main(["data", "check", str(csv)]) == 0


def test_data_check_refuses_a_subject_on_both_sides(csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv(csv)
    frame["split"] = ["train", "test"] * 10
    frame.to_csv(csv, index=False)
    assert main(["data", "check", str(csv)]) == USAGE
    assert "SplitError" in capsys.readouterr().err


def test_data_split_assigns_whole_subjects_by_seed(csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def split(name: str, seed: int) -> FaceTable:
        shares = ["--normalizer", "4", "--train", "3", "--val", "1", "--test", "1.0"]
        out = csv.parent / name
        assert main(["data", "split", "--table", str(csv), "--out", str(out), "--seed", str(seed), *shares]) == 0
        return FaceTable.load(out)

    first, again, other = split("a", 0), split("b", 0), split("c", 1)
    people = first.frame.groupby("split")["subject"].nunique().to_dict()
    assert people == {"normalizer": 4, "train": 3, "val": 1, "test": 2}
    assert first.frame.groupby("subject")["split"].nunique().max() == 1
    assert first.frame["split"].tolist() == again.frame["split"].tolist() != other.frame["split"].tolist()
    assert main(["data", "check", str(csv.parent / "a")]) == 0
    assert "normalizer" in capsys.readouterr().out


def test_cache_verify(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "verify", str(cache)]) == 0
    shard = next(cache.glob("*.arrow"))
    shard.write_bytes(shard.read_bytes()[:-10])
    assert main(["cache", "verify", str(cache)]) == FAILED
    assert shard.name in capsys.readouterr().out


def test_cache_stats_are_json(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "stats", str(cache)]) == 0
    assert json.loads(capsys.readouterr().out)["faces"] == 3


def test_cache_export(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "export", str(cache), str(tmp_path / "out")]) == 0
    assert "2 images" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["index.csv", "x.png", "y.png"]


def test_cache_build_without_a_normalizer(csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--normalizer", "nowhere.ckpt", "--table", str(csv), "--out", str(csv.parent / "caches")]
    assert main(["cache", "build", *options]) == USAGE
    assert "nowhere.ckpt" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["raw", "png"])
def test_cache_build_stores_images_as_asked(encoding: str, csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    class Stop(Exception):
        """Nothing more is wanted of the build."""

    def build_cache(*_: object, **options: object) -> None:
        asked.update(options)
        raise Stop

    monkeypatch.setattr("norface.data.caching.build_cache", build_cache)
    monkeypatch.setattr("norface.normalizer.inference.TrainedNormalizer.load", lambda source: MagicMock())
    options = ["--normalizer", "n.ckpt", "--table", str(csv), "--out", str(csv.parent), "--encoding", encoding]
    with pytest.raises(Stop):
        main(["cache", "build", *options])
    assert asked["encoding"] == encoding


@pytest.mark.parametrize("passed", [True, False])
@pytest.mark.parametrize("require", [True, False])
def test_gate_prints_and_records_its_verdict(
    passed: bool,
    require: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    check = {"name": "expression_r2", "value": 0.5, "limit": 0.6, "direction": "min", "passed": passed}
    given: dict[str, object] = {}

    def run_gate(source: object, **options: object) -> dict[str, object]:
        given.update(options)
        return {"gate": {"expression_r2": 0.5, "checks": [check], "passed": passed}, "probe": {}}

    monkeypatch.setattr("norface.evaluation.run_gate", run_gate)
    options = ["--normalizer", "n.ckpt", "--table", "faces", "--cache", "cache", "--out", str(tmp_path / "gate")]
    results = ["--results", str(tmp_path / "results.json"), "--require", str(require).lower()]
    assert main(["gate", *options, *results, "--seed", "7"]) == (FAILED if require and not passed else 0)
    shown = capsys.readouterr().out
    assert ("pass  expression_r2" in shown) is passed
    assert ("NOT passed" in shown) is not passed
    assert json.loads((tmp_path / "results.json").read_text())["gate"]["passed"] is passed
    assert (given["seed"], given["embed"]) == (7, None)


def test_doctor_finds_what_is_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--folder", str(tmp_path / "not" / "yet")]) == 0
    shown = capsys.readouterr().out
    assert "everything that is needed is there" in shown
    assert f"{tmp_path} can be written to" in shown


def test_doctor_names_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def version(name: str) -> str | None:
        return None if name in {"pyarrow", "insightface"} else "1"

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor_module, "package_version", version)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10, 10, 0))
    assert main(["doctor", "--folder", str(tmp_path)]) == FAILED
    shown = capsys.readouterr().out
    assert "needed but missing: pyarrow, disk" in shown
    assert "note  insightface" in shown


def test_doctor_works_where_torch_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(name: str) -> None:
        raise ImportError("libtorch_cpu.so: cannot open shared object file")

    monkeypatch.setattr("importlib.import_module", broken)
    findings = {finding.name: finding for finding in doctor_module.examine(tmp_path)}
    assert findings["devices"].state == "missing"
    assert "libtorch_cpu.so" in findings["devices"].text
    assert findings["writing"].state == "ok"


@pytest.mark.parametrize("there", [True, False])
def test_doctor_lists_network_files(there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORFACE_WEIGHTS", str(tmp_path / "weights"))
    if there:
        (tmp_path / "weights").mkdir()
        (tmp_path / "weights" / "identity.onnx").write_bytes(b"0" * 2**20)
    findings = [finding for finding in doctor_module.examine(tmp_path) if finding.name == "network files"]
    assert "weights" in findings[0].text
    assert [finding.state for finding in findings] == ["ok" if there else "note"]
    texts = [finding.text for finding in doctor_module.examine(tmp_path) if "identity.onnx" in finding.name]
    assert texts == (["1.0 MiB"] if there else [])


def test_doctor_tells_which_detectors_have_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORFACE_WEIGHTS", str(tmp_path))
    (tmp_path / "face_detection_yunet_2026may.onnx").write_bytes(b"of which no checksum is known")
    (tmp_path / "det_10g.onnx").write_bytes(b"cut")
    findings = {finding.name: finding for finding in doctor_module.examine(tmp_path)}
    assert findings["detector yunet"].state == "ok"
    assert findings["detector scrfd"].state == "note" and "damaged" in findings["detector scrfd"].text
    missing = findings["detector retinaface"]
    assert missing.state == "note"
    for part in ("detection_Resnet50_Final.pth", str(tmp_path), "https://github.com/xinntao/facexlib", "MIT"):
        assert part in missing.text


def test_doctor_tells_of_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor_module, "TemporaryFile", refuse)
    findings = {finding.name: finding for finding in doctor_module.examine(tmp_path)}
    assert findings["writing"].state == "missing"
    assert "Permission denied" in findings["writing"].text
