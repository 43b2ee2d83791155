"""Several tasks at once: one classifier with an output mixture and a head for each of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.wrappers.abstract import WrapperMetric

from norface.backbones import Backbone, ConvEncoder
from norface.classifier.checkpoint import MULTI, Header
from norface.classifier.contract import LabelledFaces
from norface.classifier.metrics import Scores
from norface.classifier.module import ClassifierTask
from norface.classifier.network import Classified
from norface.classifier.streams import Streams
from norface.classifier.tasks import ActionUnitTask, EmotionTask, IntensityTask
from norface.errors import ConfigError, TrainingError
from norface.labels import TASKS
from norface.samples import FaceSample

_Value = TypeVar("_Value")


class MultiTask(ClassifierTask):
    """Any of ``fer``, ``au`` and ``au-intensity`` together, from the same backbones and the same input experts.

    The tasks' own definitions are asked for labels, losses and scores; here they are only put side by side. Logits and
    labels of a batch stand task after task in the columns of one tensor. A label that is unknown for one task leaves
    the face in the others, so a table may know emotions of some faces and action units of others.

    Figures are logged as ``val/fer/accuracy``, ``val/au/f1``, ...; ``val/score`` is the mean of the tasks' figures of
    merit. After a test, `test_results` holds what each task alone would have measured, by task.

    Args:
        tasks: Weight of each task's loss, by name; all are 1 where nothing is said. A task of weight 0 has no head and
            is not tested.
        label_smoothing, class_weighting: Of emotion recognition, see `EmotionTask`.
        backbone, streams, shared_backbone, features, hidden, grid, experts, top_k, input_experts, output_experts,
            dropout, balance_weight, lr, weight_decay, warmup, layer_decay, mixup, encoder_weights, seed, compile: See
            `ClassifierTask`.

    Raises:
        ConfigError: A task that does not exist, a weight that is no weight, or no task at all.
    """

    task = MULTI

    def __init__(
        self,
        *,
        tasks: dict[str, float] | None = None,
        label_smoothing: float = 0.1,
        class_weighting: bool = True,
        backbone: Backbone | None = None,
        streams: Streams = "both",
        shared_backbone: bool = True,
        features: int = 128,
        hidden: int = 128,
        grid: int = 4,
        experts: int = 4,
        top_k: int = 2,
        input_experts: bool = True,
        output_experts: bool = True,
        dropout: float = 0.2,
        balance_weight: float = 0.001,
        lr: float = 2e-3,
        weight_decay: float = 0.05,
        warmup: float = 0.1,
        layer_decay: float = 1.0,
        mixup: float = 0.0,
        encoder_weights: str | None = None,
        seed: int = 0,
        compile: bool = False,
    ) -> None:
        # Made once, as for a single task: another one would draw from the generator that fills the network.
        backbone = ConvEncoder() if backbone is None else backbone
        super().__init__(
            backbone=backbone,
            streams=streams,
            shared_backbone=shared_backbone,
            features=features,
            hidden=hidden,
            grid=grid,
            experts=experts,
            top_k=top_k,
            input_experts=input_experts,
            output_experts=output_experts,
            dropout=dropout,
            balance_weight=balance_weight,
            lr=lr,
            weight_decay=weight_decay,
            warmup=warmup,
            layer_decay=layer_decay,
            mixup=mixup,
            encoder_weights=encoder_weights,
            seed=seed,
            compile=compile,
        )
        self.weights = _wanted(dict.fromkeys(TASKS, 1.0) if tasks is None else tasks)
        every: dict[str, ClassifierTask] = {
            "fer": EmotionTask(backbone=backbone, label_smoothing=label_smoothing, class_weighting=class_weighting),
            "au": ActionUnitTask(backbone=backbone),
            "au-intensity": IntensityTask(backbone=backbone),
        }
        # A plain dict: only what they say of labels, losses and scores is used; none of them is a part of the network.
        self.members = {name: every[name] for name in self.weights}

    # Setup and checkpoints --------------------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        """As for a single task; a table for training has labels of every task."""
        if stage != "predict":
            faces: LabelledFaces = self.trainer.datamodule  # type: ignore[attr-defined]
            self._name_members(self._describe(faces))
            if stage == "fit":
                self._check_labelled(faces)
        super().setup(stage)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """As for a single task; the tasks must be the same."""
        super().on_load_checkpoint(checkpoint)
        assert self.header is not None, "just loaded"
        self._name_members(self.header)

    def _describe(self, faces: LabelledFaces) -> Header:
        return {**super()._describe(faces), "tasks": list(self.members)}

    def _name_members(self, header: Header) -> None:
        for member in self.members.values():
            member.names = member.label_names(header)

    def _check_labelled(self, faces: LabelledFaces) -> None:
        known = {
            "fer": sum(faces.class_counts()),
            "au": sum(faces.known_counts("c")),
            "au-intensity": sum(faces.known_counts("r")),
        }
        for name in self.members:
            if not known[name]:
                raise TrainingError(
                    expected=f"labels for task {name}",
                    found="a training split in which every one is unknown",
                    where="face table",
                    action=f"Give a table with these labels, or model.init_args.tasks without {name}.",
                )

    # What makes the task ----------------------------------------------------------------------------------------

    def label_names(self, header: Mapping[str, Any]) -> tuple[str, ...]:
        """``fer/happy`` ..., ``au/AU01`` ..., ``au-intensity/AU01`` ..."""
        return tuple(f"{name}/{label}" for name, one in self.members.items() for label in one.label_names(header))

    def outputs(self, header: Mapping[str, Any]) -> list[int]:
        """Outputs of each task."""
        return [len(member.label_names(header)) for member in self.members.values()]

    def activate(self, logits: Tensor) -> Tensor:
        """Probabilities and intensities, each task's by its own activation."""
        parts = logits.split([len(member.names) for member in self.members.values()], -1)
        return torch.cat([one.activate(part) for one, part in zip(self.members.values(), parts, strict=True)], -1)

    def make_loss(self, faces: LabelledFaces) -> nn.Module:
        """Weighted sum of the tasks' losses."""
        for member in self.members.values():
            member.loss = member.make_loss(faces)
        losses = {name: member.loss for name, member in self.members.items()}
        return WeightedSum(losses, self.weights, self._columns())

    def make_scores(self) -> Metric:
        """Every task's own."""
        return ScoresByTask({name: member.make_scores() for name, member in self.members.items()}, self._columns())

    def labels(self, batch: FaceSample) -> Tensor:
        """float32 ``(B, columns)``: emotion, -1 = unknown; occurrences and intensities, NaN = unknown."""
        labels = (member.labels(batch).float() for member in self.members.values())
        return torch.cat([one if one.ndim == 2 else one.unsqueeze(1) for one in labels], 1)

    def known(self, labels: Tensor) -> Tensor:
        """-1 and NaN are unknown: no label is below 0."""
        return labels >= 0

    def presence(self, labels: Tensor) -> Tensor:
        """Every task's own, ``(B, L)``."""
        own = [self.members[columns.name].presence(columns.labels(labels)) for columns in self._columns()]
        return torch.cat([one.float() for one in own], 1)

    def taught(self, faces: LabelledFaces) -> Tensor:
        """Of every task."""
        return torch.cat([member.taught(faces) for member in self.members.values()])

    def loss_weights(self) -> dict[str, float]:
        """Weight of each label within its task's loss."""
        own = {name: member.loss_weights() for name, member in self.members.items()}
        return {f"{name}/{label}": weight for name, weights in own.items() for label, weight in weights.items()}

    def summary(self, scores: Scores) -> dict[str, float]:
        """Every task's, named ``fer/accuracy``; the figure of merit is the mean of theirs."""
        own = {name: member.summary(_of(name, scores)) for name, member in self.members.items()}
        merits = [figures["score"] for figures in own.values() if not math.isnan(figures["score"])]
        named = {f"{name}/{key}": value for name, figures in own.items() for key, value in figures.items()}
        return {"score": sum(merits) / len(merits) if merits else math.nan} | named

    def results(self, scores: Scores) -> dict[str, Any]:
        """By task."""
        return {"tasks": {name: member.results(_of(name, scores)) for name, member in self.members.items()}}

    def _columns(self) -> list[Columns]:
        columns, output, label = [], 0, 0
        for name, member in self.members.items():
            count, width = len(member.names), 1 if name == "fer" else len(member.names)
            columns.append(Columns(name, slice(output, output + count), slice(label, label + width)))
            output, label = output + count, label + width
        return columns

    # Steps ------------------------------------------------------------------------------------------------------

    def shared_step(self, batch: FaceSample, split: str) -> tuple[Classified, Tensor]:
        """As for a single task; notes every task's loss, too."""
        answer, total = super().shared_step(batch, split)
        assert isinstance(self.loss, WeightedSum)
        if split == "train" and self.mixup > 0:
            return answer, total  # answers to sums of two faces: their labels are not those of the batch
        with torch.no_grad():
            own = self.loss.by_task(answer.logits, self.labels(batch))
        named = {f"{split}/{name}/loss": value for name, value in own.items()}
        if split == "train":
            self._means.update(named, size=len(batch["face_id"]))
        else:
            size = int(batch["counts"].sum())
            self.log_dict(named, on_step=False, on_epoch=True, batch_size=size, sync_dist=True)
        return answer, total

    def on_test_epoch_end(self) -> None:
        """Log the scores and keep, in `test_results`, a block of figures for each task as it has when it is alone."""
        super().on_test_epoch_end()
        whole, places = self.test_results, {columns.name: columns.outputs for columns in self._columns()}
        tested = whole.pop("tasks")
        balancing = whole.pop("balancing") or {}
        weights = balancing.get("loss_weights") or {}
        self.test_results = {
            name: {
                **whole,
                "task": name,
                "trained_with": list(self.members),
                "labels": list(member.names),
                **tested[name],
                "balancing": {
                    "sampling": balancing.get("sampling"),
                    "loss_weights": _of(name, weights) or None,
                    "task_weight": self.weights[name],
                },
                "expert_use": {
                    mixture: use if mixture == "input_by_stream" else use[places[name]]
                    for mixture, use in whole["expert_use"].items()
                },
            }
            for name, member in self.members.items()
        }


