"""Masked reconstruction (He et al. 2022, "Masked autoencoders are scalable vision learners").

    L = mean over masked patches i of mean over their pixels (prediction_i - (x_i - mean(x_i)) / spread(x_i))^2

What could be seen costs nothing: the encoder would learn to copy it.
"""

from __future__ import annotations

from torch import Tensor

from norface.pretraining.patches import standard_patches, to_patches


def masked_patch_loss(prediction: Tensor, image: Tensor, masked: Tensor, *, patch: int) -> Tensor:
    """Squared error of standardised patches where they are masked.

    Args:
        prediction: Patches ``(B, N, 3 * patch * patch)``.
        image: ``(B, 3, H, W)`` in [-1, 1].
        masked: bool ``(B, N)``, at least one of them true.
        patch: Pixels per side.

    Returns:
        Scalar, at least 0; about 1 where nothing is known but that patches are standardised.
    """
    wanted = standard_patches(to_patches(image.float(), patch)).values
    error = (prediction.float() - wanted).square().mean(-1)  # (B, N)
    return (error * masked).sum() / masked.sum()
