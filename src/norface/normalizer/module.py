"""Stage 1: adversarial training of the normalizer (manual optimisation, two optimisers)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import lightning
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor

import norface
from norface.checkpoints import describe_checkpoint
from norface.data.datamodule import FaceDataModule
from norface.normalizer.balance import MEASURED_EVERY, gradient_shares
from norface.normalizer.discriminator import PatchDiscriminator
from norface.normalizer.ema import MovingAverage
from norface.normalizer.figures import CheapFigures, figures_before_training
from norface.normalizer.generator import Generator, distinct
from norface.normalizer.losses import feature_matching_loss, hinge_discriminator_loss, r1_penalty
from norface.normalizer.objective import GeneratorObjective, LossWeights, total
from norface.normalizer.rates import check_rate, generator_groups
from norface.normalizer.starting import start_generator
from norface.samples import PairSample
from norface.specs import describe
from norface.teachers.base import ExpressionTeacher, HeadPoseTeacher, IdentityTeacher, Teacher
from norface.training import EpochMeans, compile_in_place, fuses, require_finite, seed_step

TEACHER_KEYS = ("objective.identity.", "objective.expression.", "objective.head_pose.")
"""Frozen teachers come from their own files: their weights stay out of the normalizer's checkpoint."""

SPREAD_FACES = 1024
"""True normalized faces from which the spread of each pixel is measured."""


def real_faces(batch: PairSample) -> Tensor:
    """What the discriminator shall take for real: true normalized faces and drawn targets, ``(R, 3, H, W)``.

    The common target is one picture of one expression, so it counts only where a batch has nothing else: else the
    discriminator would ask for that expression.
    """
    known = batch["has_truth"]
    faces = torch.where(known[:, None, None, None], batch["truth"], batch["target"])
    many = known | (batch["target_key"] >= 0)
    return faces[many] if bool(many.any()) else faces


def unmirrored_truths(batch: PairSample) -> Tensor:
    """True normalized faces of the common target, those of mirrored pairs turned back, ``(N, 3, H, W)``.

    The target's two sides differ by more than expressions do: among mirrored faces, the spread of a pixel would say
    where the target is not symmetric.
    """
    known = batch["has_truth"] & ~batch["same_image"]
    truth, mirrored = batch["truth"][known], batch["target_key"][known] % 2 == 1
    return torch.where(mirrored[:, None, None, None], truth.flip(-1), truth)


