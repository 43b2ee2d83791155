"""What is measured: networks, losses and data as `make demo` has them, at 64 px, without its hours of training."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from torch import Tensor, nn

from norface.backbones import ConvEncoder
from norface.classifier import EmotionTask, ExpressionClassifier
from norface.data.datamodule import FaceDataModule
from norface.data.pairs import PairPolicy
from norface.imaging import Augmentation
from norface.imaging.alignment import Alignment
from norface.normalizer import (
    ConvDecoder,
    ExpressionMerging,
    Generator,
    LossWeights,
    Normalizer,
    NormalizerTask,
    PatchDiscriminator,
)
from norface.synthetic import draw_faces
from norface.teachers import ExpressionReading, ExpressionTeacher, IdentityTeacher
from norface.teachers.networks import EmbeddingNetwork, ExpressionNetwork

SIZE = 64
BATCH = 32
SUBJECTS = 20

Kind = Literal["normalizer", "classifier"]
KINDS: tuple[Kind, ...] = ("normalizer", "classifier")


class RandomIdentity(IdentityTeacher):
    """The demo's identity teacher before its training: as fast as after."""

    def __init__(self) -> None:
        super().__init__()
        self.network = EmbeddingNetwork(ConvEncoder(widths=(16, 32, 64)))
        self.freeze()

    def forward(self, image: Tensor) -> Tensor:
        """As every identity teacher."""
        embedding: Tensor = self.network(image)
        return embedding


class RandomExpression(ExpressionTeacher):
    """The demo's expression teacher before its training."""

    names = ("AU12",)

    def __init__(self) -> None:
        super().__init__()
        embed = EmbeddingNetwork(ConvEncoder())
        self.network = ExpressionNetwork(embed, emotions=("neutral", "happy"), aus=(12,))
        self.freeze()

    def forward(self, image: Tensor) -> ExpressionReading:
        """As every expression teacher."""
        reading: ExpressionReading = self.network(image)[0]
        return reading


@contextmanager
def drawn_faces(faces_per_subject: int = 24) -> Iterator[Path]:
    """A table of built-in faces of 20 people, for as long as it is needed."""
    with tempfile.TemporaryDirectory() as name:
        draw_faces(Path(name), subjects=SUBJECTS, faces_per_subject=faces_per_subject, size=SIZE, progress=False)
        yield Path(name)


def make_generator() -> Generator:
    """The demo's generator; its last layer draws something, as after training."""
    torch.manual_seed(0)
    generator = Generator(ConvEncoder(), ExpressionMerging(), ConvDecoder(widths=(64, 40, 16)))
    nn.init.normal_(generator.decoder.to_rgb.weight, std=0.05)
    return generator


def make_normalizer() -> Normalizer:
    """The demo's normalizer, untrained."""
    target = torch.rand(1, 3, SIZE, SIZE) * 2 - 1
    return Normalizer(make_generator(), target, alignment=Alignment(SIZE), subjects=())


def make_classifier() -> ExpressionClassifier:
    """The demo's classifier of both images, untrained."""
    torch.manual_seed(0)
    return ExpressionClassifier(ConvEncoder(), labels=8).eval().requires_grad_(False)


def make_task(kind: Kind) -> lightning.LightningModule:
    """What is trained; the normalizer with its discriminator from the first step."""
    torch.manual_seed(0)
    if kind == "classifier":
        return EmotionTask()
    return NormalizerTask(
        make_generator(),
        PatchDiscriminator(),
        weights=LossWeights(adversarial=0.02, identity=0.1, supervision=0.5),
        identity_teacher=RandomIdentity(),
        expression_teacher=RandomExpression(),
        lr=1e-3,
        adversarial_start=0.0,
    )


def make_data(kind: Kind, table: Path, **options: Any) -> FaceDataModule:
    """Its data, augmented as in the demo."""
    options = {"splits": {"train": SUBJECTS - 2, "val": 2}, "test_split": "val", "batch_size": BATCH, **options}
    if kind == "normalizer":
        augment, pairs = Augmentation(True, 0.0, 0.0, 0.0), PairPolicy(0.9, 0.04, 0.02)
        return FaceDataModule(str(table), pairs=pairs, augment=augment, **options)
    return FaceDataModule(str(table), source="truth", augment=Augmentation(True, 0.0, 0.5, 0.0), **options)


def make_trainer(**options: Any) -> lightning.Trainer:
    """A trainer that only trains."""
    return lightning.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        **options,
    )
