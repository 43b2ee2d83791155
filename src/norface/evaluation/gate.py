"""The gate: measure a normalizer on people that nobody trained on, and say whether it may be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from norface.cache import NormalizerSource, mark_gate
from norface.data.datamodule import FaceDataModule
from norface.errors import ConfigError
from norface.evaluation.checks import GateLimits, judge
from norface.evaluation.figures import Embed, Faces, background_error, expression_r2, identity_figures
from norface.evaluation.pictures import emotion_grid
from norface.evaluation.probe import Batches, score_probe, train_probe
from norface.imaging.augment import Augmentation
from norface.imaging.files import write_png


def collect(data: FaceDataModule, target: Tensor, truth: FaceDataModule | None) -> tuple[Faces, Tensor]:
    """All test faces with their normalized ones, and their emotions ``(N,)``.

    Args:
        data: Yields original and cached normalized face.
        target: The common face ``(1, 3, S, S)``.
        truth: Yields the true normalized face for the same rows; None where unknown.
    """
    batches = list(data.test_dataloader())
    faces = Faces(
        original=torch.cat([batch["original"] for batch in batches]),
        normalized=torch.cat([batch["normalized"] for batch in batches]),
        truth=None if truth is None else torch.cat([batch["normalized"] for batch in truth.test_dataloader()]),
        target=target,
        subject=torch.cat([batch["subject"] for batch in batches]),
    )
    return faces, torch.cat([batch["emotion"] for batch in batches])


def run_gate(
    source: NormalizerSource,
    *,
    table: str,
    cache: Path,
    out: Path,
    embed: Embed | None,
    epochs: int = 30,
    seed: int = 0,
    limits: GateLimits = GateLimits(),
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Measure a normalizer.

    Args:
        source: The normalizer.
        table: Face table with splits; its test subjects are measured on, its train subjects train the probes.
        cache: Folder of caches; a missing cache is made.
        out: Folder for pictures.
        embed: Identity network that was in no loss of this normalizer; None: identity is not measured.
        epochs: Passes of each probe over the training faces.
        seed: Of the probes.
        limits: What must be reached.
        say: Told what is being done.

    Returns:
        ``gate`` and ``probe`` parts of the results file, and the protocol.
    """
    normalizer = source.load()
    target = getattr(normalizer, "target", None)
    if not isinstance(target, Tensor):
        raise ConfigError(
            expected="a normalizer that knows its target",
            found=type(normalizer).__name__,
            where="normalizer",
            action="Name a normalizer checkpoint of norface.",
        )
    crop = normalizer.alignment

    def module(kind: Literal["cache", "truth"]) -> FaceDataModule:
        cached: dict[str, Any] = {"normalizer": source, "cache_dir": str(cache)} if kind == "cache" else {}
        data = FaceDataModule(
            table,
            image_size=crop.size,
            margin=crop.margin,
            drop=crop.drop,
            seed=seed,
            source=kind,
            augment=Augmentation(),
            **cached,
        )
        data.prepare_data()
        data.setup()
        return data

    say("reading test faces")
    data = module("cache")
    truth = module("truth") if data.table.has_normalized else None
    faces, emotion = collect(data, target, truth)
    figures: dict[str, Any] = {"expression_r2": expression_r2(faces), "background_error": background_error(faces)}
    if embed is not None:
        say("measuring identity")
        figures |= identity_figures(faces, embed)
    probe: dict[str, Any] = {}
    if data.emotions and bool((emotion >= 0).any()):
        kinds = {"raw": (data, "original"), "normalized": (data, "normalized")}
        kinds |= {"oracle": (truth, "normalized")} if truth is not None else {}
        for name, (of, key) in kinds.items():
            say(f"training the probe on {name} faces")
            probe[name] = measure_probe(of, key, epochs=epochs, seed=seed)
        if "oracle" in probe:
            probe["gap_closed"] = gap_closed(*(probe[k]["accuracy"] for k in ("raw", "normalized", "oracle")))
        write_png(out / "grid.png", emotion_grid(faces, emotion, data.emotions))
    checks = judge({**figures, "gap_closed": probe.get("gap_closed")}, limits)
    passed = all(bool(check["passed"]) for check in checks)
    mark_gate(data.cache_folder, passed)
    subjects = {split: int(data.table.frame.loc[data.table.in_split(split), "subject"].nunique()) for split in SPLITS}
    return {
        "gate": {**figures, "checks": checks, "passed": passed},
        "probe": probe,
        "protocol": {
            "test_faces": len(emotion),
            "subjects": subjects,
            "normalizer_subjects": len(normalizer.subjects),
            "selection": "last epoch; the test split chooses nothing",
            "leaked_subjects": list(data.leaked_subjects),
        },
    }


SPLITS = ("normalizer", "train", "val", "test")


def gap_closed(raw: float, normalized: float, oracle: float) -> float | None:
    """Share of the way from raw to oracle that the normalized faces go; None where there is no gap to close."""
    return (normalized - raw) / (oracle - raw) if oracle - raw > 0.01 else None


def measure_probe(data: FaceDataModule, key: str, *, epochs: int, seed: int) -> dict[str, Any]:
    """Train a probe on one kind of face (`key` of `FaceSample`) and score it on the test people."""
    loader = data.train_dataloader()

    def training(epoch: int) -> Batches:
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        return ((batch[key], batch["emotion"]) for batch in loader)

    classes = len(data.emotions)
    probe = train_probe(training, classes=classes, epochs=epochs, seed=seed)
    tested = ((batch[key], batch["emotion"]) for batch in data.test_dataloader())
    score = score_probe(probe, tested, classes=classes)
    return {"task": "fer", "classes": list(data.emotions), **score._asdict()}
