"""The whole pipeline through the command line, in process, on a handful of tiny faces."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from norface.cli.main import main
from norface.results import read_results

ROOT = Path(__file__).parents[1]
WIDTHS = "[8, 16, 32]"
SMALL = ["--trainer.max_epochs", "1", "--data.image_size", "32", "--data.batch_size", "8", "--data.epoch_faces", "null"]
ENCODER = ["--model.encoder.widths", WIDTHS]


def config(*names: str) -> list[str]:
    return [
        word for name in ("trainer", "data/faces", *names) for word in ("--config", str(ROOT / f"configs/{name}.yaml"))
    ]


def fit(run: Path, name: str, *configs: str, options: list[str]) -> Path:
    folder = run / name
    words = ["fit", *config(*configs), "--run", str(folder), "--ckpt_path", "last", "--data.table", str(run / "faces")]
    assert main([*words, *SMALL, *options]) == 0
    return folder / "checkpoints" / "last.ckpt"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run: faces, teachers, normalizer, cache, classifiers, gate, report."""
    folder = tmp_path_factory.mktemp("run")
    results, table = folder / "results.json", folder / "faces"
    splits = {"normalizer": 4, "train": 3, "val": 1, "test": 3}
    counts = [word for name, count in splits.items() for word in (f"--splits.{name}", str(count))]
    draw = ["faces", "draw", "--out", str(table), "--size", "32", "--faces_per_subject", "8", "--processes", "1"]
    assert main([*draw, *counts, "--timing", f"{results}:faces"]) == 0

    identity = fit(folder, "teacher/identity", "teacher/identity", options=ENCODER)
    evaluator = fit(folder, "teacher/evaluator", "teacher/identity", "teacher/evaluator", options=ENCODER)
    expression = fit(folder, "teacher/expression", "teacher/expression", options=ENCODER)
    generator = "--model.generator"
    normalizer = fit(
        folder,
        "normalizer",
        "normalizer/demo",
        options=[
            *(f"{generator}.encoder.widths", WIDTHS),
            *(f"{generator}.merging.dim", "32", f"{generator}.merging.grid", "4", f"{generator}.decoder.dim", "32"),
            *("--model.adversarial_start", "0", "--model.encoder_weights", str(expression)),
            *("--model.identity_teacher", "TrainedIdentity", "--model.identity_teacher.checkpoint", str(identity)),
            *("--model.expression_teacher", "TrainedExpression"),
            *("--model.expression_teacher.checkpoint", str(expression)),
        ],
    )
    cache = ["--normalizer", str(normalizer), "--table", str(table)]
    assert main(["cache", "build", *cache, "--out", str(folder / "cache")]) == 0
    for task in ("fer", "au", "au-intensity"):
        section = "classifier" if task == "fer" else f"classifier_{task.replace('-', '_')}"
        for name in ("both", "raw", "oracle"):
            source = ["--data.normalizer.checkpoint", str(normalizer), "--data.cache_dir", str(folder / "cache")]
            options = ["--test_after_fit", "true", "--results", str(results), "--results_key", f"{section}.{name}"]
            configs = [f"classifier/{task}"] + ([f"classifier/{name}"] if name != "both" else [])
            fit(folder, f"classifier/{task}/{name}", *configs, options=options + (source if name == "both" else []))
    gate = ["gate", *cache, "--cache", str(folder / "cache"), "--out", str(folder / "gate"), "--epochs", "1"]
    assert main([*gate, "--evaluator", str(evaluator), "--results", str(results)]) == 0
    assert main(["report", str(folder)]) == 0
    return folder


def test_results_hold_every_promised_key(run: Path) -> None:
    results = json.loads((run / "results.json").read_text())
    for key in (
        "gate.expression_r2",
        "gate.identity_to_target",
        "gate.identity_to_original",
        "gate.subject_accuracy",
        "gate.subject_chance",
        "gate.passed",
        "probe.raw.accuracy",
        "probe.normalized.accuracy",
        "probe.oracle.accuracy",
        "probe.gap_closed",
        "classifier.raw.accuracy",
        "classifier.both.accuracy",
        "classifier.both.mean_class_accuracy",
        "classifier.oracle.accuracy",
        "classifier_au.both.f1",
        "classifier_au_intensity.both.icc",
        "timing.faces_s",
        "protocol.test_faces",
        "seed",
        "versions.torch",
    ):
        value = results
        for part in key.split("."):
            assert part in value, key
            value = value[part]


def test_untrained_normalizer_fails_the_gate_and_its_cache_says_so(run: Path) -> None:
    assert read_results(run / "results.json")["gate"]["passed"] is False  # type: ignore[index]
    (manifest,) = (run / "cache").glob("*/manifest.json")
    assert json.loads(manifest.read_text())["gate_passed"] is False


def test_pictures_and_page_are_there(run: Path) -> None:
    page = (run / "report" / "index.html").read_text()
    assert "data:image/png;base64" in page
    assert (run / "gate" / "grid.png").stat().st_size > 1000
    assert (run / "normalizer" / "previews" / "epoch-001.png").is_file()


