"""A toy world for tests of the classifier: the corners of a face are as bright as its labels say."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypedDict

import lightning as L
import pandas as pd
import torch
from torch.utils.data import DataLoader

from norface.backbones import ConvEncoder
from norface.classifier import EmotionTask
from norface.classifier.module import ClassifierTask
from norface.data.subjects import check_unseen
from norface.imaging.alignment import Alignment
from norface.samples import FaceSample

NAN = math.nan


class Sizes(TypedDict):
    features: int
    hidden: int
    grid: int
    lr: float


SIZES: Sizes = {"features": 16, "hidden": 16, "grid": 2, "lr": 0.01}


class BrightCorners(L.LightningDataModule):
    """16 px faces whose corners tell the labels, in the original and in the normalized image."""

    def __init__(self, *, faces: int = 24, normalized: bool = True, size: int = 16, unknown: str = "") -> None:
        super().__init__()
        self.emotions: tuple[str, ...] = ("neutral", "happy", "sad")
        self.aus: tuple[int, ...] = (1, 4, 12)
        self.alignment = Alignment(size=size)
        self.subjects = ("a", "b")
        self.sampling: Literal["uniform", "balanced"] = "uniform"
        self.tested: tuple[str, ...] = ("c",)
        self.samples = [self.sample(index, normalized, unknown) for index in range(faces)]

    def sample(self, index: int, normalized: bool, unknown: str) -> FaceSample:
        generator = torch.Generator().manual_seed(index)
        emotion = index % 3
        intensity = torch.zeros(3)
        intensity[emotion] = 1.0 + index % 5
        image = torch.rand(3, 16, 16, generator=generator) * 0.2 - 0.1
        for au, (row, column) in enumerate(((0, 0), (0, 8), (8, 0))):
            image[:, row : row + 8, column : column + 8] += 0.15 * intensity[au]
        missing = torch.full((3,), NAN)
        return {
            "face_id": f"face{index}",
            "subject": torch.tensor(index % 2),
            "original": image,
            "normalized": image.flip(-1) if normalized else image,
            "emotion": torch.tensor(-1 if unknown == "emotion" else emotion),
            "au": missing if unknown == "au" else (intensity >= 2).float(),
            "au_intensity": missing if unknown == "au_intensity" else intensity,
            "head_pose": torch.full((3,), NAN),
            "counts": torch.tensor(True),
        }

    def class_counts(self) -> tuple[int, ...]:
        counts = [sum(int(s["emotion"]) == c for s in self.samples) for c in range(len(self.emotions))]
        return tuple(counts)

    def occurrence_rates(self) -> tuple[float, ...]:
        return tuple(torch.stack([s["au"] for s in self.samples]).nanmean(0).tolist())

    def known_counts(self, kind: Literal["c", "r"]) -> tuple[int, ...]:
        labels = torch.stack([s["au" if kind == "c" else "au_intensity"] for s in self.samples])
        return tuple(labels.isfinite().sum(0).tolist())

    def check_unseen(self, trained_on: Iterable[str]) -> None:
        check_unseen(self.tested, trained_on, what="classifier", allow=False)

    def asked_for(self) -> pd.DataFrame:
        return pd.DataFrame({"face_id": [sample["face_id"] for sample in self.samples], "success": 1, "error": ""})

    def labelled_faces(self, role: Literal["val", "test"]) -> pd.DataFrame:
        shown = [self.emotions[int(sample["emotion"])] for sample in self.samples]
        return self.asked_for().assign(subject="a", split=role, true_emotion=shown)

    def loader(self) -> DataLoader[FaceSample]:
        return DataLoader(self.samples, batch_size=8)  # type: ignore[arg-type]

    train_dataloader = val_dataloader = test_dataloader = predict_dataloader = loader


def make_trainer(
    folder: Path, *, epochs: int = 1, callbacks: list[L.Callback] | None = None, **options: Any
) -> L.Trainer:
    return L.Trainer(
        default_root_dir=folder,
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        callbacks=callbacks,
        enable_progress_bar=False,
        enable_model_summary=False,
        gradient_clip_val=1.0,
        num_sanity_val_steps=0,
        **options,
    )


def make(task: type[ClassifierTask] = EmotionTask, **options: Any) -> ClassifierTask:
    torch.manual_seed(0)
    return task(backbone=ConvEncoder(widths=(8, 16)), **{**SIZES, **options})
