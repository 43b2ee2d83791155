from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from norface.errors import CheckpointError, TrainingError
from norface.imaging.alignment import Alignment
from norface.normalizer.losses import HeadPoseLoss
from norface.teachers import HeadPoseTask, IdentityTask, TrainedExpression, TrainedHeadPose
from norface.teachers.head_pose_task import masked_angle_loss
from teachers.test_teachers import SIZE, encoder, trainer


def picture(yaw: float | Tensor, pitch: float | Tensor) -> Tensor:
    """A nose, a bright spot, that points where the head does."""
    places = torch.arange(SIZE) - (SIZE - 1) / 2
    x, y = places[None] - yaw / 6, places[:, None] + pitch / 6
    return 2 * torch.exp(-(x.square() + y.square()) / 12).expand(3, -1, -1) - 1


def faces(count: int, seed: int) -> list[dict[str, Any]]:
    """The pitch of every fourth face is unknown; nobody knows any roll."""
    generator = torch.Generator().manual_seed(seed)
    out = []
    for index in range(count):
        yaw, pitch = (float(angle) for angle in torch.randn(2, generator=generator) * torch.tensor([15.0, 8.0]))
        known = math.nan if index % 4 == 0 else pitch
        noise = 0.02 * torch.randn(3, SIZE, SIZE, generator=generator)
        pose = torch.tensor([yaw, known, math.nan])
        out.append({"face_id": str(index), "original": picture(yaw, pitch) + noise, "head_pose": pose})
    return out


class Heads(lightning.LightningDataModule):
    subjects = ("a", "b")
    alignment = Alignment(SIZE)
    knows_head_pose = True

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(faces(160, 0), batch_size=16, generator=torch.Generator())  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(faces(32, 5), batch_size=16, generator=torch.Generator())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[lightning.Trainer, Path]:
    folder = tmp_path_factory.mktemp("head_pose")
    run = trainer(folder, 12)
    run.fit(HeadPoseTask(encoder(), dim=8, dropout=0.0, lr=1e-2), datamodule=Heads())
    run.save_checkpoint(folder / "pose.ckpt")
    return run, folder / "pose.ckpt"


def test_loss_matches_a_loop_over_known_angles() -> None:
    found = torch.tensor([[3.0, -20.0, 5.0], [170.0, 0.0, 0.0]], requires_grad=True)
    wanted = torch.tensor([[-1.0, 10.0, math.nan], [-178.0, math.nan, 40.0]])
    differences = [0.4, 3.0, 1.2, 4.0]  # tens of degrees; the third the short way round
    terms = [d * d / 2 if d < 1 else d - 0.5 for d in differences]
    loss = masked_angle_loss(found, wanted)
    assert float(loss.detach()) == pytest.approx(sum(terms) / 4, rel=1e-5)
    loss.backward()
    assert found.grad is not None
    assert (found.grad == 0).tolist() == torch.isnan(wanted).tolist()
    assert masked_angle_loss(found, torch.full((2, 3), math.nan)) == 0


def test_head_poses_of_new_faces_are_read(trained: tuple[lightning.Trainer, Path]) -> None:
    figures = trained[0].callback_metrics
    for axis in ("yaw", "pitch"):
        assert figures[f"val/{axis}_error"] < 0.5 * figures[f"val/{axis}_error_of_constant"]
    assert torch.isnan(figures["val/roll_error"]) and torch.isnan(figures["val/roll_error_of_constant"])


def test_the_constant_is_the_one_that_errs_least(trained: tuple[lightning.Trainer, Path]) -> None:
    yaws = [float(face["head_pose"][0]) for face in faces(32, 5)]
    best = min(sum(abs(yaw - constant) for yaw in yaws) / len(yaws) for constant in yaws)
    assert float(trained[0].callback_metrics["val/yaw_error_of_constant"]) == pytest.approx(best, rel=1e-5)


def test_a_trained_teacher_is_frozen_differentiable_and_counts_as_the_table(
    trained: tuple[lightning.Trainer, Path],
) -> None:
    teacher = TrainedHeadPose(str(trained[1]))
    assert teacher.subjects == ("a", "b")
    assert not any(p.requires_grad for p in teacher.parameters())
    assert not any(module.training for module in teacher.train().modules())
    shown = torch.tensor([[15.0, 0.0], [-15.0, 0.0], [0.0, 10.0]])
    image = torch.stack([picture(*pose) for pose in shown]).requires_grad_()
    found = teacher(image)
    assert (found.detach()[:, :2] - shown).abs().max() < 4
    assert (found.detach()[:, 2] == 0).all()  # no roll was ever known: it stays a constant
    assert torch.autograd.grad(found[:, 0].sum(), image)[0].abs().sum() > 0
    assert teacher(torch.rand(1, 3, 24, 24)).shape == (1, 3)


def test_a_head_is_turned_to_the_target_through_the_teacher(trained: tuple[lightning.Trainer, Path]) -> None:
    """The normalizer's loss falls, and only the picture changes."""
    teacher = TrainedHeadPose(str(trained[1]))
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    loss, target = HeadPoseLoss(teacher), picture(0.0, 0.0)[None]
    turned = torch.tensor([20.0, 10.0], requires_grad=True)
    optimizer = torch.optim.Adam([turned], lr=1.0)
    for _ in range(60):
        optimizer.zero_grad()
        loss(picture(turned[0], turned[1])[None], target).backward()
        optimizer.step()
    assert turned.detach().abs().max() < 3
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


def test_a_table_without_head_poses_is_refused(tmp_path: Path) -> None:
    data = Heads()
    data.knows_head_pose = False
    with pytest.raises(TrainingError, match=r"yaw, pitch, roll.*none of any training face"):
        trainer(tmp_path, 1).fit(HeadPoseTask(encoder()), datamodule=data)


def test_checkpoints_of_other_teachers_are_refused(trained: tuple[lightning.Trainer, Path], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="HeadPoseNetwork"):
        TrainedExpression(str(trained[1]))
    run = trainer(tmp_path, 1)
    run.fit(IdentityTask(encoder(), dim=8), datamodule=_People())
    run.save_checkpoint(tmp_path / "identity.ckpt")
    with pytest.raises(CheckpointError, match=r"a teacher of class HeadPoseNetwork.*EmbeddingNetwork"):
        TrainedHeadPose(str(tmp_path / "identity.ckpt"))


class _People(Heads):
    def train_dataloader(self) -> DataLoader[Any]:
        rows = [face | {"subject": torch.tensor(k % 2)} for k, face in enumerate(faces(8, 0))]
        return DataLoader(rows, batch_size=4, generator=torch.Generator())  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[Any]:
        return self.train_dataloader()
