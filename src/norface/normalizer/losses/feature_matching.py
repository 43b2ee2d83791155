"""Feature matching: the output shall look to the discriminator, layer by layer, as the right answer does.

    L_fm = mean over scales k and layers i of mean | D_k,i(output) - D_k,i(truth) |

with D_k,i the activations of the i-th layer of the discriminator of the k-th scale, its logits left out (pix2pixHD,
Wang et al. 2018, eq. 4; the mean over layers in place of their sum). Only where the right answer is known.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def feature_matching_loss(fake: Sequence[Sequence[Tensor]], real: Sequence[Sequence[Tensor]]) -> Tensor:
    """Mean absolute difference of activations.

    Args:
        fake: Activations of outputs: for each scale its layers, the logits last.
        real: Those of their right answers, of the same shapes; no gradient reaches them.

    Returns:
        Scalar, at least 0.
    """
    terms = [
        (ours.float() - theirs.detach().float()).abs().mean()
        for found, wanted in zip(fake, real, strict=True)
        for ours, theirs in zip(found[:-1], wanted[:-1], strict=True)
    ]
    return torch.stack(terms).mean()
