"""What one run answered on its test faces, or on those of its validation subjects."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from norface.errors import ResultsError
from norface.labels import ATTRIBUTES
from norface.protocol.sums import Sums, sums
from norface.results import TEST_TABLE, VAL_TABLE

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
        attributes: ``(N,)`` each, by the name in `norface.labels.ATTRIBUTES`, as far as the table knows them.
    """

    task: str
    names: tuple[str, ...]
    faces: str
    subjects: NDArray[Any]
    labels: NDArray[np.float64]
    answers: NDArray[np.float64]
    answered: NDArray[np.bool_]
    attributes: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def among(self, faces: NDArray[np.bool_]) -> Answers:
        """The same, as if only these faces ``(N,)`` had been answered."""
        return replace(self, answered=self.answered & faces)

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
    tested, anything = _read(folder / TEST_TABLE)
    if not anything:
        raise ResultsError(
            expected=f"labels for task {tested.task} among the test faces",
            found="none",
            where=str(folder / TEST_TABLE),
            action="Test on a table with these labels, or choose another task.",
        )
    return tested


def read_validation(folder: Path) -> Answers | None:
    """Read what a run answered for its validation subjects; None where it has left nothing, or nothing is labelled.

    Raises:
        ResultsError: It is damaged.
    """
    if not (folder / VAL_TABLE).is_file():
        return None
    validated, anything = _read(folder / VAL_TABLE)
    return validated if anything else None


def _read(path: Path) -> tuple[Answers, bool]:
    """The answers, and whether any label is known."""
    try:
        table = pd.read_parquet(path)
        about = table.attrs["norface"]
        task, names = str(about["task"]), tuple(str(name) for name in about["labels"])
        return _tested(table, task, names)
    except (OSError, ValueError, KeyError) as error:
        raise ResultsError(
            expected="the answers of a test",
            found=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            where=str(path),
            action="Delete the run's folder; `norface protocol run` makes it again.",
        ) from error


def _tested(table: pd.DataFrame, task: str, names: tuple[str, ...]) -> tuple[Answers, bool]:
    answers = table[[f"{name}_{_ANSWER[task]}" for name in names]].to_numpy(np.float64)
    if task == "fer":
        known = table["true_emotion"].astype("str") if "true_emotion" in table else pd.Series([""] * len(table))
        labels = pd.Index(names).get_indexer(pd.Index(known)).astype(np.float64)[:, None]
        anything = bool((labels >= 0).any())
    else:
        columns = [f"true_{name}_{_LABEL[task]}" for name in names]
        labels = table.reindex(columns=columns).to_numpy(np.float64)
        anything = bool((~np.isnan(labels)).any())
    digest = hashlib.sha256(np.nan_to_num(labels, nan=-1.0).tobytes())
    for name in ("face_id", "subject"):
        digest.update("\0".join(table[name].astype(str)).encode())
    answered = Answers(
        task=task,
        names=names,
        faces=digest.hexdigest(),
        subjects=table["subject"].to_numpy(object),
        labels=labels,
        answers=answers,
        answered=(table["success"] == 1).to_numpy(bool) & ~np.isnan(answers).any(1),
        attributes={name: table[name].to_numpy(np.float64) for name in ATTRIBUTES if name in table.columns},
    )
    return answered, anything
