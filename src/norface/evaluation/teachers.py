"""Can a teacher read originals and true normalized faces alike? A loss through one that cannot is noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from norface.data.datamodule import FaceDataModule
from norface.evaluation.read_out import Readings, correlation, explained, fit_read_out
from norface.labels import POSE_COLUMNS
from norface.teachers.angles import angle_between
from norface.teachers.base import ExpressionTeacher, HeadPoseTeacher, IdentityTeacher
from norface.teachers.identity import nearest_neighbour_accuracy

Row = tuple[str, float]
"""What was measured, and the figure; NaN where the table does not know what is needed."""


@dataclass(frozen=True)
class KnownFaces:
    """Faces of one split with what the table knows of them.

    Args:
        original: ``(N, 3, S, S)`` in [-1, 1].
        truth: True normalized faces, likewise; None where the table has none.
        intensity: Action units ``(N, K)`` in 0..5, NaN = unknown.
        subject: ``(N,)``.
        pose: Yaw, pitch and roll of the originals in degrees ``(N, 3)``, NaN = unknown.
    """

    original: Tensor
    truth: Tensor | None
    intensity: Tensor
    subject: Tensor
    pose: Tensor


def known_faces(data: FaceDataModule, split: str) -> KnownFaces:
    """All faces of the training (``train``) or the test split (``test``) of a data module that is set up."""
    batches = list(data.train_dataloader() if split == "train" else data.test_dataloader())
    original, normalized, intensity, subject, pose = (
        torch.cat([batch[key] for batch in batches])
        for key in ("original", "normalized", "au_intensity", "subject", "head_pose")
    )
    return KnownFaces(original, normalized if data.knows_truth else None, intensity, subject, pose)


@torch.inference_mode()
def judge_expression(teacher: ExpressionTeacher, training: KnownFaces, test: KnownFaces) -> list[Row]:
    """Action units of unseen people, read by ridge regression from what the teacher says of a face."""
    shown, asked = (_expressions(teacher, faces.original) for faces in (training, test))
    read_out = fit_read_out(shown.features, training.intensity)
    rows = _scores("originals", read_out(asked.features), test.intensity)
    if training.truth is None or test.truth is None:
        return rows
    true_shown, true_asked = (_expressions(teacher, truth) for truth in (training.truth, test.truth))
    rows += _scores("true normalized faces", read_out(true_asked.features), test.intensity)
    own = fit_read_out(true_shown.features, training.intensity)
    rows += _scores("true normalized faces, a read-out of their own", own(true_asked.features), test.intensity)
    agreement = correlation(true_asked.outputs, asked.outputs)
    return [*rows, ("correlation of an output, original with true normalized face", agreement)]


def _scores(where: str, read: Tensor, intensity: Tensor) -> list[Row]:
    return [(f"AU R², {where}", explained(read, intensity)), (f"AU correlation, {where}", correlation(read, intensity))]


def _expressions(teacher: ExpressionTeacher, images: Tensor) -> Readings:
    readings = [teacher(part) for part in images.split(32)]
    embedding, outputs = (torch.cat(parts) for parts in zip(*readings, strict=True))
    return Readings(torch.cat([embedding, outputs], dim=1), outputs)


@torch.inference_mode()
def judge_identity(teacher: IdentityTeacher, test: KnownFaces, target: Tensor | None) -> list[Row]:
    """Similarity of faces of one person and of different ones, and to the target ``(1, 3, S, S)``."""
    embedding = torch.cat([teacher(part) for part in test.original.split(32)])
    similarity = embedding @ embedding.T
    same = test.subject[:, None] == test.subject[None]
    same_other_face = same & ~torch.eye(len(same), dtype=torch.bool)
    rows = [
        ("similarity, one person", float(similarity[same_other_face].mean())),
        ("similarity, different people", float(similarity[~same].mean())),
        ("nearest other face is the same person", float(nearest_neighbour_accuracy(embedding, test.subject))),
    ]
    if target is None or test.truth is None:
        return rows
    common = teacher(target)
    truths = torch.cat([teacher(part) for part in test.truth.split(32)])
    return [
        *rows,
        ("similarity to the target, true normalized faces", float((truths @ common.T).mean())),
        ("similarity to the target, originals", float((embedding @ common.T).mean())),
    ]


@torch.inference_mode()
def judge_head_pose(teacher: HeadPoseTeacher, test: KnownFaces, target: Tensor | None) -> list[Row]:
    """Correlation with the known head pose, and how far true normalized faces seem to turn from the target."""
    found = torch.cat([teacher(part) for part in test.original.split(32)])
    rows = [
        (f"{axis}: correlation with the table's, originals", correlation(found[:, [i]], test.pose[:, [i]]))
        for i, axis in enumerate(POSE_COLUMNS)
    ]
    if target is None or test.truth is None:
        return rows
    truths = torch.cat([teacher(part) for part in test.truth.split(32)])
    away = {"true normalized faces": truths, "originals": found}
    errors = {where: angle_between(poses, teacher(target)).abs().mean(0) for where, poses in away.items()}
    return rows + [
        (f"{axis}: degrees from the target, {where}", float(error[i]))
        for i, axis in enumerate(POSE_COLUMNS)
        for where, error in errors.items()
    ]
