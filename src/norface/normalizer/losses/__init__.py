"""Losses of the normalizer, one per file; each is a pure function or a module that knows nothing of optimisers."""

from norface.normalizer.losses.adversarial import hinge_discriminator_loss, hinge_generator_loss
from norface.normalizer.losses.expression import ExpressionConsistencyLoss
from norface.normalizer.losses.feature_matching import feature_matching_loss
from norface.normalizer.losses.head_pose import HeadPoseLoss
from norface.normalizer.losses.identity import IdentityLoss
from norface.normalizer.losses.named_outputs import named_output_loss
from norface.normalizer.losses.paired import PairedLoss
from norface.normalizer.losses.r1 import r1_penalty
from norface.normalizer.losses.reconstruction import reconstruction_loss
from norface.normalizer.losses.supervision import SupervisionLoss

__all__ = [
    "ExpressionConsistencyLoss",
    "HeadPoseLoss",
    "IdentityLoss",
    "PairedLoss",
    "SupervisionLoss",
    "feature_matching_loss",
    "hinge_discriminator_loss",
    "hinge_generator_loss",
    "named_output_loss",
    "r1_penalty",
    "reconstruction_loss",
]
