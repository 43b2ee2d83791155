"""How often each face is drawn where emotions are imbalanced.

Balancing by the inverse frequency of the class, here in drawing and in `norface.classifier.losses` in the loss: both
minimise the mean of the classes' own errors, which is what mean-class accuracy measures, and neither has a parameter.
The effective number of samples (Cui et al. 2019) has one that must be tuned for each data set; inverse frequency is
its limit for beta -> 1. Only one of the two may run, or rare classes would count twice.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from norface.errors import ConfigError

Sampling = Literal["uniform", "balanced"]
"""``uniform``: every face once in a pass. ``balanced``: every emotion equally often."""


def balanced_weights(emotions: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weight of each face, such that every emotion that occurs is drawn equally often.

    Args:
        emotions: ``(N,)`` codes, -1 = unknown; such faces have weight 0.

    Returns:
        ``(N,)``, sums to 1.

    Raises:
        ConfigError: No emotion is known.
    """
    known = emotions >= 0
    if not known.any():
        raise ConfigError(
            expected="training faces with an emotion, by which drawing can be balanced",
            found="none",
            where="data.init_args.sampling",
            action="Set sampling to uniform; action units are balanced by weights in the loss.",
        )
    counts = np.bincount(emotions[known])
    weights = np.zeros(len(emotions))
    weights[known] = 1.0 / counts[emotions[known]]
    weights /= weights.sum()
    return weights
