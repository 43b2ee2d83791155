from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from bright_corners import BrightCorners, make, make_trainer
from norface.classifier import AveragedWeights, load_classifier

WEIGHT = "network.head_weight"


class Steps(L.Callback):
    """The trained weights after every step, and those that are validated."""

    def __init__(self) -> None:
        self.trained: list[Tensor] = []
        self.validated: list[Tensor] = []

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        self.trained.append(pl_module.state_dict()[WEIGHT].clone())

    def on_validation_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        self.validated.append(pl_module.state_dict()[WEIGHT].clone())


def followed(steps: list[Tensor], decay: float) -> Tensor:
    average = steps[0]
    for weights in steps[1:]:
        average = decay * average + (1 - decay) * weights
    return average


def test_what_is_validated_kept_and_tested_is_the_average(tmp_path: Path) -> None:
    steps, module = Steps(), make()
    keep = ModelCheckpoint(dirpath=tmp_path, filename="last", save_on_train_epoch_end=True)
    trainer = make_trainer(tmp_path, epochs=2, callbacks=[AveragedWeights(0.5), steps, keep])
    trainer.fit(module, datamodule=BrightCorners())
    assert len(steps.trained) == 6
    torch.testing.assert_close(steps.validated[0], followed(steps.trained[:3], 0.5))
    average = followed(steps.trained, 0.5)
    torch.testing.assert_close(module.state_dict()[WEIGHT], average)  # what a test after training sees
    loaded = load_classifier(tmp_path / "last.ckpt").network
    torch.testing.assert_close(loaded.state_dict()[WEIGHT.removeprefix("network.")], average)


def test_training_itself_is_the_same_and_goes_on_exactly(tmp_path: Path) -> None:
    runs: dict[str, list[Tensor]] = {}
    for name, averaged in (("with", True), ("without", False)):
        steps = Steps()
        make_trainer(tmp_path, epochs=2, callbacks=[AveragedWeights(0.5)] * averaged + [steps]).fit(
            make(), datamodule=BrightCorners()
        )
        runs[name] = steps.trained
    assert all(map(torch.equal, runs["with"], runs["without"]))

    keep = ModelCheckpoint(dirpath=tmp_path, filename="{epoch}", save_top_k=-1, save_on_train_epoch_end=True)
    trainer = make_trainer(tmp_path, epochs=2, callbacks=[AveragedWeights(0.5), keep])
    trainer.fit(make(), datamodule=BrightCorners())
    steps, module = Steps(), make()
    trainer = make_trainer(tmp_path, epochs=2, callbacks=[AveragedWeights(0.5), steps])
    trainer.fit(module, datamodule=BrightCorners(), ckpt_path=str(tmp_path / "epoch=0.ckpt"))
    assert len(steps.trained) == 3
    torch.testing.assert_close(module.state_dict()[WEIGHT], followed(runs["with"], 0.5))


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_decay_says_how_slowly(tmp_path: Path, decay: float) -> None:
    steps, module = Steps(), make()
    make_trainer(tmp_path, callbacks=[AveragedWeights(decay), steps]).fit(module, datamodule=BrightCorners())
    torch.testing.assert_close(module.state_dict()[WEIGHT], followed(steps.trained, decay))
