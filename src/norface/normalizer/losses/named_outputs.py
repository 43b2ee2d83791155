"""Named outputs: the output shall move what the original moves, in the field's own terms.

    L_out = mean_faces sum_k w_k (a_k(output) - a_k(original))^2 / sum_k w_k

with a the named outputs of a frozen expression teacher (action units or blendshapes, scaled to 0..1) and w its
emphasis, 0 for what shall not be compared. GANimation (Pumarola et al. 2018) regresses action units in this way, there
towards wanted ones instead of the original's.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def named_output_loss(found: Tensor, wanted: Tensor, emphasis: Sequence[float] = ()) -> Tensor:
    """Weighted squared error of named outputs.

    Args:
        found, wanted: Outputs ``(B, K)``.
        emphasis: K weights of at least 0, not all of them 0; empty: all outputs count alike.

    Returns:
        Scalar, at least 0; 0 of a teacher that names no outputs.
    """
    if found.shape[1] == 0:
        return found.float().sum()
    error = (found.float() - wanted.float()).square()
    if not emphasis:
        return error.mean()
    weight = error.new_tensor(emphasis)
    return (error @ weight).mean() / weight.sum()
