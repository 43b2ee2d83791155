from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from norface.imaging.files import write_png
from norface.labels import EMOTIONS
from norface.results import update_results

AUS = ("AU01", "AU02", "AU04", "AU06", "AU12", "AU25")


def counts(accuracy: float, *, faces: int = 1200, classes: int = len(EMOTIONS)) -> list[list[int]]:
    per_class = faces // classes
    right = round(accuracy * per_class)
    generator = np.random.default_rng(round(accuracy * 1000))
    rows = []
    for row in range(classes):
        chances = generator.dirichlet(np.ones(classes - 1) * 0.7)
        wrong = generator.multinomial(per_class - right, chances)
        rows.append([int(cell) for cell in np.insert(wrong, row, right)])
    return rows


def block(accuracy: float, *, experts: bool = False) -> dict[str, object]:
    generator = np.random.default_rng(1)
    use = {
        "input": generator.dirichlet(np.ones(4), len(EMOTIONS)),
        "input_by_stream": dict(zip(("original", "normalized"), generator.dirichlet(np.ones(4) * 3, 2), strict=True)),
        "output": generator.dirichlet(np.ones(4) * 0.6, len(EMOTIONS)),
    }
    return {
        "task": "fer",
        "accuracy": accuracy,
        "mean_class_accuracy": accuracy - 0.01,
        "macro_f1": accuracy - 0.02,
        "confusion": counts(accuracy),
        "n_faces": 1200,
        "n_subjects": 50,
        "constant": {"accuracy": 0.125, "mean_class_accuracy": 0.125, "macro_f1": 0.028},
    } | ({"expert_use": use} if experts else {})


def au_block(task: str, score: float, *, experts: bool = False) -> dict[str, object]:
    metric = "f1" if task == "au" else "icc"
    generator = np.random.default_rng(round(score * 100))
    values = np.clip(score + generator.normal(0, 0.1, len(AUS)), 0, 1)
    per_au = dict(zip(AUS, values, strict=True))
    constant = 0.42 if task == "au" else 0.0
    figures: dict[str, object] = {
        "task": task,
        "labels": AUS,
        metric: score,
        f"{metric}_per_au": per_au,
        "constant": {metric: constant},
    }
    if experts:
        figures["expert_use"] = {"output": generator.dirichlet(np.ones(4), len(AUS))}
    return figures


def plausible_results() -> dict[str, object]:
    checks = [
        ("expression_r2", 0.791, 0.75, "min"),
        ("identity_to_target", 0.93, 0.70, "min"),
        ("identity_to_original", 0.11, 0.30, "max"),
        ("subject_accuracy", 0.031, 0.05, "max"),
        ("gap_closed", 0.616, 0.50, "min"),
    ]
    return {
        "seed": 0,
        "gate": {
            "expression_r2": 0.791,
            "identity_to_target": 0.93,
            "identity_to_original": 0.11,
            "subject_accuracy": 0.031,
            "subject_chance": 0.025,
            "passed": True,
            "checks": [
                {"name": name, "value": value, "limit": limit, "direction": direction, "passed": True}
                for name, value, limit, direction in checks
            ],
        },
        "probe": {
            "raw": block(0.561),
            "normalized": block(0.818),
            "oracle": block(0.978),
            "gap_closed": 0.616,
            "classes": EMOTIONS,
        },
        "classifier": {
            "raw": block(0.602, experts=True),
            "raw_pretrained": block(0.668, experts=True),
            "both": block(0.834, experts=True),
            "oracle": block(0.981, experts=True),
            "classes": EMOTIONS,
        },
        "classifier_au": {
            "raw": au_block("au", 0.51),
            "both": au_block("au", 0.66, experts=True),
            "oracle": au_block("au", 0.84),
        },
        "classifier_au_intensity": {
            "raw": au_block("au-intensity", 0.44),
            "both": au_block("au-intensity", 0.63),
            "oracle": au_block("au-intensity", 0.86),
        },
        "timing": {
            "faces_s": 41.2,
            "identity_s": 95.0,
            "expression_s": 80.4,
            "normalizer_s": 512.7,
            "cache_s": 12.1,
            "fer_both_s": 61.3,
            "fer_raw_s": 40.1,
            "fer_raw_pretrained_s": 44.2,
            "fer_oracle_s": 40.8,
            "gate_s": 104.9,
        },
        "protocol": {
            "dataset": "built-in faces, procedural, 64 px",
            "emotions": EMOTIONS,
            "subjects": {"normalizer": 120, "train": 20, "val": 10, "test": 50},
            "selection": "best mean-class accuracy on val",
            "threshold": 0.5,
            "leaked_subjects": [],
        },
        "versions": {"norface": "0.1.0", "python": "3.11.9", "torch": "2.15.0"},
        "fingerprints": {"table": "0f3a" * 16, "normalizer": "97bc" * 16},
    }


def draw_grid(path: Path, *, columns: int = 8, size: int = 32) -> None:
    rows, cols = np.mgrid[0 : 3 * size, 0 : columns * size]
    face = ((rows % size - size / 2) ** 2 + (cols % size - size / 2) ** 2) < (size * 0.4) ** 2
    shade = (90 + 130 * face * (0.6 + 0.4 * np.cos(cols / size))).astype(np.uint8)
    write_png(path, np.stack([shade, shade * 0.85, shade * 0.7], -1).astype(np.uint8))


def write_metrics(path: Path, *, steps: int, final: float, names: tuple[str, ...] = ("loss",)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(round(final * 100))
    columns = ["epoch", "step", "lr-AdamW", *(f"{split}/{name}" for name in names for split in ("train", "val"))]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for step in range(steps):
            for index, name in enumerate(names):
                value = final + (1 + index) * math.exp(-step / steps * 5)
                noise = float(generator.normal(0, 0.05))
                writer.writerow({"step": step * 10, f"train/{name}": value * (1 + noise), "lr-AdamW": 1e-3})
                if step % 10 == 9:
                    writer.writerow({"step": step * 10, f"val/{name}": value * 1.1})


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "demo"
    update_results(run / "results.json", plausible_results())
    draw_grid(run / "gate" / "grid.png")
    for epoch in (1, 2, 4, 9, 10):
        draw_grid(run / "normalizer" / "previews" / f"epoch={epoch}.png")
    losses = ("loss", "adversarial", "identity", "expression", "reconstruction", "paired")
    write_metrics(run / "normalizer" / "metrics.csv", steps=200, final=0.05, names=losses)
    write_metrics(run / "teacher" / "identity" / "lightning_logs" / "version_0" / "metrics.csv", steps=40, final=0.3)
    for index, name in enumerate(("raw", "raw_pretrained", "both", "oracle")):
        path = run / "classifier" / "fer" / name / "metrics.csv"
        write_metrics(path, steps=60, final=0.9 - 0.25 * index, names=("loss", "balance"))
    return run
