"""A moving average of a classifier's weights."""

from __future__ import annotations

from typing import Any

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

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """From here on the module holds the average, or the one of a checkpoint: nothing may replace it any more."""
        self._average_model = None

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Go on where training stopped; for a test the average has been loaded already."""
        if self._average_model is not None:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)
