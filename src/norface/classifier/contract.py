"""What a classifier asks of its data, and what it hands back: plain values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Literal, Protocol, TypedDict

import pandas as pd
from torch import Tensor

from norface.imaging.alignment import Alignment


class LabelledFaces(Protocol):
    """What a classifier asks of its data module, after its `setup`."""

    emotions: tuple[str, ...]
    aus: tuple[int, ...]
    alignment: Alignment
    subjects: tuple[str, ...]
    sampling: Literal["uniform", "balanced"]
    """How training faces are drawn; balanced: every emotion equally often."""

    def class_counts(self) -> tuple[int, ...]:
        """Training faces of each emotion."""

    def occurrence_rates(self) -> tuple[float, ...]:
        """Share of training faces that show each action unit, NaN = unknown."""

    def known_counts(self, kind: Literal["c", "r"]) -> tuple[int, ...]:
        """Training faces whose occurrence (c) or intensity (r) of each action unit is known."""

    def asked_for(self) -> pd.DataFrame:
        """Faces that prediction is asked for, in the table's order: ``face_id``, ``success`` 0 or 1, ``error``, ..."""

    def labelled_faces(self, role: Literal["val", "test"]) -> pd.DataFrame:
        """Faces of a validation or a test, likewise, and ``true_<label>`` of every label that is known."""

    def check_unseen(self, trained_on: Iterable[str]) -> None:
        """Refuse to test on people that were trained on, unless that is allowed."""


class Prediction(TypedDict):
    """What predicting a batch returns."""

    face_id: list[str]
    answers: Tensor
    """``(B, L)``: probabilities of emotions or action units; for the intensity task, intensities 0..5."""
    gates: dict[str, Tensor]
    """``(B, m)``: shares of the input experts for each stream, by its name; ``output``: mean of the labels' gates."""


def plain(value: object) -> object:
    """Tensors to lists and numbers, NaN to None, so that JSON can hold it."""
    if isinstance(value, Tensor):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
