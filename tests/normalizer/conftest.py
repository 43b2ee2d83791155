from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch

from norface.normalizer import LossWeights, NormalizerTask, PatchDiscriminator
from toy_world import BarTeacher, ColourTeacher, TiltTeacher, ToyFaces, make_generator


@pytest.fixture
def make_task() -> Callable[..., NormalizerTask]:
    def make(**options: Any) -> NormalizerTask:
        torch.manual_seed(0)
        options = {"adversarial_start": 0.0, "weights": LossWeights(head_pose=0.1), **options}
        return NormalizerTask(
            make_generator(),
            PatchDiscriminator(widths=(8, 16), scales=2),
            identity_teacher=ColourTeacher(),
            expression_teacher=BarTeacher(),
            head_pose_teacher=TiltTeacher(),
            **options,
        )

    return make


@pytest.fixture
def fit(tmp_path: Path) -> Callable[..., lightning.Trainer]:
    def run(
        task: NormalizerTask, data: ToyFaces | None = None, *, ckpt: str | None = None, **options: Any
    ) -> lightning.Trainer:
        options = {"max_epochs": 1, "enable_checkpointing": False, "logger": False, **options}
        trainer = lightning.Trainer(
            accelerator="cpu",
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            default_root_dir=tmp_path,
            **options,
        )
        trainer.fit(task, datamodule=data or ToyFaces(), ckpt_path=ckpt, weights_only=True)
        return trainer

    return run
