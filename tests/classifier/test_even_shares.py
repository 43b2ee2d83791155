"""Two processes (gloo) test, validate and predict every face once, also where they cannot share evenly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from norface.data.table import FaceTable, TableMeta
from norface.imaging.alignment import Alignment
from norface.imaging.files import write_png
from quick_process import run, torchrun

SPLITS = {"train": 9, "val": 5, "test": 7}
EMOTIONS = ("neutral", "happy", "sad")


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options of a small classifier and its faces."""
    folder, random = tmp_path_factory.mktemp("faces"), np.random.default_rng(0)
    rows = []
    for split, count in SPLITS.items():
        for k in range(count):
            name = f"{split}{k}"
            write_png(folder / f"{name}.png", random.integers(0, 256, (16, 16, 3), np.uint8))
            rows.append({"face_id": name, "image": f"{name}.png", "subject": f"{split}-{k % 3}", "split": split})
            rows[-1] |= {"success": 1.0, "emotion": EMOTIONS[k % 3]}  # type: ignore[dict-item]
    FaceTable(pd.DataFrame(rows), folder, TableMeta(EMOTIONS, (), Alignment(16), {})).save(folder)
    model = ["--model", "EmotionTask", "--model.streams", "original", "--model.features", "8", "--model.hidden", "8"]
    model += ["--model.grid", "2", "--model.backbone", "norface.backbones.ConvEncoder"]
    data = ["--data", "FaceDataModule", "--data.table", str(folder), "--data.batch_size", "2"]
    quiet = ["logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing"]
    trainer = ["--trainer.accelerator", "cpu", *(word for name in quiet for word in (f"--trainer.{name}", "false"))]
    return [*model, "--model.backbone.widths", "[8, 16]", *data, *trainer]


def test_two_processes_measure_what_one_does(command: list[str], tmp_path: Path) -> None:
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    fit = ["fit", *command, "--trainer.max_epochs", "1", "--trainer.enable_checkpointing", "true"]
    fit += ["--test_after_fit", "true", "--results", str(alone / "results.json"), "--run", str(alone)]
    assert run(fit, tmp_path / "log") == 0, (tmp_path / "log").read_text()
    (checkpoint,) = alone.rglob("*.ckpt")
    options = [*command, "--ckpt_path", str(checkpoint), "--run", str(shared)]
    for name, more in (("test", ["--results", str(shared / "results.json")]), ("validate", []), ("predict", [])):
        ranks = torchrun([name, *options, *more], 2, tmp_path / name)
        assert [rank.wait() for rank in ranks] == [0, 0], [rank.text for rank in ranks]

    first, second = (json.loads((at / "results.json").read_text())["classifier"]["both"] for at in (alone, shared))
    assert first["n_faces"] == SPLITS["test"] and sum(map(sum, first["confusion"])) == SPLITS["test"]
    assert _close(first, second), (first, second)
    answers = pd.read_parquet(shared / "predictions.parquet").set_index("face_id")
    assert len(answers) == sum(SPLITS.values()) and answers["success"].all()
    for split in ("test", "val"):
        one, other = (pd.read_parquet(at / f"{split}_predictions.parquet") for at in (alone, shared))
        pd.testing.assert_frame_equal(one, other, rtol=1e-4)
        names = [f"{emotion}_p" for emotion in EMOTIONS]
        np.testing.assert_allclose(answers.loc[one["face_id"], names], one[names], rtol=1e-4)


def _close(one: object, other: object) -> bool:
    """Equal up to rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_close(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_close, one, other))
    return one == pytest.approx(other, abs=1e-5) if isinstance(one, float) else one == other


def test_validation_within_training_does_not_wait_for_ever(command: list[str], tmp_path: Path) -> None:
    """Networks with buffers exchange them with every batch: with other numbers of batches, one process would wait."""
    words = ["fit", *command, "--trainer.max_epochs", "1", "--run", str(tmp_path / "fit")]
    ranks = torchrun(words, 2, tmp_path / "log")
    assert [rank.wait() for rank in ranks] == [0, 0], [rank.text for rank in ranks]
