"""Which weights are tested: the last, or those that validation subjects have chosen."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from bright_corners import BrightCorners
from norface.classifier import load_classifier
from norface.cli.main import USAGE, main

ROOT = Path(__file__).parents[2]


def words(run: Path, *more: str) -> list[str]:
    configs = [word for name in ("trainer", *more) for word in ("--config", f"configs/{name}.yaml")]
    model = ["--model", "EmotionTask", "--model.features", "16", "--model.hidden", "16", "--model.grid", "2"]
    model += ["--model.backbone", "norface.backbones.ConvEncoder", "--model.backbone.widths", "[8, 16]"]
    trainer = ["--trainer.max_epochs", "4", "--trainer.accelerator", "cpu"]
    data = ["--allow_code", "bright_corners", "--data", "bright_corners.BrightCorners"]
    place = ["--run", str(run), "--results", str(run / "results.json"), "--test_after_fit", "true"]
    return ["fit", *configs, *data, *model, *trainer, *place]


def test_the_weights_that_served_validation_subjects_best_are_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(words(tmp_path, "classifier/early_stopping")) == 0
    scores = pd.read_csv(tmp_path / "metrics.csv").dropna(subset="val/score").set_index("epoch")["val/score"]
    best = tmp_path / "checkpoints" / "best.ckpt"
    assert torch.load(best, weights_only=True)["epoch"] == scores.idxmax()
    faces = BrightCorners().samples
    images = [torch.stack([face[name] for face in faces]) for name in ("original", "normalized")]
    answers = load_classifier(best).predict(*images).numpy()
    for name in ("test", "val"):
        table = pd.read_parquet(tmp_path / f"{name}_predictions.parquet")
        assert table[["neutral_p", "happy_p", "sad_p"]].to_numpy() == pytest.approx(answers, abs=1e-4)
    assert json.loads((tmp_path / "results.json").read_text())["protocol"]["selection"] == (
        "weights with the best val/score"
    )


def test_nothing_that_keeps_the_best_is_told_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main([*words(tmp_path), "--test_weights", "best"]) == USAGE
    assert "one ModelCheckpoint whose monitor is a validation figure" in capsys.readouterr().err
    assert not (tmp_path / "metrics.csv").exists()
