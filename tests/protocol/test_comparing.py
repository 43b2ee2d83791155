from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from answered import LABELS, answers_to, labels_of
from norface.errors import ResultsError
from norface.protocol.answers import Answers
from norface.protocol.comparing import Pair, _resampled, compare
from norface.protocol.sums import figures, sums

TASKS = ["fer", "au", "au-intensity"]


def asked(task: str, skill: float, *, seed: int = 1, people: int = 7, fold: str = "a") -> Answers:
    labels = labels_of(task, 8 * people, seed=len(fold))
    answers = answers_to(task, labels, skill, seed=seed)
    subjects = np.array([f"{fold}{k // 8}" for k in range(8 * people)], object)
    return Answers(task, LABELS[task], "same", subjects, labels, answers, np.ones(len(labels), bool))


def naive(pairs: dict[str, dict[int, Pair]], *, pooled: bool, resamples: int, seed: int) -> dict[str, list[float]]:
    """Goes through the faces of those drawn again and again."""
    people = [len(set(of_fold[0][0].subjects)) for of_fold in pairs.values()]
    found: dict[str, list[float]] = {}
    for weights in (row for part in _resampled(people, resamples, seed) for row in zip(*part, strict=True)):
        differences: dict[str, list[float]] = {}
        for number in pairs[next(iter(pairs))]:
            sides = []
            for side in (0, 1):
                folds = []
                for of_fold, drawn in zip(pairs.values(), weights, strict=True):
                    one = of_fold[number][side]
                    names = sorted(set(one.subjects))
                    rows = [
                        row
                        for name, times in zip(names, drawn, strict=True)
                        for _ in range(int(times))
                        for row in np.flatnonzero(one.subjects == name)
                    ]
                    nobody = np.zeros(len(rows), np.int64)
                    folds.append(sums(one.task, one.labels[rows], one.answers[rows], nobody)[0])
                sides.append(figures(one.task, folds, pooled=pooled, labels=one.names))
            for name in sides[0]:
                differences.setdefault(name, []).append(float(sides[1][name] - sides[0][name]))
        for name, values in differences.items():
            found.setdefault(name, []).append(float(np.mean(values)))
    return found


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("task", TASKS)
def test_intervals_equal_those_of_a_bootstrap_over_faces(task: str, pooled: bool) -> None:
    pairs = {
        fold: {seed: (asked(task, 0.3, seed=seed, fold=fold), asked(task, 0.6, seed=9, fold=fold)) for seed in (0, 1)}
        for fold in ("a", "bb")
    }
    found = compare(pairs, pooled=pooled, resamples=60, seed=3)
    wanted = naive(pairs, pooled=pooled, resamples=60, seed=3)
    assert found.subjects == 14 and found.faces == 112 and set(found.figures) == set(wanted)
    for name, one in found.figures.items():
        assert (one.low, one.high) == pytest.approx(tuple(np.quantile(wanted[name], [0.025, 0.975]))), name
        assert one.difference == pytest.approx(np.mean(one.by_seed))
    assert found.figures[{"fer": "accuracy", "au": "f1", "au-intensity": "icc"}[task]].low > 0


def test_the_same_answers_differ_by_nothing() -> None:
    one = asked("fer", 0.3)
    found = compare({"": {0: (one, one)}}, pooled=False, resamples=20).figures["accuracy"]
    assert (found.difference, found.low, found.high) == (0.0, 0.0, 0.0)


def test_subjects_are_drawn_not_faces() -> None:
    """Of two people, one gains all and the other nothing: drawing faces would give a far narrower interval."""
    one = asked("fer", 1.0, people=2)
    half = np.array([name == "a0" for name in one.subjects])
    worse = replace(one, answers=np.where(half[:, None], one.answers, np.roll(one.answers, 1, axis=1)))
    found = compare({"": {0: (worse, one)}}, pooled=False).figures["accuracy"]
    assert found.low == 0.0 and found.high == 1.0


def test_faces_without_an_answer_are_left_out_of_both() -> None:
    first, second = asked("fer", 0.3), asked("fer", 0.6)
    silent = np.ones(len(first.answered), bool)
    silent[:8] = False
    found = compare({"": {0: (replace(first, answered=silent), second)}}, pooled=False, resamples=20)
    assert (found.faces, found.subjects, found.unanswered) == (48, 6, 8)
    with pytest.raises(ResultsError, match="for which both have an answer"):
        compare({"": {0: (replace(first, answered=~silent), replace(second, answered=silent))}}, pooled=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "au"}, "same task"),
        ({"names": ("a", "b", "c")}, "same labels"),
        ({"faces": "others"}, "same test faces"),
    ],
)
def test_what_cannot_be_compared_is_refused(change: dict[str, str], message: str) -> None:
    one = asked("fer", 0.3)
    with pytest.raises(ResultsError, match=message):
        compare({"": {0: (one, replace(one, **change))}}, pooled=False)  # type: ignore[arg-type]


@pytest.mark.slow
def test_intervals_cover_the_true_difference_as_often_as_they_say() -> None:
    """Simulated people with a skill of their own for either predictor; the truth is known from very many of them."""
    random = np.random.default_rng(0)

    def world(people: int) -> Pair:
        hard = random.normal(0.0, 0.6, people)  # faces of one person are alike hard, for both predictors
        labels = random.integers(0, 2, (people * 20, 2)).astype(float)
        answers = []
        for skill in (0.9, 1.2):
            own = np.repeat(skill + hard + random.normal(0.0, 0.3, people), 20)[:, None]
            answers.append((((2 * labels - 1) * own + random.normal(0, 1, labels.shape)) > 0).astype(float))
        subjects = np.array([f"p{k // 20:05d}" for k in range(people * 20)], object)
        all_of = np.ones(len(labels), bool)
        first, second = (Answers("au", LABELS["au"], "same", subjects, labels, a, all_of) for a in answers)
        return first, second

    truth = compare({"": {0: world(20_000)}}, pooled=False, resamples=2).figures["f1"].difference
    found = [compare({"": {0: world(40)}}, pooled=False, resamples=500).figures["f1"] for _ in range(300)]
    covered = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.90 <= covered <= 0.98  # with 40 people; percentile intervals are a little narrow
