"""R1 gradient penalty of the discriminator (Mescheder et al. 2018, "Which training methods for GANs do actually
converge?", eq. 9).

    R1 = 1/2 mean_real || grad_x D(x) ||^2

with D(x) the mean logit of an image over patches and scales, which is what the generator's hinge loss sees of it. On
real images alone: where the generator has arrived, the discriminator shall not push any more. It may be computed every
n-th step only, then n times as strong (Karras et al. 2020, "Analyzing and improving StyleGAN", section 3.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def r1_penalty(discriminator: Callable[[Tensor], Sequence[Tensor]], real: Tensor) -> Tensor:
    """Half the squared norm of the discriminator's gradient at real images; can itself be differentiated.

    Args:
        discriminator: Images to logits ``(B, 1, h, w)``, one tensor per scale. It must not be compiled: `torch.compile`
            cannot differentiate twice.
        real: Images ``(B, 3, H, W)``.

    Returns:
        Scalar, at least 0; in float32 under mixed precision too, where squares of small gradients vanish.
    """
    images = real.detach().float().requires_grad_(True)
    with torch.autocast(images.device.type, enabled=False), torch.enable_grad():
        judged = torch.stack([logits.flatten(1).mean(1) for logits in discriminator(images)]).mean(0)  # (B,)
        (gradient,) = torch.autograd.grad(judged.sum(), images, create_graph=True)
    return 0.5 * gradient.flatten(1).square().sum(1).mean()
