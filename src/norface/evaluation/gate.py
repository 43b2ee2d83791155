"""The gate: measure a normalizer on people that nobody trained on, and say whether it may be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from norface.cache import FaceNormalizer, NormalizerSource, mark_gate
from norface.data.datamodule import FaceDataModule
from norface.evaluation.checks import GateLimits, judge
from norface.evaluation.figures import Embed, Faces, background_error, expression_r2, identity_figures
from norface.evaluation.pictures import emotion_grid, strip
from norface.evaluation.probe import Batches, score_probe, train_probe
from norface.evaluation.seen import SeenPeople, measure_seen
from norface.imaging.augment import Augmentation
from norface.imaging.files import write_png
from norface.labels import SPLITS
from norface.normalizer.inference import Normalizer

PROBE_AUGMENTATION = Augmentation(geometric=0.0, photometric=0.5, dropout=0.0)
"""Light, and the same for all probes: with the full strengths a probe of originals learns too little in its steps."""


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
    seen: SeenPeople | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Measure a normalizer.

    Args:
        source: The normalizer.
        table: Face table with splits; its test subjects are measured on, its train subjects train the probes.
        cache: Folder of caches; a missing cache is made.
        out: Folder for pictures.
        embed: Identity network that was in no loss of this normalizer; None: identity is not measured.
        epochs: Passes of each probe over the training faces; 0: no probes, whose gap is then not judged.
        seed: Of the probes.
        limits: What must be reached.
        seen: People whom it was trained on, to be measured beside those whom it was not; None: nobody.
        say: Told what is being done.

    Returns:
        ``gate``, ``probe`` and ``protocol`` parts of the results file.
    """
    normalizer = source.load()
    assert isinstance(normalizer, Normalizer), "every normalizer of norface knows its target"
    say("reading test faces")
    data = open_faces(table, normalizer, "cache", seed=seed, normalizer_source=source, cache=cache)
    measured = np.concatenate([data.usable_rows(split) for split in data.classifier_splits])
    knows_truth = bool(data.table.knows_normalized[measured].all())
    truth = open_faces(table, normalizer, "truth", seed=seed) if knows_truth else None
    faces, emotion = collect(data, normalizer.target, truth)
    figures: dict[str, Any] = {"expression_r2": expression_r2(faces), "background_error": background_error(faces)}
    if embed is not None:
        say("measuring identity")
        figures |= identity_figures(faces, embed)
    probe: dict[str, Any] = {}
    write_png(out / "faces.png", strip(faces, emotion))
    if bool((emotion >= 0).any()):
        write_png(out / "grid.png", emotion_grid(faces, emotion, data.emotions))
        probe = measure_probes(data, truth, epochs=epochs, seed=seed, say=say) if epochs else {}
    checks = judge({**figures, "gap_closed": probe.get("gap_closed")}, limits)
    passed = all(bool(check["passed"]) for check in checks)
    if seen is not None:
        say("measuring people whom it was trained on")
        tested = len(faces.subject.unique())
        figures["seen"] = measure_seen(normalizer, table, seen, tested=tested, embed=embed)
    mark_gate(data.cache_folder, passed)
    people = {split: data.table.frame.loc[data.table.in_split(split), "subject"].nunique() for split in SPLITS}
    protocol = {
        "test_faces": len(emotion),
        "subjects": people,
        "normalizer_subjects": len(normalizer.subjects),
        "selection": "last epoch; the test split chooses nothing",
        "leaked_subjects": list(data.leaked_subjects),
    }
    return {"gate": {**figures, "checks": checks, "passed": passed}, "probe": probe, "protocol": protocol}


def open_faces(
    table: str,
    normalizer: FaceNormalizer,
    kind: Literal["cache", "truth"],
    *,
    seed: int,
    normalizer_source: NormalizerSource | None = None,
    cache: Path | None = None,
) -> FaceDataModule:
    """Yields each original with its cached or its true normalized face, cropped as the normalizer wants them."""
    crop = normalizer.alignment
    data = FaceDataModule(
        table,
        image_size=crop.size,
        margin=crop.margin,
        drop=crop.drop,
        seed=seed,
        source=kind,
        normalizer=normalizer_source,
        cache_dir=str(cache) if cache is not None else None,
        augment=PROBE_AUGMENTATION,
    )
    data.prepare_data()
    data.setup()
    return data


def collect(data: FaceDataModule, target: Tensor, truth: FaceDataModule | None) -> tuple[Faces, Tensor]:
    """All test faces with their normalized ones, and their emotions ``(N,)``.

    Args:
        data: Yields original and cached normalized face.
        target: The common face ``(1, 3, S, S)``.
        truth: Yields the true normalized face; None where unknown.
    """
    batches = list(data.test_dataloader())
    faces = Faces(
        original=torch.cat([batch["original"] for batch in batches]),
        normalized=torch.cat([batch["normalized"] for batch in batches]),
        truth=None if truth is None else _truths(truth, [name for batch in batches for name in batch["face_id"]]),
        target=target,
        subject=torch.cat([batch["subject"] for batch in batches]),
    )
    return faces, torch.cat([batch["emotion"] for batch in batches])


def _truths(data: FaceDataModule, face_ids: list[str]) -> Tensor:
    """True normalized faces in this order: a face that has no normalized one is missing from the list."""
    batches = list(data.test_dataloader())
    place = {name: index for index, name in enumerate(name for batch in batches for name in batch["face_id"])}
    images = torch.cat([batch["normalized"] for batch in batches])
    return images[[place[name] for name in face_ids]]


def measure_probes(
    data: FaceDataModule, truth: FaceDataModule | None, *, epochs: int, seed: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """The same probe on originals, on normalized and, where known, on true normalized faces: the ``probe`` part."""
    kinds = {"raw": (data, "original"), "normalized": (data, "normalized")}
    if truth is not None:
        kinds["oracle"] = (truth, "normalized")
    probe: dict[str, Any] = {}
    for name, (of, key) in kinds.items():
        say(f"training the probe on {name} faces")
        probe[name] = measure_probe(of, key, epochs=epochs, seed=seed)
    if "oracle" in probe:
        probe["gap_closed"] = gap_closed(*(probe[kind]["accuracy"] for kind in ("raw", "normalized", "oracle")))
    return probe


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
