from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from bright_corners import BrightCorners, make, make_trainer
from norface.classifier import ActionUnitTask, TestCurve
from norface.classifier.module import ClassifierTask


def test_every_validation_notes_what_a_test_of_these_weights_finds(tmp_path: Path) -> None:
    module, data = make(ActionUnitTask), BrightCorners()
    trainer = make_trainer(tmp_path, epochs=2, callbacks=[TestCurve()])
    trainer.fit(module, datamodule=data)
    points = json.loads((tmp_path / "test_curve.json").read_text())
    assert [point["epoch"] for point in points] == [0, 1]
    make_trainer(tmp_path).test(module, datamodule=data, verbose=False)
    assert points[1]["f1"] == points[1]["score"] == pytest.approx(module.test_results["f1"])
    assert len(json.loads((tmp_path / "test_curve.json").read_text())) == 2  # a test is no validation


def test_training_does_not_notice(tmp_path: Path) -> None:
    weights = []
    for callbacks in ([TestCurve()], []):
        module: ClassifierTask = make()
        watching: list[L.Callback] = [*callbacks]
        make_trainer(tmp_path, epochs=2, callbacks=watching).fit(module, datamodule=BrightCorners())
        weights.append(module.state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_a_resumed_run_keeps_its_notes(tmp_path: Path) -> None:
    curve = TestCurve()
    make_trainer(tmp_path, callbacks=[curve]).fit(make(), datamodule=BrightCorners())
    state: dict[str, Any] = curve.state_dict()
    again = TestCurve()
    again.load_state_dict(state)
    assert again.points == curve.points and len(again.points) == 1
