"""A toy world for tests: expression is the height of a dark bar, identity the colour behind it."""

from __future__ import annotations

from typing import Any

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from norface.backbones import ConvEncoder
from norface.imaging.alignment import Alignment
from norface.normalizer import ConvDecoder, ExpressionMerging, Generator
from norface.samples import PairSample
from norface.teachers.base import ExpressionReading, ExpressionTeacher, HeadPoseTeacher, IdentityTeacher

SIZE = 32


def draw(height: Tensor, colour: Tensor) -> Tensor:
    """Heights ``(B,)`` in 0..1 and colours ``(B, 3)`` in [-1, 1] to images ``(B, 3, SIZE, SIZE)``."""
    rows = torch.arange(SIZE).view(1, 1, SIZE, 1) / SIZE
    columns = torch.arange(SIZE).view(1, 1, 1, SIZE)
    bar = (rows > 0.9 - 0.5 * height.view(-1, 1, 1, 1)) & (rows < 0.9) & (columns > 8) & (columns < 24)
    image = colour.view(-1, 3, 1, 1).expand(-1, -1, SIZE, SIZE)
    return torch.where(bar, -1.0, image)


def pairs(count: int, *, seed: int = 0) -> PairSample:
    """Pairs: three in four with the fixed target (every eighth of unknown truth), the rest with themselves."""
    generator = torch.Generator().manual_seed(seed)
    height, colour = torch.rand(count, generator=generator), torch.rand(count, 3, generator=generator) * 2 - 1
    same = torch.arange(count) % 4 == 3
    original, grey = draw(height, colour), torch.zeros(count, 3)
    truth = torch.where(same.view(-1, 1, 1, 1), original, draw(height, grey))
    target = torch.where(same.view(-1, 1, 1, 1), original, draw(torch.zeros(count), grey))
    return PairSample(
        face_id="",
        original=original,
        target=target,
        target_key=torch.where(same, 2 * torch.arange(count), -2),
        truth=truth,
        has_truth=torch.arange(count) % 8 != 5,
        same_image=same,
        same_subject=same,
        emotion=torch.zeros(count, dtype=torch.long),
        au_intensity=5 * height[:, None],
    )


class ToyPairs(Dataset[dict[str, Any]]):
    """Fixed pairs, one by one."""

    def __init__(self, count: int) -> None:
        self.batch: dict[str, Any] = dict(pairs(count))
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        index = key if isinstance(key, int) else key[1]
        return {key: value if isinstance(value, str) else value[index] for key, value in self.batch.items()}


class ToyFaces(lightning.LightningDataModule):
    """What `NormalizerTask` asks of a data module."""

    aus = (12,)
    emotions = ("neutral", "happy")
    subjects = ("ada", "bob")
    alignment = Alignment(SIZE)
    target = draw(torch.zeros(1), torch.zeros(1, 3))[0]

    def __init__(self, count: int = 16, batch_size: int = 8) -> None:
        super().__init__()
        self.count, self.size = count, batch_size

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        return DataLoader(ToyPairs(self.count), batch_size=self.size)

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        return DataLoader(ToyPairs(8), batch_size=8)


class ColourTeacher(IdentityTeacher):
    """Identity is the mean colour of the upper half."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))
        self.freeze()

    def forward(self, image: Tensor) -> Tensor:
        colour = image[:, :, : SIZE // 3].mean(dim=(2, 3)) * self.scale
        return torch.nn.functional.normalize(torch.cat([colour, torch.ones(len(image), 1)], dim=1), dim=1)


class BarTeacher(ExpressionTeacher):
    """Expression is how dark the lower half is."""

    names = ("AU12",)

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))
        self.freeze()

    def forward(self, image: Tensor) -> ExpressionReading:
        dark = torch.sigmoid(-image[:, :, SIZE // 3 :, 9:24].mean(dim=(1, 2, 3)) * self.scale)[:, None]
        return ExpressionReading(torch.nn.functional.normalize(torch.cat([dark, 1 - dark], 1), dim=1), dark)


class TiltTeacher(HeadPoseTeacher):
    """Head pose is how much brighter the right and the lower half are, in degrees; nothing rolls."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.full((), 30.0))
        self.freeze()

    def forward(self, image: Tensor) -> Tensor:
        half = SIZE // 2
        right = image[..., half:].mean(dim=(1, 2, 3)) - image[..., :half].mean(dim=(1, 2, 3))
        lower = image[..., half:, :].mean(dim=(1, 2, 3)) - image[..., :half, :].mean(dim=(1, 2, 3))
        return torch.stack([right, lower, 0 * lower], dim=1) * self.scale


def make_generator() -> Generator:
    return Generator(
        ConvEncoder(widths=(8, 16, 32)),
        ExpressionMerging(dim=32, grid=4, blocks=1, heads=2),
        ConvDecoder(dim=32, widths=(32, 16, 8)),
    )
