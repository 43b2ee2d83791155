from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bright_corners import BrightCorners, make, make_trainer
from norface.classifier import ActionUnitTask, EmotionTask
from norface.classifier.mixup import mixed
from norface.classifier.module import ClassifierTask


def test_every_face_gets_the_same_share_of_its_partner_in_both_streams() -> None:
    torch.manual_seed(0)
    original, normalized = torch.rand(6, 3, 4, 4), torch.rand(6, 3, 4, 4)
    mix = mixed(original, normalized, alpha=0.4)
    assert sorted(mix.partner.tolist()) == list(range(6)) and 0.5 <= mix.share <= 1.0
    for k, partner in enumerate(mix.partner.tolist()):
        for sums, images in ((mix.original, original), (mix.normalized, normalized)):
            torch.testing.assert_close(sums[k], mix.share * images[k] + (1 - mix.share) * images[partner])


def test_shares_follow_alpha() -> None:
    torch.manual_seed(0)
    images = torch.zeros(2, 1, 1, 1)
    small, large = ([mixed(images, images, alpha=alpha).share for _ in range(400)] for alpha in (0.1, 10.0))
    assert sum(small) / 400 > 0.85 and 0.5 < sum(large) / 400 < 0.65


@pytest.mark.parametrize("task", [EmotionTask, ActionUnitTask])
def test_the_loss_of_a_sum_is_the_sum_of_the_losses(tmp_path: Path, task: type[ClassifierTask]) -> None:
    seen: list[tuple[float, float]] = []

    def watched(module: ClassifierTask, batch: Any) -> None:
        torch.manual_seed(1)
        mix = mixed(batch["original"], batch["normalized"], alpha=0.5)
        answer = module(mix.original, mix.normalized)
        labels = module.labels(batch)
        parts = [module.loss(answer.logits, some) for some in (labels, labels[mix.partner])]
        wanted = mix.share * parts[0] + (1 - mix.share) * parts[1] + module.balance_weight * answer.balance
        torch.manual_seed(1)
        seen.append((float(module.shared_step(batch, "train")[1].detach()), float(wanted.detach())))

    module, data = make(task, mixup=0.5, dropout=0.0), BrightCorners()
    make_trainer(tmp_path).fit(module, datamodule=data)
    batch = next(iter(data.loader()))
    watched(module, batch)
    assert seen[0][0] == pytest.approx(seen[0][1])
    module.mixup = 0.0
    watched(module, batch)
    assert seen[1][0] != pytest.approx(seen[1][1], abs=1e-4)  # off: whole faces


def test_a_resumed_run_mixes_as_an_uninterrupted_one(tmp_path: Path) -> None:
    weights = []
    for _ in range(2):
        module = make(mixup=0.3)
        make_trainer(tmp_path).fit(module, datamodule=BrightCorners())
        torch.rand(7)  # the global state is another one now
        weights.append(module.state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
