"""Answers of a test that nobody has trained for, as `norface test` leaves them in a run folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LABELS: dict[str, tuple[str, ...]] = {
    "fer": ("neutral", "happy", "sad"),
    "au": ("AU01", "AU12"),
    "au-intensity": ("AU01", "AU12"),
}


def labels_of(task: str, count: int, *, seed: int = 0) -> NDArray[np.float64]:
    """Random labels ``(N, 1)`` or ``(N, 2)``, a tenth of them unknown."""
    random = np.random.default_rng(seed)
    if task == "fer":
        return np.where(random.random((count, 1)) < 0.1, -1, random.integers(0, 3, (count, 1))).astype(float)
    shown = random.integers(0, 2 if task == "au" else 6, (count, 2)).astype(float)
    return np.where(random.random((count, 2)) < 0.1, np.nan, shown)


def answers_to(task: str, labels: NDArray[np.float64], skill: float, *, seed: int = 1) -> NDArray[np.float64]:
    """Answers that are right more often with more skill, 0 to 1."""
    random = np.random.default_rng(seed)
    noise = random.random((len(labels), len(LABELS[task])))
    if task == "fer":
        right = (labels == np.arange(3)).astype(np.float64)
        mixed: NDArray[np.float64] = (1 - skill) * noise + skill * right
        return mixed
    top = 1.0 if task == "au" else 5.0
    shown: NDArray[np.float64] = np.nan_to_num(labels, nan=0.0)
    return (1 - skill) * noise * top + skill * shown


def table_of(
    task: str, subjects: Sequence[str], labels: NDArray[np.float64], answers: NDArray[np.float64]
) -> pd.DataFrame:
    """What `AnswerTable` writes."""
    names = LABELS[task]
    columns: dict[str, Any] = {
        "face_id": [f"face{k}" for k in range(len(labels))],
        "subject": list(subjects),
        "split": "test",
        "success": 1,
        "error": "",
    }
    if task == "fer":
        known = [names[int(code)] if code >= 0 else None for code in labels[:, 0]]
        columns["true_emotion"] = pd.Series(known, dtype="str")
        columns["emotion"] = [names[best] for best in answers.argmax(1)]
    else:
        kind = "c" if task == "au" else "r"
        columns |= {f"true_{name}_{kind}": labels[:, k] for k, name in enumerate(names)}
    suffix = "r" if task == "au-intensity" else "p"
    columns |= {f"{name}_{suffix}": answers[:, k] for k, name in enumerate(names)}
    table = pd.DataFrame(columns)
    table.attrs = {"norface": {"task": task, "labels": list(names), "version": "1", "alignment": {}}}
    return table


def leave_answers(
    folder: Path, task: str, *, skill: float = 0.5, seed: int = 1, subjects: int = 6, labels: int = 0
) -> None:
    """A finished test in a run folder, and its validation: ten faces of each subject, of four other ones."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, count, draw in (("test", subjects, labels), ("val", 4, 100 + labels)):
        shown = labels_of(task, 10 * count, seed=draw)
        people = [f"{'v' if split == 'val' else 's'}{k // 10}" for k in range(10 * count)]
        table = table_of(task, people, shown, answers_to(task, shown, skill, seed=seed + draw))
        table["yaw"] = np.resize([-35.0, -12.0, 3.0, 8.0, 25.0], len(table))
        table.to_parquet(folder / f"{split}_predictions.parquet")
    block = {"constant": {"label": "happy"} if task == "fer" else {}, "expert_use": {}}
    (folder / "results.json").write_text(json.dumps({"classifier": {"both": block}}))