class NormalizerTask(lightning.LightningModule):
    """Trains generator and discriminator on pairs (original, target).

    Every step: the discriminator on detached outputs, then the generator on its objective, then the moving average. All
    figures are taken with the averaged generator and the one fixed target, as in use.

    Args:
        generator: Maps (original, target) to the normalized face.
        discriminator: Tells real faces from normalized ones.
        weights: Weight of each loss term.
        encoder_weights: Checkpoint whose encoder the generator's starts from: a masked autoencoder's, a teacher's or a
            normalizer's; None: it starts as its own arguments say.
        generator_weights: Checkpoint of a normalizer whose averaged generator this one starts from; None: a new one.
        identity_teacher: Frozen identity network; needed where its weight is not 0.
        expression_teacher: Frozen expression network; likewise.
        head_pose_teacher: Frozen head-pose network; likewise.
        lr: Peak learning rate of the generator.
        encoder_rate: Learning rate of its encoder as a share of `lr`; 0: the encoder is frozen.
        discriminator_lr: Learning rate of the discriminator.
        weight_decay: Decoupled weight decay of the generator's matrices and kernels.
        ema_decay: Decay of the generator's moving average.
        adversarial_start: Share of the run after which the discriminator takes part. Before, there is nothing worth
            judging: it would win at once and teach the generator nothing.
        r1_every: Steps of the discriminator from one R1 penalty to the next.
        clip: Largest norm of a gradient step of either network.
        compile: Whether `torch.compile` translates the networks when training starts: minutes once, then faster steps,
            above all on a GPU. Checkpoints are the same.
        seed: Of whatever the networks draw by chance, such as the noise of `ExpressionReader`.
    """

    target: Tensor
    iteration: Tensor

    def __init__(
        self,
        generator: Generator,
        discriminator: PatchDiscriminator,
        *,
        weights: LossWeights = LossWeights(),
        encoder_weights: str | None = None,
        generator_weights: str | None = None,
        identity_teacher: IdentityTeacher | None = None,
        expression_teacher: ExpressionTeacher | None = None,
        head_pose_teacher: HeadPoseTeacher | None = None,
        lr: float = 2e-3,
        encoder_rate: float = 1.0,
        discriminator_lr: float = 1e-3,
        weight_decay: float = 0.02,
        ema_decay: float = 0.995,
        adversarial_start: float = 0.5,
        r1_every: int = 16,
        clip: float = 1.0,
        compile: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        check_rate(encoder_rate)
        self.encoder_people = start_generator(
            generator, encoder_weights=encoder_weights, generator_weights=generator_weights
        )
        generator.encoder.settle()
        self.encoder_rate, self.r1_every, self.seed = encoder_rate, r1_every, seed
        channels_last = torch.channels_last
        self.generator = generator.to(memory_format=channels_last)
        if encoder_rate == 0:
            self.generator.encoder.requires_grad_(False).eval()
        self.discriminator = discriminator.to(memory_format=channels_last)
        self.average = MovingAverage(self.generator, decay=ema_decay)
        self.weights = weights
        # Registered as part of the objective alone, once the number of action units is known.
        self.teachers: dict[str, Teacher | None] = {
            "identity": identity_teacher,
            "expression": expression_teacher,
            "head_pose": head_pose_teacher,
        }
        self.lr, self.discriminator_lr, self.weight_decay = lr, discriminator_lr, weight_decay
        self.adversarial_start, self.clip, self.compiled = adversarial_start, clip, compile
        self.objective: GeneratorObjective | None = None
        self._means = EpochMeans()
        size = generator.image_size
        self.register_buffer("target", torch.zeros(1, 3, size, size))
        self.register_buffer("iteration", torch.zeros((), dtype=torch.long))
        self.figures = CheapFigures(size=size)

    def train(self, mode: bool = True) -> NormalizerTask:
        """As always, but a frozen encoder stays in evaluation mode: no statistics move, nothing is dropped."""
        super().train(mode)
        if self.encoder_rate == 0:
            self.generator.encoder.eval()
        return self

    @property
    def faces(self) -> FaceDataModule:
        """The data module of this run."""
        return cast(FaceDataModule, self.trainer.datamodule)  # type: ignore[attr-defined]

    def configure_model(self) -> None:
        """Build the objective, once the table's action units are known."""
        if self.objective is None:
            for teacher in self.teachers.values():
                if teacher is not None:
                    teacher.aligned_as(self.faces.alignment)
            self.objective = GeneratorObjective(
                self.weights,
                image_size=self.generator.image_size,
                dim=self.generator.encoder.dim,
                aus=len(self.faces.aus),
                identity=cast(IdentityTeacher | None, self.teachers["identity"]),
                expression=cast(ExpressionTeacher | None, self.teachers["expression"]),
                head_pose=cast(HeadPoseTeacher | None, self.teachers["head_pose"]),
            )

    def on_fit_start(self) -> None:
        """Take the target and, on a fresh run, the spread of the true normalized faces."""
        self.target.copy_(self.faces.target[None])
        if self.weights.paired > 0 and self.iteration == 0:
            self._measure_spread()
        if self.compiled:
            generator = self.generator
            compile_in_place(generator.encoder, generator.merging, generator.decoder, self.discriminator)

    def on_train_start(self) -> None:
        """On a fresh run, log the figures of the untrained normalizer as step 0."""
        if self.iteration == 0 and self.trainer.enable_validation:
            figures = {f"val/{name}": float(value) for name, value in figures_before_training(self).items()}
            for logger in self.trainer.loggers:
                logger.log_metrics(figures, step=0)

    def _measure_spread(self) -> None:
        assert self.objective is not None
        truths: list[Tensor] = []
        for batch in self.faces.train_dataloader():
            truths.append(unmirrored_truths(batch))
            if sum(map(len, truths)) >= SPREAD_FACES:
                break
        if sum(map(len, truths)) >= 2:
            self.objective.paired.measure(torch.cat(truths).to(self.device))

    def training_step(self, batch: PairSample, batch_idx: int) -> None:
        """One step of the discriminator (once it takes part), one of the generator, one of the average."""
        assert self.objective is not None
        seed_step(self.seed, self.current_epoch, batch_idx, rank=self.global_rank)
        for_generator, for_discriminator = cast(list[LightningOptimizer], self.optimizers())
        targets, which = distinct(batch["target"], batch["target_key"])
        output, embeddings = self.generator.merge(batch["original"], targets, which)
        adversarial = self.weights.adversarial > 0 and self.progress >= self.adversarial_start
        logged: dict[str, Tensor] = {}
        if adversarial:
            real = real_faces(batch)
            with self.toggled_optimizer(for_discriminator):
                loss = hinge_discriminator_loss(self.discriminator(real), self.discriminator(output.detach()))
                judged = {"discriminator": loss} | self._penalty(real)
                self._step(for_discriminator, "discriminator", judged, batch, batch_idx)
            logged |= {name: value.detach() for name, value in judged.items()}
        with self.toggled_optimizer(for_generator):
            logits = self.discriminator(output) if adversarial else None
            parts = self.objective(batch, output, embeddings, logits)
            if adversarial:
                parts |= self._matching(batch, output)
            if batch_idx % MEASURED_EVERY == 0:
                shares = gradient_shares(parts, output, scale=self._loss_scale)
                logged |= {f"gradient_share/{name}": share for name, share in shares.items()}
            self._step(for_generator, "generator", parts, batch, batch_idx)
        self.average.update(self.generator)
        self.iteration += 1
        cast(torch.optim.lr_scheduler.LRScheduler, self.lr_schedulers()).step()
        logged |= {name: value.detach() for name, value in parts.items()}
        self._means.update({f"normalizer/{name}": v for name, v in logged.items()}, size=len(batch["original"]))

    def _penalty(self, real: Tensor) -> dict[str, Tensor]:
        """The discriminator's weighted R1 penalty, in the steps that have it."""
        if self.weights.r1 <= 0 or int(self.iteration) % self.r1_every:
            return {}
        # Its `forward` is what `compile` leaves as it was.
        return {"r1": self.weights.r1 * self.r1_every * r1_penalty(self.discriminator.forward, real)}

    def _matching(self, batch: PairSample, output: Tensor) -> dict[str, Tensor]:
        """The weighted difference of the discriminator's activations, where the right answer is known."""
        known = batch["has_truth"]
        if self.weights.feature_matching <= 0 or not bool(known.any()):
            return {}
        with torch.no_grad():
            wanted = self.discriminator.layers(batch["truth"][known])
        loss = feature_matching_loss(self.discriminator.layers(output[known]), wanted)
        return {"feature_matching": self.weights.feature_matching * loss}

    def on_train_epoch_end(self) -> None:
        """Log the mean of each loss term."""
        self.log_dict(self._means.take())  # a process may have seen no pair of some kind: not averaged over them

    @property
    def progress(self) -> float:
        """Share of the run that is done; counts batches, as `trainer.global_step` counts both optimisers' steps."""
        return float(self.iteration) / max(int(self.trainer.estimated_stepping_batches), 1)

    @property
    def _loss_scale(self) -> float:
        """What losses are multiplied by before they are differentiated: not 1 under fp16-mixed alone."""
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        return float(scaler.get_scale()) if scaler is not None else 1.0

    def _step(
        self, optimizer: LightningOptimizer, name: str, parts: dict[str, Tensor], batch: PairSample, batch_idx: int
    ) -> None:
        where = f"{type(self).__name__}, epoch {self.current_epoch}, batch {batch_idx}"
        require_finite(parts, where=where, batch=batch, folder=Path(self.trainer.default_root_dir))
        optimizer.zero_grad()
        self.manual_backward(total(parts))
        # Not Lightning's `clip_gradients`: it keeps the norm to itself, and forgets that the losses were scaled.
        scale = self._loss_scale
        trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(trained, self.clip * scale) / scale
        self._means.update({f"normalizer/gradient_norm/{name}": norm}, size=1)
        optimizer.step()

    def validation_step(self, batch: PairSample, batch_idx: int) -> None:
        """Normalize people that were not trained on, with the averaged generator."""
        self._evaluate(batch)

    def test_step(self, batch: PairSample, batch_idx: int) -> None:
        """As validation, on the test people."""
        self._evaluate(batch)

    def _evaluate(self, batch: PairSample) -> None:
        assert self.objective is not None
        output = self.average(batch["original"], self.target)
        self.figures.update(output, self.target, batch, self.objective)

    def on_validation_epoch_end(self) -> None:
        """Log the gate's cheap figures."""
        self._log_figures("val")

    def on_test_epoch_end(self) -> None:
        """Likewise."""
        self._log_figures("test")

    def _log_figures(self, split: str) -> None:
        for name, value in self.figures.take().items():
            # All processes have the same value already; Lightning wants to be told so.
            self.log(f"{split}/{name}", value, prog_bar=name == "expression_r2", rank_zero_only=False, sync_dist=True)

    def predict_step(self, batch: PairSample, batch_idx: int) -> Tensor:
        """Normalized faces ``(B, 3, S, S)`` in [-1, 1]."""
        output: Tensor = self.average(batch["original"], self.target).clamp(-1, 1)
        return output

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[torch.optim.lr_scheduler.LRScheduler]]:
        """AdamW for the generator on one cycle, Adam for the discriminator at a constant rate."""
        assert self.objective is not None
        supervision, judges = self.objective.supervision, [*self.discriminator.parameters()]
        groups = generator_groups(
            self.generator,
            [] if supervision is None else supervision.parameters(),
            lr=self.lr,
            encoder_rate=self.encoder_rate,
            weight_decay=self.weight_decay,
        )
        fused = fuses([*self.generator.parameters(), *judges], str(self.trainer.precision))
        generator = torch.optim.AdamW(groups, betas=(0.9, 0.99), fused=fused)
        discriminator = torch.optim.Adam(judges, lr=self.discriminator_lr, betas=(0.0, 0.99), fused=fused)
        steps = max(int(self.trainer.estimated_stepping_batches), 2)
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            generator,
            [float(group["lr"]) for group in generator.param_groups],
            total_steps=steps + 1,
            pct_start=0.15,
            cycle_momentum=False,
        )
        return [generator, discriminator], [cycle]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave the teachers out; say what this is and how to build it."""
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {k: v for k, v in state.items() if not k.startswith(TEACHER_KEYS)}
        checkpoint["norface"] = {
            "kind": "normalizer",
            "version": norface.__version__,
            "network": describe(self.generator),
            "alignment": self.faces.alignment.describe(),
            "subjects": self._people(),
        }

    def _people(self) -> list[str]:
        """Everybody that it has learned from: its own training people, its teachers' and its encoder's."""
        teachers = [teacher for teacher in self.teachers.values() if teacher is not None]
        return sorted({*self.faces.subjects, *self.encoder_people, *(one for by in teachers for one in by.subjects)})

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse another kind of checkpoint; put the live teachers back so that loading stays strict."""
        describe_checkpoint(checkpoint, where="--ckpt_path", kind="normalizer")
        checkpoint["state_dict"] |= {k: v for k, v in self.state_dict().items() if k.startswith(TEACHER_KEYS)}
