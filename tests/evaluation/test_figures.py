"""The gate must fail what looks healthy and is not: a constant face, a copy of the original."""

from __future__ import annotations

import math

import pytest
import torch

from norface.evaluation.checks import GateLimits, judge
from norface.evaluation.figures import Faces, background_error, expression_r2, identity_figures
from norface.evaluation.probe import score_probe, train_probe
from toy_world import SIZE, ColourTeacher, draw

PEOPLE, EACH = 12, 10


def world(kind: str) -> Faces:
    """Test faces normalized by a perfect, a constant or a copying normalizer."""
    generator = torch.Generator().manual_seed(3)
    subject = torch.arange(PEOPLE).repeat_interleave(EACH)
    colour = (torch.rand(PEOPLE, 3, generator=generator) * 2 - 1)[subject]
    height = torch.rand(len(subject), generator=generator)
    original, truth = draw(height, colour), draw(height, torch.zeros(len(subject), 3))
    target = draw(torch.zeros(1), torch.zeros(1, 3))
    normalized = {"truth": truth, "constant": truth.mean(0, keepdim=True).expand_as(truth), "copy": original}[kind]
    return Faces(original=original, normalized=normalized.clone(), truth=truth, target=target, subject=subject)


def failed(kind: str) -> set[str]:
    faces = world(kind)
    figures: dict[str, float | None] = {
        "expression_r2": expression_r2(faces),
        "background_error": background_error(faces),
        **identity_figures(faces, ColourTeacher()),
    }
    # In this world two random colours are not dissimilar: only the order of magnitude of the limit differs.
    limits = GateLimits(identity_to_original=0.95, subject_times_chance=4.0)
    return {str(check["name"]) for check in judge(figures, limits) if not check["passed"]}


def test_true_normalized_face_passes() -> None:
    assert failed("truth") == set()


def test_constant_face_fails_on_expression() -> None:
    assert failed("constant") == {"expression_r2"}


def test_copy_of_the_original_fails_on_identity_and_background() -> None:
    assert {"identity_to_original", "subject_accuracy", "background_error"} <= failed("copy")


def test_truth_that_is_unknown_is_not_measured() -> None:
    faces = world("truth")
    assert expression_r2(Faces(faces.original, faces.normalized, None, faces.target, faces.subject)) is None


def test_background_error_is_a_share_of_the_pixel_range() -> None:
    faces = world("truth")
    shifted = Faces(faces.original, faces.target + 0.2, faces.truth, faces.target, faces.subject)
    assert background_error(shifted) == pytest.approx(0.1, abs=1e-6)


def batches(seed: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    emotion = torch.arange(32) % 2
    height = 0.2 + 0.6 * emotion + 0.1 * torch.rand(32, generator=generator)
    return [(draw(height, torch.rand(32, 3, generator=generator) * 2 - 1), emotion)]


def test_probe_learns_what_is_there_and_not_what_is_not() -> None:
    probe = train_probe(batches, classes=2, epochs=25, seed=0)
    score = score_probe(probe, batches(99), classes=2)
    assert score.accuracy > 0.9
    assert sum(map(sum, score.confusion)) == 32
    blank = [(torch.zeros(32, 3, SIZE, SIZE), torch.arange(32) % 2)]
    assert score_probe(probe, blank, classes=2).accuracy == 0.5


def test_probe_leaves_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    train_probe(batches, classes=2, epochs=1, seed=0)
    assert torch.equal(torch.rand(3), wanted)


def test_unknown_emotions_are_not_scored() -> None:
    probe = train_probe(batches, classes=2, epochs=1, seed=0)
    image, emotion = batches(1)[0]
    score = score_probe(probe, [(image, torch.where(torch.arange(32) < 8, emotion, -1))], classes=2)
    assert sum(map(sum, score.confusion)) == 8


def test_probe_skips_batches_without_a_label_and_scores_none_as_unknown() -> None:
    def some(epoch: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        labelled = batches(epoch)
        return [(labelled[0][0], torch.full_like(labelled[0][1], -1)), *labelled]

    probe = train_probe(some, classes=2, epochs=1, seed=0)
    assert all(bool(weights.isfinite().all()) for weights in probe.parameters())
    image, emotion = batches(99)[0]
    assert math.isnan(score_probe(probe, [(image, torch.full_like(emotion, -1))], classes=2).accuracy)