class Columns:
    """Where a task's outputs and labels stand.

    Args:
        name: Task.
        outputs: Columns of the logits.
        place: Columns of the labels.
    """

    def __init__(self, name: str, outputs: slice, place: slice) -> None:
        self.name, self.outputs, self.place = name, outputs, place

    def labels(self, labels: Tensor) -> Tensor:
        """The task's labels as it wants them: emotions as indices ``(B,)``, all others ``(B, K)``."""
        own = labels[:, self.place]
        return own.squeeze(1).long() if self.name == "fer" else own


class WeightedSum(nn.Module):
    """``sum_t w_t loss_t`` over the tasks.

    Args:
        losses: Loss of each task.
        weights: Its weight, above 0.
        columns: Where the tasks stand.
    """

    def __init__(
        self, losses: Mapping[str, nn.Module], weights: Mapping[str, float], columns: Sequence[Columns]
    ) -> None:
        super().__init__()
        self.losses = nn.ModuleDict(losses)
        self.weights, self.columns = dict(weights), columns

    def by_task(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Loss of each task, not weighted."""
        return {c.name: self.losses[c.name](logits[:, c.outputs], c.labels(labels)) for c in self.columns}

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Logits ``(B, L)`` and labels ``(B, columns)`` of all tasks to a scalar."""
        own = self.by_task(logits, labels)
        return torch.stack([self.weights[name] * loss for name, loss in own.items()]).sum()


class ScoresByTask(WrapperMetric):
    """Scores of every task, named ``fer/accuracy``.

    Args:
        scores: Metric of each task.
        columns: Where the tasks stand.
    """

    def __init__(self, scores: Mapping[str, Metric], columns: Sequence[Columns]) -> None:
        super().__init__()
        self.scores, self.columns = nn.ModuleDict(scores), columns

    def _each(self) -> Iterator[tuple[Columns, Metric]]:
        for columns in self.columns:
            metric = self.scores[columns.name]
            assert isinstance(metric, Metric)
            yield columns, metric

    def update(self, answers: Tensor, labels: Tensor) -> None:
        """Answers ``(B, L)`` and labels ``(B, columns)`` of all tasks."""
        for columns, metric in self._each():
            metric.update(answers[:, columns.outputs], columns.labels(labels))

    def compute(self) -> Scores:
        """All of them; each metric joins the processes' states by itself."""
        return {f"{c.name}/{key}": value for c, metric in self._each() for key, value in metric.compute().items()}

    def reset(self) -> None:
        """Forget what was seen."""
        for _, metric in self._each():
            metric.reset()
        super().reset()


def _of(name: str, values: Mapping[str, _Value]) -> dict[str, _Value]:
    return {key.removeprefix(f"{name}/"): value for key, value in values.items() if key.startswith(f"{name}/")}


def _wanted(tasks: Mapping[str, float]) -> dict[str, float]:
    """Weights above 0, in the order of `TASKS`, so that equal settings give equal networks.

    Raises:
        ConfigError: See `MultiTask`.
    """
    where = "model.init_args.tasks"
    if unknown := sorted(tasks.keys() - set(TASKS)):
        raise ConfigError(
            expected=f"among {', '.join(TASKS)}",
            found=", ".join(unknown),
            where=where,
            action="Correct the name of the task.",
        )
    if wrong := {name: weight for name, weight in tasks.items() if not 0 <= weight < math.inf}:
        raise ConfigError(
            expected="weights of 0 or more",
            found=str(wrong),
            where=where,
            action="Correct them, or leave the task out.",
        )
    wanted = {name: float(tasks[name]) for name in TASKS if tasks.get(name, 0) > 0}
    if not wanted:
        raise ConfigError(
            expected="a task with a weight above 0",
            found=str(dict(tasks)) if tasks else "no task",
            where=where,
            action="Give at least one, such as {fer: 1.0, au: 1.0}.",
        )
    return wanted
