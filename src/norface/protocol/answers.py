"""What one run answered on its test faces."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from norface.errors import ResultsError
from norface.protocol.sums import Sums, sums
from norface.results import TEST_TABLE

_ANSWER, _LABEL = {"fer": "p", "au": "p", "au-intensity": "r"}, {"au": "c", "au-intensity": "r"}


@dataclass(frozen=True)
class Answers:
    """Labels and answers of the test faces.

    Args:
        task: ``fer``, ``au`` or ``au-intensity``.
        names: Names of the outputs.
        faces: sha256 (hex) of the faces' ids, subjects and labels: runs with equal ones were asked the same.
        subjects: ``(N,)`` who is shown.
        labels, answers: See `norface.protocol.sums.sums`.
        answered: ``(N,)`` which faces have an answer; others could not be read or normalized.
    """

    task: str
    names: tuple[str, ...]
    faces: str
    subjects: NDArray[Any]
    labels: NDArray[np.float64]
    answers: NDArray[np.float64]
    answered: NDArray[np.bool_]

    def sums(self, among: NDArray[np.bool_] | None = None) -> tuple[Sums, tuple[str, ...]]:
        """Sums of each subject and the subjects' names.

        Args:
            among: ``(N,)`` which faces count; None: all that are answered.
        """
        rows = self.answered if among is None else among
        codes, names = pd.factorize(self.subjects[rows], sort=True)
        counted = sums(self.task, self.labels[rows], self.answers[rows], codes.astype(np.int64))
        return counted, tuple(str(name) for name in names)


def read_answers(folder: Path) -> Answers:
    """Read what a test left in its run folder.

    Raises:
        ResultsError: There is nothing, it is damaged, or it holds no label of the task.
    """
    path = folder / TEST_TABLE
    try:
        table = pd.read_parquet(path)
        about = table.attrs["norface"]
        task, names = str(about["task"]), tuple(str(name) for name in about["labels"])
        return _tested(table, task, names, path)
    except (OSError, ValueError, KeyError) as error:
        raise ResultsError(
            expected="the answers of a test",
            found=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            where=str(path),
            action="Delete the run's folder; `norface protocol run` makes it again.",
        ) from error


def _tested(table: pd.DataFrame, task: str, names: tuple[str, ...], path: Path) -> Answers:
    answers = table[[f"{name}_{_ANSWER[task]}" for name in names]].to_numpy(np.float64)
    if task == "fer":
        known = table["true_emotion"].astype("str") if "true_emotion" in table else pd.Series([""] * len(table))
        labels = pd.Index(names).get_indexer(pd.Index(known)).astype(np.float64)[:, None]
        anything = bool((labels >= 0).any())
    else:
        columns = [f"true_{name}_{_LABEL[task]}" for name in names]
        labels = table.reindex(columns=columns).to_numpy(np.float64)
        anything = bool((~np.isnan(labels)).any())
    if not anything:
        raise ResultsError(
            expected=f"labels for task {task} among the test faces",
            found="none",
            where=str(path),
            action="Test on a table with these labels, or choose another task.",
        )
    digest = hashlib.sha256(np.nan_to_num(labels, nan=-1.0).tobytes())
    for name in ("face_id", "subject"):
        digest.update("\0".join(table[name].astype(str)).encode())
    return Answers(
        task=task,
        names=names,
        faces=digest.hexdigest(),
        subjects=table["subject"].to_numpy(object),
        labels=labels,
        answers=answers,
        answered=(table["success"] == 1).to_numpy(bool) & ~np.isnan(answers).any(1),
    )
