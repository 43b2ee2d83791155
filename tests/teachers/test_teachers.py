from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch.utils.data import DataLoader

from norface.backbones import ConvEncoder
from norface.errors import CheckpointError, TrainingError
from norface.imaging.alignment import Alignment
from norface.teachers import ExpressionTask, IdentityTask, TrainedExpression, TrainedIdentity
from norface.teachers.components import TruthComponents
from norface.teachers.expression import masked_intensity_loss
from norface.teachers.identity import nearest_neighbour_accuracy
from norface.teachers.margin import AngularMargin

SIZE, PEOPLE = 16, 4


def faces(count: int, seed: int) -> list[dict[str, Any]]:
    """Identity is a colour, expression the brightness of the lower half."""
    generator = torch.Generator().manual_seed(seed)
    colours = torch.rand(PEOPLE, 3, generator=torch.Generator().manual_seed(1)) - 0.5
    out = []
    for index in range(count):
        subject, strength = index % PEOPLE, float(torch.rand((), generator=generator))
        image = colours[subject].view(3, 1, 1).expand(3, SIZE, SIZE).clone()
        image[:, SIZE // 2 :] += strength - 0.5
        truth = torch.zeros(3, SIZE, SIZE)
        truth[:, SIZE // 2 :] = strength - 0.5
        out.append(
            {
                "face_id": str(index),
                "subject": torch.tensor(subject),
                "original": image + 0.02 * torch.randn(image.shape, generator=generator),
                "normalized": truth,
                "emotion": torch.tensor(int(strength > 0.5)),
                "au_intensity": torch.tensor([5 * strength, math.nan]),
            }
        )
    return out


class Faces(lightning.LightningDataModule):
    emotions: tuple[str, ...] = ("neutral", "happy")
    aus: tuple[int, ...] = (12, 25)
    subjects = tuple("abcd")
    alignment = Alignment(SIZE)
    knows_truth = False

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(faces(64, 0), batch_size=16, generator=torch.Generator())  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(faces(32, 5), batch_size=16, generator=torch.Generator())  # type: ignore[arg-type]


def trainer(path: Path, epochs: int) -> lightning.Trainer:
    return lightning.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=path,
    )


def encoder() -> ConvEncoder:
    torch.manual_seed(0)
    return ConvEncoder(widths=(8, 16))


def test_margin_loss_matches_a_loop() -> None:
    torch.manual_seed(0)
    loss = AngularMargin(dim=3, subjects=4, scale=8.0, margin=0.3)
    z = torch.nn.functional.normalize(torch.randn(5, 3), dim=1)
    who = torch.tensor([0, 1, 2, 3, 1])
    centres = torch.nn.functional.normalize(loss.centres.detach(), dim=1)
    wanted = 0.0
    for i in range(5):
        cosines = [float(z[i] @ centres[j]) for j in range(4)]
        angle = math.acos(cosines[who[i]])
        cosines[who[i]] = math.cos(angle + 0.3) if angle + 0.3 < math.pi else cosines[who[i]] - 1
        exps = [math.exp(8 * c) for c in cosines]
        wanted -= math.log(exps[who[i]] / sum(exps)) / 5
    assert float(loss(z, who).detach()) == pytest.approx(wanted, rel=1e-4)


def test_margin_makes_it_harder() -> None:
    z, who = torch.eye(3), torch.arange(3)
    easy, hard = AngularMargin(dim=3, subjects=3, margin=0.0), AngularMargin(dim=3, subjects=3, margin=0.4)
    hard.load_state_dict(easy.state_dict())
    assert hard(z, who) > easy(z, who)


def test_nearest_neighbour_leaves_the_face_itself_out() -> None:
    embedding = torch.nn.functional.normalize(torch.tensor([[1.0, 0], [1, 0.1], [0, 1], [1, 0.2]]), dim=1)
    assert nearest_neighbour_accuracy(embedding, torch.tensor([0, 0, 1, 1])) == 0.5


def test_intensity_loss_masks_unknown_labels() -> None:
    outputs = torch.tensor([[0.5, 0.9], [1.0, 0.1]], requires_grad=True)
    loss = masked_intensity_loss(outputs, torch.tensor([[5.0, math.nan], [2.5, math.nan]]))
    assert float(loss.detach()) == pytest.approx(0.25)
    loss.backward()
    assert outputs.grad is not None
    assert (outputs.grad[:, 1] == 0).all()


def test_identity_teacher_learns_freezes_and_loads(tmp_path: Path) -> None:
    task = IdentityTask(encoder(), dim=8, lr=1e-2)
    run = trainer(tmp_path, 20)
    run.fit(task, datamodule=Faces())
    assert run.logged_metrics["val/nearest_neighbour"] > 0.7
    run.save_checkpoint(tmp_path / "identity.ckpt")
    teacher = TrainedIdentity(str(tmp_path / "identity.ckpt"))
    image = torch.rand(2, 3, SIZE, SIZE, requires_grad=True)
    embedding = teacher.train()(image)
    assert torch.allclose(embedding.norm(dim=1), torch.ones(2), atol=1e-5)
    assert not any(module.training for module in teacher.modules())
    assert not any(p.requires_grad for p in teacher.parameters())
    assert torch.autograd.grad(embedding[:, 0].sum(), image)[0].abs().sum() > 0  # gradients flow to the image
    assert teacher(torch.rand(1, 3, 24, 24)).shape == (1, 8)  # other sizes are resized


def test_expression_teacher_learns_and_loads(tmp_path: Path) -> None:
    task = ExpressionTask(encoder(), dim=8, lr=1e-2)
    run = trainer(tmp_path, 10)
    run.fit(task, datamodule=Faces())
    assert run.logged_metrics["val/au_r2"] > 0.6
    assert run.logged_metrics["val/emotion_accuracy"] > 0.85
    run.save_checkpoint(tmp_path / "expression.ckpt")
    teacher = TrainedExpression(str(tmp_path / "expression.ckpt"))
    reading = teacher(torch.rand(2, 3, SIZE, SIZE))
    assert teacher.names == ("AU12", "AU25")
    assert reading.outputs.shape == (2, 2)
    with pytest.raises(CheckpointError, match="EmbeddingNetwork"):
        TrainedIdentity(str(tmp_path / "expression.ckpt"))


@pytest.mark.parametrize(("size", "grid"), [(16, 4), (32, 8), (64, 8)])
def test_expression_is_read_from_as_fine_a_grid_as_there_is_up_to_eight(size: int, grid: int, tmp_path: Path) -> None:
    data = Faces()
    data.alignment = Alignment(size)
    task = ExpressionTask(encoder(), dim=8)
    trainer(tmp_path, 1).fit(task, datamodule=data)
    assert (task.network.embed.pool, task.network.embed.width) == (grid, 16 * grid**2)


class Truths(Faces):
    """The same faces, whose true normalized face shows the expression alone."""

    knows_truth = True


@torch.no_grad()
def explained_components(task: ExpressionTask, faces: list[dict[str, Any]]) -> float:
    """Share of the variance of the components that the read-out of a trained task explains."""
    task.eval()
    original, truth = (torch.stack([face[key] for face in faces]) for key in ("original", "normalized"))
    wanted = task.components(truth)
    error = task.read_components(task.network.embed.features(original)) - wanted
    return float(1 - error.square().sum() / (wanted - wanted.mean(0)).square().sum())


@pytest.mark.parametrize("weight", [0.5, 2.0])
def test_components_count_with_their_weight_and_start_from_nothing(tmp_path: Path, weight: float) -> None:
    task, data = ExpressionTask(encoder(), dim=8, dropout=0.0, truth_weight=weight), Truths()
    trainer(tmp_path, 1).fit(task, datamodule=data)
    batch = next(iter(data.train_dataloader()))
    task.eval()
    wanted = task.components(batch["normalized"])
    read = task.read_components(task.network.embed.features(batch["original"])).detach()
    errors = [(float(a) - float(b)) ** 2 for a, b in zip(read.flatten(), wanted.flatten(), strict=True)]
    assert float(task.loss(batch)["components"].detach()) == pytest.approx(weight * sum(errors) / len(errors), rel=1e-4)
    fresh = ExpressionTask(encoder(), dim=8)
    fresh.trainer = task.trainer
    fresh.configure_model()
    assert not fresh.read_components.weight.any()  # random weights would shake the encoder before they help
    assert not fresh.read_components.bias.any()


def test_expression_teacher_reads_the_components_of_true_faces(tmp_path: Path) -> None:
    task = ExpressionTask(encoder(), dim=8, lr=1e-2)
    run = trainer(tmp_path, 10)
    run.fit(task, datamodule=Truths())
    assert task.reads_truth
    assert explained_components(task, faces(32, 5)) > 0.5  # of new faces; 0 where nothing is read
    assert run.logged_metrics["val/au_r2"] > 0.6
    rates = {group["initial_lr"] for group in run.optimizers[0].param_groups}
    assert len(rates) == 2  # the read-out of the components is slower
    run.save_checkpoint(tmp_path / "expression.ckpt")
    assert TrainedExpression(str(tmp_path / "expression.ckpt")).names == ("AU12", "AU25")
    resumed = ExpressionTask(encoder(), dim=8, lr=1e-2)
    trainer(tmp_path, 10).fit(resumed, datamodule=Truths(), ckpt_path=str(tmp_path / "expression.ckpt"))
    assert torch.equal(resumed.components.basis, task.components.basis)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_components_are_read_only_where_truth_is_known_and_wanted(tmp_path: Path, weight: float) -> None:
    for data, knows in ((Faces(), False), (Truths(), True)):
        task = ExpressionTask(encoder(), dim=8, truth_weight=weight)
        trainer(tmp_path, 1).fit(task, datamodule=data)
        assert task.reads_truth == (knows and weight > 0)


def test_components_are_those_of_a_singular_value_decomposition() -> None:
    torch.manual_seed(0)
    truths = torch.randn(40, 5) @ torch.randn(5, 3 * 64)
    components = TruthComponents(size=8)
    before = torch.random.get_rng_state()
    components.measure(truths.view(40, 3, 8, 8))
    assert torch.equal(torch.random.get_rng_state(), before)
    centred = truths - truths.mean(0)
    found = components(truths.view(40, 3, 8, 8))
    assert float(found.square().mean()) == pytest.approx(1.0, rel=1e-4)
    rebuilt = (found * components.scale) @ components.basis.T  # five directions are all there are
    assert torch.allclose(rebuilt, centred, atol=1e-2)


def test_expression_needs_labels(tmp_path: Path) -> None:
    data = Faces()
    data.emotions, data.aus = (), ()
    with pytest.raises(TrainingError, match="neither"):
        trainer(tmp_path, 1).fit(ExpressionTask(encoder()), datamodule=data)


def test_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    def task() -> IdentityTask:
        return IdentityTask(encoder(), dim=8, dropout=0.5)

    class Save(lightning.Callback):
        def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
            if trainer.current_epoch == 0:
                trainer.save_checkpoint(tmp_path / "half.ckpt")

    whole, run = task(), trainer(tmp_path, 2)
    run.callbacks.append(Save())  # type: ignore[attr-defined]
    torch.manual_seed(7)
    run.fit(whole, datamodule=Faces())
    resumed = task()
    torch.manual_seed(99)
    trainer(tmp_path, 2).fit(resumed, datamodule=Faces(), ckpt_path=str(tmp_path / "half.ckpt"), weights_only=True)
    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


@pytest.mark.parametrize("known", [0, 8])
def test_faces_without_a_label_are_left_out_of_the_figures(tmp_path: Path, known: int) -> None:
    class Unlabelled(Faces):
        def val_dataloader(self) -> DataLoader[Any]:
            rows = faces(32, 5)
            for row in rows[known:]:
                row |= {"emotion": torch.tensor(-1), "au_intensity": torch.full((2,), math.nan)}
            return DataLoader(rows, batch_size=16, generator=torch.Generator())  # type: ignore[arg-type]

    run = trainer(tmp_path, 1)
    run.fit(ExpressionTask(encoder(), dim=8, truth_weight=0.0), datamodule=Unlabelled())
    accuracy = float(run.callback_metrics["val/emotion_accuracy"])
    explained = float(run.callback_metrics["val/au_r2"])
    if known:
        assert accuracy * known == pytest.approx(round(accuracy * known), abs=1e-4) and explained < 1.0
    else:
        assert math.isnan(accuracy) and math.isnan(explained)


def test_a_trained_teacher_names_its_people(tmp_path: Path) -> None:
    run = trainer(tmp_path, 1)
    run.fit(ExpressionTask(encoder(), dim=8, truth_weight=0.0), datamodule=Faces())
    run.save_checkpoint(tmp_path / "teacher.ckpt")
    assert TrainedExpression(str(tmp_path / "teacher.ckpt")).subjects == ("a", "b", "c", "d")
