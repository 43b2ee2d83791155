"""A teacher that reads one kind of face only must be found out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from norface.evaluation.teachers import KnownFaces, judge_expression, judge_head_pose, judge_identity
from norface.teachers.base import ExpressionReading, ExpressionTeacher
from toy_world import BarTeacher, ColourTeacher, TiltTeacher, draw

PEOPLE, EACH = 8, 12


def faces(seed: int) -> KnownFaces:
    generator = torch.Generator().manual_seed(seed)
    subject = torch.arange(PEOPLE).repeat_interleave(EACH)
    colour = (torch.rand(PEOPLE, 3, generator=generator) * 0.2)[subject]
    height = torch.rand(len(subject), generator=generator)
    original, truth = draw(height, colour), draw(height, torch.zeros(len(subject), 3))
    pose = TiltTeacher()(original) * 2 + 5
    return KnownFaces(original, truth, 5 * height[:, None], subject, pose)


class Shortsighted(ExpressionTeacher):
    """Reads the bar of coloured faces; of grey ones it says the opposite."""

    names = ("AU12",)

    def forward(self, image: Tensor) -> ExpressionReading:
        embedding, outputs = BarTeacher()(image)
        grey = image[:, :, 0, 0].std(1, keepdim=True) < 1e-6
        return ExpressionReading(
            torch.where(grey, embedding.flip(1), embedding), torch.where(grey, 1 - outputs, outputs)
        )


def test_a_teacher_of_both_kinds_of_face_is_told_from_one_of_originals_alone() -> None:
    good, bad = (dict(judge_expression(teacher, faces(0), faces(1))) for teacher in (BarTeacher(), Shortsighted()))
    for figures in (good, bad):
        assert figures["AU R², originals"] > 0.9
        assert figures["AU R², true normalized faces, a read-out of their own"] > 0.9
    assert good["AU correlation, true normalized faces"] > 0.95
    assert bad["AU R², true normalized faces"] < 0
    assert good["correlation of an output, original with true normalized face"] > 0.9
    assert bad["correlation of an output, original with true normalized face"] < -0.9


def test_without_true_faces_only_originals_are_read() -> None:
    training, test = (
        KnownFaces(known.original, None, known.intensity, known.subject, known.pose) for known in (faces(0), faces(1))
    )
    assert [name for name, _ in judge_expression(BarTeacher(), training, test)] == [
        "AU R², originals",
        "AU correlation, originals",
    ]
    assert len(judge_identity(ColourTeacher(), test, None)) == 3
    assert len(judge_head_pose(TiltTeacher(), test, None)) == 3


def test_identity_tells_people_apart_and_finds_the_target_in_true_faces() -> None:
    test, target = faces(1), draw(torch.zeros(1), torch.zeros(1, 3))
    figures = dict(judge_identity(ColourTeacher(), test, target))
    embedding = ColourTeacher()(test.original)
    same: list[float] = []
    other: list[float] = []
    for i in range(len(embedding)):
        for j in range(len(embedding)):
            if i != j:
                (same if test.subject[i] == test.subject[j] else other).append(float(embedding[i] @ embedding[j]))
    assert figures["similarity, one person"] == pytest.approx(sum(same) / len(same), abs=1e-5)
    assert figures["similarity, different people"] == pytest.approx(sum(other) / len(other), abs=1e-5)
    assert figures["similarity to the target, true normalized faces"] > figures["similarity to the target, originals"]


def test_head_pose_is_compared_with_the_table_and_the_target() -> None:
    test, target = faces(1), draw(torch.zeros(1), torch.zeros(1, 3))
    figures = dict(judge_head_pose(TiltTeacher(), test, target))
    assert figures["pitch: correlation with the table's, originals"] == pytest.approx(1.0, abs=1e-4)
    away = (TiltTeacher()(test.original) - TiltTeacher()(target)).abs().mean(0)
    assert figures["pitch: degrees from the target, originals"] == pytest.approx(float(away[1]), rel=1e-4)
