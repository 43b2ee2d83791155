from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch.loggers import Logger

from norface.errors import CheckpointError, ConfigError, TrainingError
from norface.imaging.alignment import Alignment
from norface.normalizer import LossWeights, NormalizerTask, PatchDiscriminator, PreviewGrid, TrainedNormalizer
from norface.normalizer.module import real_faces, unmirrored_truths
from toy_world import SIZE, ColourTeacher, ToyFaces, pairs

Make = Callable[..., NormalizerTask]
Fit = Callable[..., lightning.Trainer]


def snapshot(module: torch.nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in module.parameters()]


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


class Watch(lightning.Callback):
    """Notes which network each optimiser step moved, and whose gradients it filled."""

    def __init__(self) -> None:
        self.moved: list[tuple[bool, bool]] = []

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, NormalizerTask)
        task, step = pl_module, pl_module._step

        def watched(*args: Any) -> None:
            g, d = snapshot(task.generator), snapshot(task.discriminator)
            step(*args)
            self.moved.append((not same(g, snapshot(task.generator)), not same(d, snapshot(task.discriminator))))

        task._step = watched  # type: ignore[method-assign, assignment]


class Keep(lightning.Callback):
    """Saves a checkpoint after the first epoch."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.current_epoch == 0:
            trainer.save_checkpoint(self.path)


def test_each_step_moves_only_its_own_network(make_task: Make, fit: Fit) -> None:
    watch = Watch()
    fit(make_task(), callbacks=[watch])
    assert watch.moved[0::2] == [(False, True)] * (len(watch.moved) // 2)  # discriminator first
    assert watch.moved[1::2] == [(True, False)] * (len(watch.moved) // 2)


def test_discriminator_waits_for_its_start(make_task: Make, fit: Fit) -> None:
    task = make_task(adversarial_start=2.0)
    before = snapshot(task.discriminator)
    fit(task)
    assert same(before, snapshot(task.discriminator))


def test_teachers_stay_bitwise_the_same_and_out_of_the_checkpoint(make_task: Make, fit: Fit, tmp_path: Path) -> None:
    task = make_task()
    teachers = [t for t in task.teachers.values() if t is not None]
    before = [snapshot(t) for t in teachers]
    trainer = fit(task)
    assert all(same(b, snapshot(t)) for b, t in zip(before, teachers, strict=True))
    assert not any(module.training for t in teachers for module in t.modules())
    trainer.save_checkpoint(tmp_path / "n.ckpt")
    state = torch.load(tmp_path / "n.ckpt", weights_only=True)["state_dict"]
    assert not [key for key in state if "teacher" in key or "scale" in key]


def test_every_part_of_the_generator_gets_gradient(make_task: Make, fit: Fit) -> None:
    task = make_task()
    before = {name: p.detach().clone() for name, p in task.generator.named_parameters()}
    fit(task, max_epochs=2)
    assert [name for name, p in task.generator.named_parameters() if torch.equal(p, before[name])] == []


def test_one_batch_can_be_overfitted(make_task: Make, fit: Fit) -> None:
    weights = LossWeights(adversarial=0.0, identity=0.0, expression=0.0, head_pose=0.0, supervision=0.0)
    task = make_task(weights=weights, lr=1e-2, ema_decay=0.9)
    fit(task, ToyFaces(count=8), max_epochs=250, limit_val_batches=0)
    batch = pairs(8)
    # Of the common target, whose picture tells nothing: a generator that is blind to the original learns their mean.
    learned = batch["has_truth"] & ~batch["same_image"]
    output, truth = task.average(batch["original"], batch["target"])[learned], batch["truth"][learned]
    assert (output - truth).square().mean() < 0.3 * (truth.mean(0) - truth).square().mean()


TERMS = [
    "adversarial",
    "identity",
    "expression",
    "named_outputs",
    "head_pose",
    "reconstruction",
    "paired",
    "supervision",
]


@pytest.mark.parametrize("name", TERMS)
def test_weight_zero_is_not_computed(name: str, make_task: Make, fit: Fit) -> None:
    on, off = make_task(), make_task(weights=LossWeights(**{"head_pose": 0.1, name: 0.0}))
    assert f"normalizer/{name}" in fit(on).logged_metrics
    assert f"normalizer/{name}" not in fit(off).logged_metrics


def test_penalty_and_matching_are_computed_where_they_weigh(make_task: Make, fit: Fit) -> None:
    weights = LossWeights(head_pose=0.1, feature_matching=1.0, r1=1.0)
    metrics = fit(make_task(weights=weights)).logged_metrics
    assert metrics["normalizer/feature_matching"] > 0 and metrics["normalizer/r1"] > 0
    assert metrics["normalizer/gradient_share/feature_matching"] > 0  # it acts on the output, not only on paper
    assert not {"normalizer/feature_matching", "normalizer/r1"} & fit(make_task()).logged_metrics.keys()
    waiting = fit(make_task(weights=weights, adversarial_start=2.0)).logged_metrics
    assert not {"normalizer/feature_matching", "normalizer/r1"} & waiting.keys()


def test_the_penalty_comes_every_few_steps_as_much_stronger(
    make_task: Make, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[float] = []

    def one(*args: Any) -> torch.Tensor:
        found.append(1.0)
        return torch.zeros((), requires_grad=True) + 2.0

    monkeypatch.setattr("norface.normalizer.module.r1_penalty", one)
    task = make_task(weights=LossWeights(head_pose=0.1, r1=0.5), r1_every=3)
    metrics = fit(task, ToyFaces(count=40), max_epochs=1).logged_metrics  # five steps: 0 and 3
    assert len(found) == 2
    assert metrics["normalizer/r1"] == pytest.approx(0.5 * 3 * 2.0)


@pytest.mark.parametrize("term", ["feature_matching", "r1"])
def test_each_of_them_moves_only_its_own_network(term: str, make_task: Make, fit: Fit) -> None:
    watch = Watch()
    fit(make_task(weights=LossWeights(head_pose=0.1, **{term: 1.0}), r1_every=1), callbacks=[watch])
    assert set(watch.moved[0::2]) == {(False, True)} and set(watch.moved[1::2]) == {(True, False)}


def test_the_penalty_changes_what_the_discriminator_learns(make_task: Make, fit: Fit) -> None:
    def learned(r1: float) -> list[torch.Tensor]:
        task = make_task(weights=LossWeights(head_pose=0.1, r1=r1), r1_every=1)
        fit(task)
        return snapshot(task.discriminator)

    weak = learned(1e-9)  # not 0: judging once more moves the vectors of the spectral norm already
    assert same(learned(1e-9), weak)
    assert not all(torch.allclose(a, b, rtol=0, atol=1e-6) for a, b in zip(learned(1.0), weak, strict=True))


def test_the_discriminator_learns_which_faces_are_real(make_task: Make, fit: Fit) -> None:
    task = make_task(lr=1e-9, discriminator_lr=2e-3)  # a generator that stands still
    fit(task, ToyFaces(count=16), max_epochs=15, limit_val_batches=0)
    batch = pairs(16)
    with torch.no_grad():
        made = task.generator(batch["original"], batch["target"])
        real, fake = (
            torch.stack([logits.mean() for logits in task.discriminator(faces)]) for faces in (real_faces(batch), made)
        )
    assert (real > fake + 0.2).all()


def test_a_frozen_encoder_stays_bitwise_the_same(make_task: Make, fit: Fit) -> None:
    task = make_task(encoder_rate=0.0)
    before = snapshot(task.generator.encoder)
    others = snapshot(task.generator.merging)
    fit(task, max_epochs=2)
    assert same(before, snapshot(task.generator.encoder)) and same(before, snapshot(task.average.network.encoder))  # type: ignore[arg-type]
    assert not same(others, snapshot(task.generator.merging))
    assert not any(p.requires_grad or p.grad is not None for p in task.generator.encoder.parameters())
    assert not any(module.training for module in task.train().generator.encoder.modules())
    assert task.generator.merging.training


def test_an_encoder_is_tuned_at_a_lower_rate(make_task: Make, fit: Fit) -> None:
    moved = {}
    for rate in (1.0, 0.01):
        task = make_task(encoder_rate=rate, adversarial_start=2.0)
        before = snapshot(task.generator.encoder)
        trainer = fit(task)
        after = snapshot(task.generator.encoder)
        moved[rate] = sum(float((a - b).abs().sum()) for a, b in zip(after, before, strict=True))
        rates = {round(group["max_lr"] / task.lr, 6) for group in trainer.optimizers[0].param_groups}
        assert rates == {1.0, rate}
    assert 0 < moved[0.01] < 0.05 * moved[1.0]


@pytest.mark.parametrize("rate", [-0.1, 1.5])
def test_a_rate_of_the_encoder_is_a_share(rate: float, make_task: Make) -> None:
    with pytest.raises(ConfigError, match=r"from 0 \(frozen\) to 1"):
        make_task(encoder_rate=rate)


def test_a_normalizer_starts_from_another(make_task: Make, fit: Fit, tmp_path: Path) -> None:
    first = make_task()
    data = ToyFaces()
    data.subjects = ("eve",)  # type: ignore[assignment]
    fit(first, data).save_checkpoint(tmp_path / "n.ckpt")
    second = make_task(generator_weights=str(tmp_path / "n.ckpt"))
    assert same(snapshot(first.average.network), snapshot(second.generator))
    assert same(snapshot(first.average.network), snapshot(second.average.network))
    fit(second).save_checkpoint(tmp_path / "m.ckpt")
    people = torch.load(tmp_path / "m.ckpt", weights_only=True)["norface"]["subjects"]
    assert people == ["ada", "bob", "eve"]
    with pytest.raises(ConfigError, match="found both"):
        make_task(generator_weights=str(tmp_path / "n.ckpt"), encoder_weights=str(tmp_path / "n.ckpt"))


def test_a_start_of_another_kind_or_size_is_refused(make_task: Make, tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "norface": {"kind": "teacher"}}, tmp_path / "t.ckpt")
    with pytest.raises(CheckpointError, match="expected a normalizer checkpoint"):
        make_task(generator_weights=str(tmp_path / "t.ckpt"))
    weights = {f"average.network.{k}": v for k, v in make_task().generator.state_dict().items()}
    weights["average.network.merging.position"] = torch.zeros(1, 9, 32)
    torch.save({"state_dict": weights, "norface": {"kind": "normalizer", "subjects": []}}, tmp_path / "n.ckpt")
    with pytest.raises(CheckpointError, match=r"parts and sizes of this one, found .*merging\.position"):
        make_task(generator_weights=str(tmp_path / "n.ckpt"))


def test_teachers_learn_how_the_faces_are_cropped(make_task: Make, fit: Fit) -> None:
    task = make_task()
    asked: list[Alignment] = []
    for teacher in task.teachers.values():
        assert teacher is not None
        teacher.aligned_as = asked.append  # type: ignore[method-assign, assignment]
    metrics = fit(task).callback_metrics
    assert asked == [ToyFaces.alignment] * 3
    assert "val/head_pose_distance" in metrics


def test_missing_teacher_is_named() -> None:
    from toy_world import make_generator

    task = NormalizerTask(make_generator(), PatchDiscriminator(widths=(8,)), identity_teacher=ColourTeacher())
    trainer = lightning.Trainer(accelerator="cpu", max_epochs=1, logger=False, enable_progress_bar=False)
    with pytest.raises(ConfigError, match="expression_teacher"):
        trainer.fit(task, datamodule=ToyFaces())


def test_resumed_run_equals_an_uninterrupted_one(make_task: Make, fit: Fit, tmp_path: Path) -> None:
    whole = make_task()
    fit(whole, max_epochs=3)

    fit(make_task(), max_epochs=3, callbacks=[Keep(tmp_path / "half.ckpt")])
    resumed = make_task()
    fit(resumed, max_epochs=3, ckpt=str(tmp_path / "half.ckpt"))
    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


def test_loss_that_is_not_finite_stops_names_the_term_and_keeps_the_batch(
    make_task: Make, fit: Fit, tmp_path: Path
) -> None:
    data = ToyFaces()
    data.target = torch.full((3, SIZE, SIZE), 0.0)
    task = make_task()
    bias = task.generator.decoder.to_rgb.bias
    assert bias is not None
    torch.nn.init.constant_(bias, float("nan"))
    with pytest.raises(TrainingError, match="= nan"):
        fit(task, data)
    (path,) = tmp_path.glob("broken-batch-*.pt")
    kept = torch.load(path, weights_only=True)
    assert torch.isnan(torch.tensor(kept["losses"]["discriminator"]))
    assert torch.equal(kept["batch"]["original"], pairs(16)["original"][:8])


def test_checkpoint_opens_as_a_normalizer_with_averaged_weights(make_task: Make, fit: Fit, tmp_path: Path) -> None:
    task = make_task()
    fit(task).save_checkpoint(tmp_path / "n.ckpt")
    normalizer = TrainedNormalizer(str(tmp_path / "n.ckpt"), identity_teacher=ColourTeacher()).load()
    original = pairs(4)["original"]
    out = normalizer.normalize(original)
    assert torch.allclose(out.image, task.average(original, task.target).clamp(-1, 1), atol=1e-6)
    assert normalizer.subjects == ("ada", "bob")
    assert normalizer.alignment == ToyFaces.alignment
    assert out.identity_to_target.shape == (4,)
    assert out.expression_distance.isnan().all()  # no expression teacher was given
    again = TrainedNormalizer(str(tmp_path / "n.ckpt")).load()
    assert again.fingerprint == normalizer.fingerprint


def test_a_checkpoint_keeps_the_frame_of_foreign_crops(make_task: Make, fit: Fit, tmp_path: Path) -> None:
    data, foreign = ToyFaces(), Alignment(SIZE, 0.0, 0.0, "rafdb-aligned")
    data.alignment = foreign
    fit(make_task(), data).save_checkpoint(tmp_path / "n.ckpt")
    assert TrainedNormalizer(str(tmp_path / "n.ckpt")).load().alignment == foreign


def test_fingerprint_follows_the_weights(make_task: Make, fit: Fit, tmp_path: Path) -> None:
    for name, epochs in (("a", 1), ("b", 2)):
        task = make_task()
        fit(task, max_epochs=epochs).save_checkpoint(tmp_path / name)
    prints = {TrainedNormalizer(str(tmp_path / name)).load().fingerprint for name in ("a", "b")}
    assert len(prints) == 2


def test_other_checkpoints_are_refused(make_task: Make, fit: Fit, tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "norface": {"kind": "teacher"}}, tmp_path / "teacher.ckpt")
    with pytest.raises(CheckpointError, match="expected a normalizer checkpoint, found a teacher checkpoint"):
        TrainedNormalizer(str(tmp_path / "teacher.ckpt")).load()
    (tmp_path / "broken.ckpt").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(CheckpointError, match="readable checkpoint"):
        TrainedNormalizer(str(tmp_path / "broken.ckpt")).load()
    with pytest.raises(CheckpointError, match="no such file"):
        TrainedNormalizer(str(tmp_path / "missing.ckpt")).load()


def test_previews_are_drawn_before_and_after_training(make_task: Make, fit: Fit, tmp_path: Path) -> None:
    fit(make_task(), max_epochs=3, callbacks=[PreviewGrid(faces=4, every_n_epochs=2)])
    drawn = sorted(path.stem for path in (tmp_path / "previews").iterdir())
    assert drawn == ["epoch-000", "epoch-002", "epoch-003"]


FIGURES = {
    "val/head_pose_distance",
    "val/expression_r2",
    "val/identity_to_target",
    "val/expression_distance",
    "val/background_error",
}


def test_validation_reports_what_survives(make_task: Make, fit: Fit) -> None:
    assert fit(make_task()).logged_metrics.keys() >= FIGURES


class Noted(Logger):
    """Keeps what is logged."""

    name, version = "noted", 0

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int, dict[str, float]]] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.rows.append((step or 0, dict(metrics)))

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        pass


def test_curves_start_with_the_untrained_normalizer_and_hold_losses_norms_and_shares(
    make_task: Make, fit: Fit, tmp_path: Path
) -> None:
    noted = Noted()
    fit(make_task(), logger=noted, max_epochs=2, callbacks=[Keep(tmp_path / "half.ckpt")])
    step, first = noted.rows[0]
    assert (step, set(first)) == (0, FIGURES)
    # It starts as the target itself: the right person on the right background, without any expression.
    assert first["val/identity_to_target"] == pytest.approx(1.0, abs=1e-3)
    assert first["val/background_error"] == pytest.approx(0.0, abs=1e-3)
    assert first["val/expression_r2"] <= 0.0

    logged = {name: value for _, row in noted.rows[1:] for name, value in row.items()}
    assert logged.keys() >= FIGURES
    norms = {name: value for name, value in logged.items() if name.startswith("normalizer/gradient_norm/")}
    assert {name.rpartition("/")[2] for name in norms} == {"generator", "discriminator"}
    assert all(norm > 0 for norm in norms.values())
    shares = {name: value for name, value in logged.items() if name.startswith("normalizer/gradient_share/")}
    terms = {"adversarial", "identity", "expression", "named_outputs", "head_pose", "reconstruction", "paired"}
    # Labels do not act through the image.
    assert {name.rpartition("/")[2] for name in shares} == terms
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-4)

    resumed = Noted()
    fit(make_task(), logger=resumed, max_epochs=2, ckpt=str(tmp_path / "half.ckpt"))
    assert min(step for step, _ in resumed.rows) > 0
    assert resumed.rows[-1] == noted.rows[-1]


def test_people_of_teachers_and_encoder_are_named(make_task: Make, fit: Fit, tmp_path: Path) -> None:
    task = make_task()
    teacher = ColourTeacher()
    teacher.subjects = ("disfa:SN001",)
    task.teachers["identity"] = teacher
    task.encoder_people = ("bp4d:F001",)
    fit(task).save_checkpoint(tmp_path / "n.ckpt")
    people = torch.load(tmp_path / "n.ckpt", weights_only=True)["norface"]["subjects"]
    assert people == ["ada", "bob", "bp4d:F001", "disfa:SN001"]


def test_the_discriminator_takes_for_real_what_is_known_and_the_lone_target_only_where_nothing_is() -> None:
    batch: Any = {
        "truth": torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 2, 2),
        "target": 10 + torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 2, 2),
        "has_truth": torch.tensor([False, True, False, False]),
        "target_key": torch.tensor([-2, -2, 6, -1]),
    }
    assert real_faces(batch)[:, 0, 0, 0].tolist() == [1.0, 12.0]
    batch |= {"has_truth": torch.zeros(4, dtype=torch.bool), "target_key": torch.full((4,), -2)}
    assert real_faces(batch)[:, 0, 0, 0].tolist() == [10.0, 11.0, 12.0, 13.0]


def test_the_spread_of_truths_is_that_of_the_target_as_it_looks() -> None:
    image = torch.zeros(1, 3, 2, 4)
    image[..., 0] = 1.0  # a target whose left side is brighter
    batch: Any = {
        "truth": torch.cat([image, image.flip(-1), image, 0 * image]),
        "has_truth": torch.tensor([True, True, True, False]),
        "same_image": torch.tensor([False, False, True, False]),
        "target_key": torch.tensor([-2, -1, 6, -2]),  # the second pair is mirrored
    }
    assert torch.equal(unmirrored_truths(batch), torch.cat([image, image]))
