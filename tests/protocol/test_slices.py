from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from answered import leave_answers
from norface.protocol.answers import Answers, read_answers
from norface.protocol.slices import Slice, sliced, slices_of
from norface.runs.plain import plain

Grids = tuple[dict[int, dict[str, Answers]], dict[int, dict[str, Answers]]]


@pytest.fixture
def grids(tmp_path: Path) -> Grids:
    found = []
    for name, skill in (("raw", 0.2), ("full", 0.5)):
        grid: dict[int, dict[str, Answers]] = {}
        for seed in (0, 1):
            leave_answers(tmp_path / name / str(seed), "fer", skill=skill, seed=seed)
            grid[seed] = {"a": read_answers(tmp_path / name / str(seed))}
        found.append(grid)
    return found[0], found[1]


def test_slices_share_the_faces_and_size_counts(grids: Grids) -> None:
    answers = grids[0][0]["a"]
    parts = slices_of([answers])
    assert len(parts) == 4 and {part.attribute for part in parts} == {"yaw"}
    assert (np.sum([part.among(answers) for part in parts], 0) == 1).all()
    assert set(answers.attributes["yaw"][parts[3].among(answers)]) == {-35.0}
    yaw = answers.attributes["yaw"].copy()
    yaw[:7] = np.nan
    unknown = replace(answers, attributes={"yaw": yaw})
    assert np.sum([part.among(unknown) for part in parts]) == len(yaw) - 7


def test_figures_of_a_slice_are_those_of_its_faces_alone(grids: Grids) -> None:
    raw, full = grids
    part = Slice("yaw", 10.0, 20.0)
    found = sliced(part, full, raw, pooled=False, labels=("neutral", "happy", "sad"))
    assert found is not None
    means = []
    for grid in (full, raw):
        shares = []
        for folds in grid.values():
            one = folds["a"]
            rows = part.among(one) & (one.labels[:, 0] >= 0)
            shares.append(float((one.answers[rows].argmax(1) == one.labels[rows, 0]).mean()))
        means.append(np.mean(shares))
    assert found["figures"]["accuracy"]["mean"] == pytest.approx(means[0])
    assert found["difference"]["difference"] == pytest.approx(means[0] - means[1])
    assert (found["faces"], found["subjects"]) == (12, 6)


def test_a_slice_without_faces_has_no_figures_and_a_fold_without_is_left_out(
    grids: Grids,
) -> None:
    raw, full = grids
    assert sliced(Slice("yaw", 80.0, None), full, raw, pooled=False, labels=("neutral", "happy", "sad")) is None
    part = Slice("yaw", 30.0, None)
    alone = sliced(part, full, raw, pooled=False, labels=("neutral", "happy", "sad"))
    nobody = {"yaw": np.zeros(60)}
    for grid in grids:
        for folds in grid.values():
            one = folds["a"]
            folds["b"] = Answers(one.task, one.names, "b", one.subjects, one.labels, one.answers, one.answered, nobody)
    again = sliced(part, full, raw, pooled=False, labels=("neutral", "happy", "sad"))
    assert plain(again) == plain(alone)  # NaN as None, which equals itself
