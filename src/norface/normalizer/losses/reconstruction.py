"""Reconstruction where the right answer is (nearly) known without any label.

Original and target the same image: the output must be that image (FaceShifter, Li et al. 2020, eq. 8). Original and
target two images of one person: the output must look like the original up to head pose and light (SimSwap, Chen et al.
2020, uses such pairs for half of its steps), so these count less.
"""

from __future__ import annotations

from torch import Tensor


def reconstruction_loss(
    output: Tensor, wanted: Tensor, same_image: Tensor, same_subject: Tensor, *, same_subject_weight: float = 0.25
) -> Tensor:
    """Mean absolute error on pairs of one image or one person.

    Args:
        output, wanted: Images ``(B, 3, H, W)`` in [-1, 1].
        same_image, same_subject: bool ``(B,)``; a same-image pair is also a same-subject pair.
        same_subject_weight: Weight of a pair of two images of one person; a same-image pair weighs 1.

    Returns:
        Scalar, averaged over the whole batch; 0 without such pairs.
    """
    weight = same_image.float() + same_subject_weight * (same_subject & ~same_image).float()
    return (weight * (output.float() - wanted.float()).abs().mean(dim=(1, 2, 3))).mean()
