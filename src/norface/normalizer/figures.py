"""The gate's figures that cost next to nothing, watched while the normalizer trains."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from norface.normalizer.metrics import ExpressionR2, background_region
from norface.normalizer.objective import GeneratorObjective
from norface.samples import PairSample

if TYPE_CHECKING:
    from norface.normalizer.module import NormalizerTask


class MeanOverFaces(Metric):
    """Mean of a figure over the faces that all processes have seen; NaN where there was none."""

    sum: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("sum", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, mean: Tensor, faces: int) -> None:
        """Add the mean (scalar) over so many faces."""
        self.sum += mean.double() * faces
        self.count += faces

    def compute(self) -> Tensor:
        """Scalar."""
        return (self.sum / self.count).float()


class CheapFigures(nn.Module):
    """Figures over the faces of a split, by the names that they have in the gate's results.

    ``expression_r2`` and ``background_error`` are the gate's own. ``identity_to_target``,
    ``expression_distance`` and ``head_pose_distance`` are read by the teachers that train the generator too: they say
    whether it follows them, not whether they are right.

    Args:
        size: Side of the images in pixels.
    """

    background: Tensor

    def __init__(self, *, size: int) -> None:
        super().__init__()
        self.register_buffer("background", background_region(size), persistent=False)
        self.expression_r2 = ExpressionR2(size=size)
        self.background_error, self.identity_to_target = MeanOverFaces(), MeanOverFaces()
        self.expression_distance, self.head_pose_distance = MeanOverFaces(), MeanOverFaces()

    def update(self, output: Tensor, target: Tensor, batch: PairSample, objective: GeneratorObjective) -> None:
        """Add a batch.

        Args:
            output: Normalized faces ``(B, 3, H, W)`` in [-1, 1].
            target: The common face ``(1, 3, H, W)``.
            batch: What they were made from.
            objective: Its teachers measure identity, expression and head pose, where it has them.
        """
        faces = len(output)
        known = batch["has_truth"] & ~batch["same_image"]
        self.expression_r2.update(output[known], batch["truth"][known])
        self.background_error.update((output - target)[..., self.background].abs().mean() / 2, faces)
        if objective.identity is not None:
            self.identity_to_target.update(1.0 - objective.identity(output, target.expand_as(output)), faces)
        if objective.expression is not None:
            self.expression_distance.update(objective.expression(output, batch["original"]), faces)
        if objective.head_pose is not None:
            self.head_pose_distance.update(objective.head_pose(output, target.expand_as(output)), faces)

    def take(self) -> dict[str, Tensor]:
        """The figures by name, over all processes, without what could not be measured; then start anew."""
        found: dict[str, Tensor] = {}
        for name, metric in self.named_children():
            assert isinstance(metric, Metric)
            if metric.update_called:
                found[name] = metric.compute()
                metric.reset()
        if found and not bool(found["expression_r2"].isfinite()):
            del found["expression_r2"]  # no right answer is known
        return found


@torch.no_grad()
def figures_before_training(task: NormalizerTask) -> dict[str, Tensor]:
    """Figures of the untrained normalizer: where every curve starts. A constant face already has the right identity.

    Draws no random number, so that the training which follows does not depend on it.
    """
    trainer, objective = task.trainer, task.objective
    assert objective is not None
    loader = task.faces.val_dataloader()
    limit = trainer.limit_val_batches
    for batch in islice(loader, limit if isinstance(limit, int) else int(limit * len(loader))):
        moved = task.transfer_batch_to_device(batch, task.device, 0)
        with trainer.precision_plugin.val_step_context():
            task.figures.update(task.average(moved["original"], task.target), task.target, moved, objective)
    return task.figures.take()
