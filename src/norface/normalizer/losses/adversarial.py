"""Hinge adversarial loss over several scales (Lim and Ye 2017, "Geometric GAN"; Miyato et al. 2018).

    L_D = mean max(0, 1 - D(real)) + mean max(0, 1 + D(fake))
    L_G = -mean D(fake)

each averaged over the discriminator's scales. Inputs are logits; nothing is squashed here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def hinge_discriminator_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Loss of the discriminator.

    Args:
        real: Logits of real images, one tensor of any shape per scale.
        fake: Logits of generated images, likewise.

    Returns:
        Scalar, at least 0.
    """
    per_scale = [
        F.relu(1.0 - r.float()).mean() + F.relu(1.0 + f.float()).mean() for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(per_scale).mean()


def hinge_generator_loss(fake: Sequence[Tensor]) -> Tensor:
    """Loss of the generator: minus the mean logit of its images, averaged over scales (scalar)."""
    return torch.stack([-f.float().mean() for f in fake]).mean()