def test_cache_that_is_there_is_not_built_again(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder,) = (run / "cache").iterdir()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir() if path.suffix == ".arrow"}
    words = ["--normalizer", str(run / "normalizer/checkpoints/last.ckpt"), "--table", str(run / "faces")]
    assert main(["cache", "build", *words, "--out", str(run / "cache")]) == 0
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert main(["cache", "verify", str(folder)]) == 0


def test_classifier_does_not_train_on_the_normalizers_people(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", *config("classifier/fer"), "--run", str(run / "leak"), "--data.table", str(run / "faces"), *SMALL]
    words += ["--data.normalizer.checkpoint", str(run / "normalizer/checkpoints/last.ckpt")]
    assert main([*words, "--data.cache_dir", str(run / "leak"), "--data.train_split", "normalizer"]) == 2
    assert "was trained on" in " ".join(capsys.readouterr().err.split())


def test_checkpoint_of_another_class_is_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--normalizer", str(run / "teacher/identity/checkpoints/last.ckpt"), "--table", str(run / "faces")]
    assert main(["cache", "build", *words, "--out", str(run / "other")]) == 2
    assert "a teacher checkpoint" in " ".join(capsys.readouterr().err.split())


def test_classifier_can_be_validated_tested_and_applied(run: Path) -> None:
    words = [
        *config("classifier/fer", "classifier/raw"),
        "--run",
        str(run / "again"),
        "--data.table",
        str(run / "faces"),
    ]
    classifier = str(run / "classifier/fer/raw/checkpoints/last.ckpt")
    for command in ("validate", "test", "predict"):
        assert main([command, *words, *SMALL, "--ckpt_path", classifier]) == 0
    table, faces = pd.read_parquet(run / "again" / "predictions.parquet"), pd.read_parquet(run / "faces/faces.parquet")
    assert table["face_id"].tolist() == faces["face_id"].tolist() and table["success"].all()
    assert set(table["emotion"]) <= set(faces["emotion"])
    probabilities = table[[name for name in table.columns if name.endswith("_p")]]
    assert probabilities.shape[1] == 8 and np.allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)


def test_prediction_of_new_faces_tells_how_well_each_was_normalized(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = pd.read_parquet(run / "faces/faces.parquet")
    new = faces[faces["split"] == "test"].drop(columns=["split", "emotion"])
    new["image"] = [str(Path("images") / Path(name).name) for name in new["image"]]
    (tmp_path / "images").symlink_to(run / "faces/images")
    monkeypatch.setenv("NORFACE_LINKS", str(run))
    new[[c for c in new.columns if not c.startswith("AU") and c != "normalized"]].to_csv(
        tmp_path / "new.csv", index=False
    )
    words = [*config("classifier/fer"), "--run", str(tmp_path), "--data.table", str(tmp_path / "new.csv"), *SMALL]
    words += ["--data.normalizer.checkpoint", str(run / "normalizer/checkpoints/last.ckpt")]
    words += ["--data.normalizer.identity_teacher", "TrainedIdentity"]
    words += ["--data.normalizer.identity_teacher.checkpoint", str(run / "teacher/identity/checkpoints/last.ckpt")]
    words += ["--data.cache_dir", str(tmp_path / "cache")]
    assert main(["predict", *words, "--ckpt_path", str(run / "classifier/fer/both/checkpoints/last.ckpt")]) == 0
    table = pd.read_csv(tmp_path / "predictions.csv")
    assert (
        table["face_id"].tolist() == new["face_id"].tolist()
    )  # every face, although nothing says which split it is of
    assert table["identity_to_target"].notna().all() and "gate_normalized_3" in table


def test_protocol_on_a_finished_run(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("norface.cli.child.launch", lambda words, log: main(words))
    monkeypatch.chdir(ROOT)
    variants = "{raw: {configs: [configs/classifier/raw.yaml]}, normalized: {settings: {model: {init_args: {streams: "
    variants += "normalized}}}}, full: {}}"
    small = "{trainer: {max_epochs: 1}, data: {init_args: {image_size: 32, batch_size: 8, epoch_faces: null}}}"
    files = ["--table", str(run / "faces"), "--cache", str(run / "cache")]
    files += ["--normalizer", str(run / "normalizer" / "checkpoints" / "last.ckpt"), "--out", str(tmp_path)]
    words = ["--config", "configs/protocol/ablation.yaml", *files, "--variants", variants, "--settings", small]
    caches = set((run / "cache").iterdir())
    assert main(["protocol", "run", *words, "--seeds", "[0]", "--people", "[2]"]) == 0
    assert set((run / "cache").iterdir()) == caches  # fewer people need no cache of their own
    record = json.loads((tmp_path / "protocol.json").read_text())
    assert [block["variant"] for block in record["differences"]] == ["normalized", "full"]
    assert all(one["subjects"] == 3 and one["faces"] == 24 for one in record["runs"])
    answers = pd.read_parquet(tmp_path / "runs" / "full" / "people-2" / "seed-0" / "test_predictions.parquet")
    assert {"identity_to_target", "true_emotion", "happy_p", "gate_original_0"} <= set(answers.columns)
