"""A moving average of a classifier's weights."""

from __future__ import annotations

import lightning as L
from lightning.pytorch.callbacks import EMAWeightAveraging

from norface.classifier.module import ClassifierTask


class AveragedWeights(EMAWeightAveraging):
    """Validates, tests and stores the exponential moving average of the weights.

    Lightning's, for a network that is built when the labels are known: it would copy the module before.

    Args:
        decay: Share of the average that is kept with every step.
    """

    def __init__(self, decay: float = 0.999) -> None:
        super().__init__(decay=decay)

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Let the module build its network first."""
        if stage == "fit" and isinstance(pl_module, ClassifierTask) and pl_module.network is None:
            pl_module.make_network()
        super().setup(trainer, pl_module, stage)
