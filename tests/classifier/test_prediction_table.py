from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from norface.classifier.contract import Prediction
from norface.classifier.prediction_table import prediction_frame, write_predictions

ROOT = Path(__file__).parents[2]
FACES = ["b", "a", "c"]
LABELS = {"fer": ("happy", "sad"), "au": ("AU01", "AU12"), "au-intensity": ("AU01", "AU12")}
GATES = ["gate_original_0", "gate_original_1", "gate_output_0", "gate_output_1"]


def batches(answers: list[list[float]], face_ids: list[str] = FACES) -> list[Prediction]:
    """One face per batch."""
    return [
        {
            "face_id": [face_id],
            "answers": torch.tensor([row]),
            "gates": {"original": torch.tensor([[0.75, 0.25]]), "output": torch.tensor([[0.5, 0.5]])},
        }
        for face_id, row in zip(face_ids, answers, strict=True)
    ]


def header(task: str) -> dict[str, Any]:
    labels = LABELS[task]
    return {
        "version": "1",
        "task": task,
        "alignment": {"size": 64},
        "emotions": list(labels) if task == "fer" else ["neutral"],
        "aus": [1, 12],
    }


def asked(success: tuple[int, ...] = (1, 1, 1)) -> pd.DataFrame:
    errors = ["" if good else "no such file" for good in success]
    return pd.DataFrame({"face_id": sorted(FACES), "success": pd.array(success, "int8"), "error": errors})


def test_emotions_have_a_name_and_probabilities() -> None:
    frame = prediction_frame(batches([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]), {"fer": LABELS["fer"]})
    assert list(frame.columns) == ["face_id", "emotion", "happy_p", "sad_p", *GATES]
    assert frame["face_id"].tolist() == FACES and frame["emotion"].tolist() == ["happy", "sad", "happy"]
    assert frame["sad_p"].tolist() == pytest.approx([0.1, 0.8, 0.5])
    assert frame["gate_original_0"].tolist() == [0.75] * 3


def test_action_units_occur_from_one_half_on() -> None:
    frame = prediction_frame(batches([[0.5, 0.1], [0.49, 0.8], [0.0, 1.0]]), {"au": LABELS["au"]})
    assert list(frame.columns) == ["face_id", "AU01_c", "AU12_c", "AU01_p", "AU12_p", *GATES]
    assert frame["AU01_c"].tolist() == [1, 0, 0] and frame["AU12_c"].tolist() == [0, 1, 1]


def test_intensities_have_the_face_tables_column_names() -> None:
    frame = prediction_frame(batches([[0.5, 5.0], [1.0, 2.0], [0.0, 3.0]]), {"au-intensity": LABELS["au-intensity"]})
    assert list(frame.columns) == ["face_id", "AU01_r", "AU12_r", *GATES]
    assert frame["AU12_r"].tolist() == [5.0, 2.0, 3.0]


def test_both_files_hold_every_face_in_the_tables_order(tmp_path: Path) -> None:
    answers = prediction_frame(batches([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]), {"au": LABELS["au"]})
    twice = pd.concat([answers, answers.iloc[:1]])
    written = write_predictions(tmp_path, asked(), twice, header("au"))
    parquet, csv = pd.read_parquet(tmp_path / "predictions.parquet"), pd.read_csv(tmp_path / "predictions.csv")
    assert parquet["face_id"].tolist() == csv["face_id"].tolist() == ["a", "b", "c"]
    assert parquet["AU01_c"].tolist() == [0, 1, 1] == csv["AU01_c"].tolist()
    assert csv["AU12_p"].tolist() == pytest.approx(written["AU12_p"].tolist())
    assert parquet.attrs["norface"] == {
        "version": "1",
        "task": "au",
        "alignment": {"size": 64},
        "labels": ["AU01", "AU12"],
    }


def test_a_face_without_an_answer_keeps_its_row_and_says_why(tmp_path: Path) -> None:
    answers = prediction_frame(batches([[0.9, 0.1]], ["b"]), {"au": LABELS["au"]})
    write_predictions(tmp_path, asked((0, 1, 1)), answers, header("au"))
    table = pd.read_csv(tmp_path / "predictions.csv", keep_default_na=False)
    assert table["success"].tolist() == [0, 1, 0]
    assert table["error"][0] == "no such file" and "could not be read" in table["error"][2]
    assert table["AU01_c"].tolist() == ["", "1", ""]  # missing, not 0, and not 1.0


def test_no_readable_face_at_all(tmp_path: Path) -> None:
    table = write_predictions(tmp_path, asked((0, 1, 1)), None, header("au"))
    assert table["success"].tolist() == [0, 0, 0]
    assert list(table.columns) == ["face_id", "success", "error"]


@pytest.mark.slow
def test_two_processes_write_one_table(tmp_path: Path) -> None:
    program = f"""
import sys
import lightning as L
import torch
from pathlib import Path
from norface.classifier.prediction_table import PredictionTable
sys.path[:0] = [{str(ROOT / "tests")!r}, {str(ROOT / "tests" / "classifier")!r}]
from bright_corners import BrightCorners, make
from test_classifier_tasks import fitted

folder = Path({str(tmp_path)!r})
if __name__ == "__main__":
    options = dict(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    path = folder / "classifier.ckpt"
    if "LOCAL_RANK" not in __import__("os").environ:
        fitted(folder)
    trainer = L.Trainer(devices=2, strategy="ddp", callbacks=[PredictionTable(folder)], **options)
    trainer.predict(make(), datamodule=BrightCorners(faces=23), ckpt_path=str(path), weights_only=True)
"""
    (tmp_path / "program.py").write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    run = subprocess.run(
        [sys.executable, tmp_path / "program.py"],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    table = pd.read_csv(tmp_path / "predictions.csv")
    assert table["face_id"].tolist() == [f"face{index}" for index in range(23)] and table["success"].all()
    assert table["neutral_p"].notna().all()
