"""Measure what norface's users wait for, as rates and as ratios to the same work done bare, in one run.

`make bench` prints a table and writes benchmarks/results.json (ignored by git: figures belong to a machine).
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import lightning
import torch

from norface.backbones import ConvEncoder
from norface.cache import NormalizedBatch
from norface.classifier import EmotionTask
from norface.data.caching import build_cache
from norface.data.datamodule import FaceDataModule
from norface.imaging import Augmentation
from norface.imaging.alignment import Alignment
from norface.normalizer import ConvDecoder, ExpressionMerging, Generator, Normalizer
from norface.synthetic import draw_faces

FACES = 480
ROUNDS = 3


def seconds(work: Callable[[], object]) -> float:
    """Best wall time of a few rounds, after one that does not count."""
    times = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def drawing(folder: Path, size: int) -> float:
    """Pictures per second of `norface faces draw`: original and true normalized face, PNG files included."""
    start = time.perf_counter()
    draw_faces(folder, subjects=20, faces_per_subject=FACES // 20, size=size, progress=False)
    return 2 * FACES / (time.perf_counter() - start)


def loading(table: Path, augment: Augmentation | None) -> float:
    """Faces per second from the data module, one process."""
    data = FaceDataModule(str(table), splits={"train": 18, "val": 2}, test_split="val", augment=augment)
    data.setup("fit")
    loader = data.train_dataloader()
    return len(loader) * data.batch_size / seconds(lambda: list(loader))


def cache_against_forward(table: Path, folder: Path) -> float:
    """Rate of a cache build relative to the bare generator on batches that are ready, same batch size."""
    torch.manual_seed(0)
    generator = Generator(ConvEncoder(), ExpressionMerging(), ConvDecoder())
    normalizer = Normalizer(generator, torch.zeros(1, 3, 64, 64), alignment=Alignment(64), subjects=())
    data = FaceDataModule(str(table), splits={"train": 18, "val": 2}, test_split="val")
    data.setup("fit")
    batch = torch.rand(32, 3, 64, 64)

    def forward() -> list[NormalizedBatch]:
        return [normalizer.normalize(batch) for _ in range(len(data.table) // 32)]

    builds = iter(range(ROUNDS + 1))

    def build() -> object:
        return build_cache(data.table, normalizer, folder / str(next(builds)), alignment=data.alignment, progress=False)

    return seconds(forward) / seconds(build)


def lightning_against_bare(table: Path) -> float:
    """Wall time of a Lightning epoch of the classifier relative to the same steps in a bare loop."""
    data = FaceDataModule(str(table), splits={"train": 18, "val": 2}, test_split="val")
    task = EmotionTask(streams="original", balance_weight=0.0)
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        num_sanity_val_steps=0,
    )
    trainer.fit(task, datamodule=data)  # builds the network
    network, loader = task.network, data.train_dataloader()
    assert network is not None
    loss = task.loss
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)

    def bare() -> None:
        for step in loader:
            answer = network(step["original"], step["normalized"])
            optimizer.zero_grad()
            loss(answer.logits, step["emotion"]).backward()
            optimizer.step()

    def framework() -> None:
        trainer.fit_loop.max_epochs = (trainer.fit_loop.max_epochs or 0) + 1
        trainer.fit(task, datamodule=data)

    network.train()
    alone = seconds(bare)
    return seconds(framework) / alone


def main() -> None:
    """Measure, print, write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = {
            "drawn pictures/s at 64 px (target 200)": drawing(folder / "64", 64),
            "drawn pictures/s at 128 px (target 60)": drawing(folder / "128", 128),
            "faces/s from the data module": loading(folder / "64", None),
            "faces/s from the data module, augmented": loading(folder / "64", Augmentation()),
            "cache build / bare forward (rate)": cache_against_forward(folder / "64", folder / "cache"),
            "Lightning epoch / bare loop (time)": lightning_against_bare(folder / "64"),
        }
    for label, value in figures.items():
        print(f"{label:<45} {value:10.2f}")
    machine = {"cores": os.cpu_count(), "processor": platform.processor(), "torch": torch.__version__}
    results = {"figures": figures, "machine": machine}
    (Path(__file__).parent / "results.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
