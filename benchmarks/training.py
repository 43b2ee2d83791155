"""Training: what the framework costs beside a bare loop, and how long training waits for data."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from torch.utils.data import DataLoader

from benchmarks.demo import KINDS, Kind, drawn_faces, make_data, make_task, make_trainer
from benchmarks.timing import Figure, figure, in_turns, rate, ratio
from norface.classifier import EmotionTask
from norface.normalizer import NormalizerTask
from norface.normalizer.generator import distinct
from norface.normalizer.losses import hinge_discriminator_loss
from norface.normalizer.objective import total

Step = Callable[[Any], None]


def measure(*, quick: bool = False) -> list[Figure]:
    """Both models."""
    rounds = 1 if quick else 5
    with drawn_faces(2 if quick else 24) as table:
        return [one for kind in KINDS for one in measure_one(kind, table, rounds, workers=0 if quick else 2)]


def measure_one(kind: Kind, table: Path, rounds: int, *, workers: int) -> list[Figure]:
    """Epochs by Lightning and by a bare loop in turns, each on its own copy of the model."""
    framework = Framework(kind, table)
    loader, step = framework.data.train_dataloader(), bare_step(kind, framework.data)
    parallel = make_data(kind, table, num_workers=workers)
    parallel.setup("fit")
    fed = parallel.train_dataloader()
    waits: dict[str, list[float]] = {"none": [], "workers": []}

    def bare(name: str, batches: DataLoader[Any]) -> float:
        whole, waited = bare_epoch(batches, step)
        waits[name].append(100 * waited / whole)
        return whole

    sides: dict[str, Callable[[], object]] = {
        "Lightning": framework.epoch,
        "bare": lambda: bare("none", loader),
        "fed": lambda: bare("workers", fed),
    }
    times = in_turns(sides, rounds=rounds)
    faces = len(loader) * framework.data.batch_size
    return [
        ratio(f"{kind}: Lightning epoch / bare loop", times, "Lightning", "bare", "<= 1.05"),
        rate(f"{kind}: training, bare loop", times["bare"], faces),
        figure(f"{kind}: share of time that training waits for data", waits["none"][1:], "%", "< 5"),
        figure(f"{kind}: the same with {workers} workers", waits["workers"][1:], "%", "< 5"),
        ratio(f"{kind}: epoch with {workers} workers / without", times, "fed", "bare"),
    ]


class Framework(lightning.Callback):
    """Trains epoch by epoch with Lightning, and takes the time of the epoch's batches alone."""

    def __init__(self, kind: Kind, table: Path) -> None:
        self.task, self.data = make_task(kind), make_data(kind, table)
        self.trainer = make_trainer(max_epochs=0, callbacks=[self])
        self.data.setup("fit")
        self.seconds = 0.0

    def epoch(self) -> float:
        """One epoch more; its time in seconds."""
        self.trainer.fit_loop.max_epochs = (self.trainer.fit_loop.max_epochs or 0) + 1
        self.trainer.fit(self.task, datamodule=self.data)
        return self.seconds

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the watch."""
        self.start = time.perf_counter()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop the watch."""
        self.seconds = time.perf_counter() - self.start


def bare_epoch(loader: DataLoader[Any], step: Step) -> tuple[float, float]:
    """Seconds of an epoch, and how many of them the loop waits for batches."""
    start, waited = time.perf_counter(), 0.0
    batches = iter(loader)
    while True:
        asked = time.perf_counter()
        batch = next(batches, None)
        waited += time.perf_counter() - asked
        if batch is None:
            return time.perf_counter() - start, waited
        step(batch)


def bare_step(kind: Kind, data: lightning.LightningDataModule) -> Step:
    """The same arithmetic as the Lightning module's step and nothing else, on a model of its own."""
    task = make_task(kind)
    trainer = make_trainer(max_epochs=1, limit_train_batches=1)
    trainer.fit(task, datamodule=data)  # builds what depends on the data
    if isinstance(task, EmotionTask):
        return classifier_step(task)
    return normalizer_step(cast(NormalizerTask, task))


def classifier_step(task: EmotionTask) -> Step:
    """Forward, loss, balance, AdamW."""
    network = task.network
    assert network is not None
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)

    def step(batch: Any) -> None:
        answer = network(batch["original"], batch["normalized"])
        loss = task.loss(answer.logits, batch["emotion"]) + task.balance_weight * answer.balance
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def normalizer_step(task: NormalizerTask) -> Step:
    """Discriminator, generator, moving average."""
    generator, judge, objective = task.generator, task.discriminator, task.objective
    assert objective is not None
    task.train()
    ours = torch.optim.AdamW(generator.parameters(), lr=1e-4, fused=True)
    theirs = torch.optim.Adam(judge.parameters(), lr=1e-4, betas=(0.0, 0.99), fused=True)

    def update(optimizer: torch.optim.Optimizer, loss: torch.Tensor, network: torch.nn.Module) -> None:
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), task.clip)
        optimizer.step()

    def step(batch: Any) -> None:
        targets, which = distinct(batch["target"], batch["target_key"])
        output, embeddings = generator.merge(batch["original"], targets, which)
        real = torch.where(batch["has_truth"][:, None, None, None], batch["truth"], batch["target"])
        judge.requires_grad_(True)
        update(theirs, hinge_discriminator_loss(judge(real), judge(output.detach())), judge)
        judge.requires_grad_(False)
        update(ours, total(objective(batch, output, embeddings, judge(output))), generator)
        task.average.update(generator)

    return step
