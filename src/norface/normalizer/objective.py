"""The normalizer's objective: which losses count, how much, and their sum."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from norface.errors import ConfigError
from norface.normalizer.losses import (
    ExpressionConsistencyLoss,
    HeadPoseLoss,
    IdentityLoss,
    PairedLoss,
    SupervisionLoss,
    hinge_generator_loss,
    reconstruction_loss,
)
from norface.samples import PairSample
from norface.teachers.base import ExpressionTeacher, HeadPoseTeacher, IdentityTeacher


@dataclass(frozen=True)
class LossWeights:
    """Weight of each term of the losses; a term of weight 0 is not computed.

    Args:
        adversarial: Hinge loss against the discriminator.
        identity: Identity of the target (needs an identity teacher).
        expression: Expression embedding of the original (needs an expression teacher).
        named_outputs: Named outputs of the same teacher, such as action units or blendshapes; None: as `expression`.
        head_pose: Head pose of the target (needs a head-pose teacher).
        reconstruction: Mean absolute error on pairs of one image or one person.
        paired: Whitened squared error where the true normalized face is known.
        supervision: Action-unit labels read from the encoder's embedding of the original.
        feature_matching: Activations of the discriminator, once it takes part, where the right answer is known.
        r1: Gradient penalty of the discriminator.
    """

    adversarial: float = 0.02
    identity: float = 1.0
    expression: float = 0.5
    named_outputs: float | None = None
    head_pose: float = 0.0
    reconstruction: float = 1.0
    paired: float = 1.0
    supervision: float = 5.0
    feature_matching: float = 0.0
    r1: float = 0.0

    @property
    def outputs(self) -> float:
        """Weight of the named outputs."""
        return self.expression if self.named_outputs is None else self.named_outputs

    @property
    def teachers(self) -> dict[str, float]:
        """The largest weight that each kind of teacher is needed for."""
        expression = max(self.expression, self.outputs)
        return {"identity": self.identity, "expression": expression, "head_pose": self.head_pose}


class GeneratorObjective(nn.Module):
    """All terms of the generator's loss.

    Args:
        weights: Weight of each term.
        image_size: Side of the images in pixels.
        dim: Channels of the encoder's embeddings.
        aus: Number of action units in the table.
        identity: Identity teacher; needed where its weight is not 0.
        expression: Expression teacher; likewise.
        head_pose: Head-pose teacher; likewise.

    Raises:
        ConfigError: A weight asks for a teacher that is not there.
    """

    def __init__(
        self,
        weights: LossWeights,
        *,
        image_size: int,
        dim: int,
        aus: int,
        identity: IdentityTeacher | None,
        expression: ExpressionTeacher | None,
        head_pose: HeadPoseTeacher | None = None,
    ) -> None:
        super().__init__()
        needed = weights.teachers
        for name, teacher in (("identity", identity), ("expression", expression), ("head_pose", head_pose)):
            if needed[name] > 0 and teacher is None:
                raise ConfigError(
                    expected=f"the {name} teacher, as model.init_args.weights.{name} is not 0",
                    found="none",
                    where=f"model.init_args.{name}_teacher",
                    action=f"Name a teacher there, or set the weight of {name} to 0.",
                )
        self.weights = weights
        self.identity = IdentityLoss(identity) if identity is not None and weights.identity > 0 else None
        self.expression = (
            ExpressionConsistencyLoss(expression) if expression is not None and needed["expression"] > 0 else None
        )
        self.head_pose = HeadPoseLoss(head_pose) if head_pose is not None and weights.head_pose > 0 else None
        self.paired = PairedLoss(image_size=image_size)
        self.supervision = SupervisionLoss(dim=dim, aus=aus) if weights.supervision > 0 and aus > 0 else None

    def forward(
        self, batch: PairSample, output: Tensor, embeddings: Tensor, fake_logits: list[Tensor] | None
    ) -> dict[str, Tensor]:
        """Weighted terms by name; their sum is the generator's loss.

        Args:
            batch: Pairs.
            output: Normalized faces ``(B, 3, H, W)``.
            embeddings: The encoder's embeddings of the originals ``(B, dim, h, w)``.
            fake_logits: The discriminator's logits of `output`, or None while it does not take part.
        """
        w, parts = self.weights, dict[str, Tensor]()
        if fake_logits is not None:
            parts["adversarial"] = w.adversarial * hinge_generator_loss(fake_logits)
        # The true normalized face is the target's person and pose too, and with the right expression: a finer goal.
        goal = torch.where(batch["has_truth"][:, None, None, None], batch["truth"], batch["target"])
        if self.identity is not None:
            parts["identity"] = w.identity * self.identity(output, goal)
        if self.head_pose is not None:
            parts["head_pose"] = w.head_pose * self.head_pose(output, goal)
        # A known answer says exactly what the teacher only estimates, if it is asked.
        unknown = ~batch["has_truth"] if w.paired > 0 else torch.ones_like(batch["has_truth"])
        if self.expression is not None and bool(unknown.any()):
            # Every pair counts alike, hence the mean.
            embedding, outputs = self.expression.terms(output[unknown], batch["original"][unknown])
            share = unknown.float().mean()
            if w.expression > 0:
                parts["expression"] = w.expression * share * embedding
            if w.outputs > 0:
                parts["named_outputs"] = w.outputs * share * outputs
        if w.reconstruction > 0 and bool(batch["same_subject"].any()):
            # The original is augmented; the target of a same-image pair is the image as it was.
            wanted = torch.where(batch["same_image"][:, None, None, None], batch["target"], batch["original"])
            same = reconstruction_loss(output, wanted, batch["same_image"], batch["same_subject"])
            parts["reconstruction"] = w.reconstruction * same
        known = batch["has_truth"] & ~batch["same_image"]  # the spread is the fixed target's, not every person's
        if w.paired > 0 and bool(known.any()):
            parts["paired"] = w.paired * self.paired(output, batch["truth"], known)
        if self.supervision is not None:
            parts["supervision"] = w.supervision * self.supervision(embeddings, batch["au_intensity"])
        return parts


def total(parts: dict[str, Tensor]) -> Tensor:
    """Sum of the terms (scalar)."""
    return torch.stack(list(parts.values())).sum()
