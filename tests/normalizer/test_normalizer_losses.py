from __future__ import annotations

import math

import pytest
import torch

from norface.normalizer.losses import (
    ExpressionConsistencyLoss,
    IdentityLoss,
    PairedLoss,
    SupervisionLoss,
    hinge_discriminator_loss,
    hinge_generator_loss,
    reconstruction_loss,
)
from toy_world import BarTeacher, ColourTeacher, draw


def test_hinge_losses_match_a_loop() -> None:
    real = [torch.randn(3, 1, 4, 4), torch.randn(3, 1, 2, 2)]
    fake = [torch.randn(3, 1, 4, 4), torch.randn(3, 1, 2, 2)]
    wanted = 0.0
    for r, f in zip(real, fake, strict=True):
        wanted += sum(max(0.0, 1 - v) for v in r.flatten().tolist()) / r.numel() / 2
        wanted += sum(max(0.0, 1 + v) for v in f.flatten().tolist()) / f.numel() / 2
    assert float(hinge_discriminator_loss(real, fake)) == pytest.approx(wanted, rel=1e-5)
    assert float(hinge_generator_loss(fake)) == pytest.approx(-sum(float(f.mean()) for f in fake) / 2, rel=1e-5)


def test_hinge_signs() -> None:
    sure, fooled = [torch.full((2, 1, 2, 2), 3.0)], [torch.full((2, 1, 2, 2), -3.0)]
    assert hinge_discriminator_loss(sure, fooled) == 0  # real judged real, fake judged fake: nothing to learn
    assert hinge_discriminator_loss(fooled, sure) == 8
    assert hinge_generator_loss(sure) < hinge_generator_loss(fooled)


def test_identity_is_wanted_of_the_target_and_not_of_the_original() -> None:
    target, original = draw(torch.zeros(2), torch.ones(2, 3)), draw(torch.ones(2), -torch.ones(2, 3))
    loss = IdentityLoss(ColourTeacher())
    assert float(loss(target, target)) == pytest.approx(0.0, abs=1e-6)
    assert float(loss(original, target)) > 0.5


def test_identity_gradient_moves_the_output_towards_the_target() -> None:
    target = draw(torch.zeros(1), torch.tensor([[0.8, -0.2, 0.1]]))
    output = torch.zeros(1, 3, 32, 32, requires_grad=True)
    loss = IdentityLoss(ColourTeacher())
    before = loss(output, target)
    (gradient,) = torch.autograd.grad(before, output)
    assert loss(output - 100 * gradient, target) < before


def test_following_the_identity_loss_leads_to_the_target_and_away_from_the_original() -> None:
    original, target = (
        draw(torch.ones(1), torch.tensor([[-0.8, 0.5, 0.3]])),
        draw(torch.zeros(1), torch.full((1, 3), 0.6)),
    )
    loss = IdentityLoss(ColourTeacher())
    output = original.clone().requires_grad_()
    optimizer = torch.optim.SGD([output], lr=50.0)
    to_target, to_original = [], []
    for _ in range(60):
        value = loss(output, target)
        to_target.append(value.item())
        to_original.append(loss(output, original).item())
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    assert to_target[-1] < 0.2 * to_target[0]
    assert to_original[0] == pytest.approx(0.0, abs=1e-6)
    assert to_original[-1] > 0.5 * to_target[0]


def test_expression_consistency_matches_its_formula_and_ignores_identity() -> None:
    teacher = BarTeacher()
    grey = torch.zeros(2, 3)
    original, other = draw(torch.tensor([0.9, 0.1]), grey), draw(torch.tensor([0.2, 0.7]), grey)
    a, b = teacher(other), teacher(original)
    wanted = 0.0
    for i in range(2):
        wanted += (1 - sum(float(x * y) for x, y in zip(a.embedding[i], b.embedding[i], strict=True))) / 2
        wanted += float(a.outputs[i, 0] - b.outputs[i, 0]) ** 2 / 2
    assert float(ExpressionConsistencyLoss(teacher)(other, original)) == pytest.approx(wanted, abs=1e-6)
    assert float(ExpressionConsistencyLoss(teacher)(original, original)) == pytest.approx(0.0, abs=1e-6)


def test_reconstruction_counts_only_pairs_of_one_image_or_person() -> None:
    output, wanted = torch.zeros(3, 3, 4, 4), torch.ones(3, 3, 4, 4)
    image, subject = torch.tensor([True, False, False]), torch.tensor([True, True, False])
    assert float(reconstruction_loss(output, wanted, image, subject)) == pytest.approx((1 + 0.25) / 3)
    nobody = torch.zeros(3, dtype=torch.bool)
    assert reconstruction_loss(output, wanted, nobody, nobody) == 0


def test_paired_loss_is_in_units_of_each_pixels_spread() -> None:
    loss = PairedLoss(image_size=2, floor=0.05)
    truths = torch.zeros(4, 3, 2, 2)
    truths[:2, :, 0, 0] = 1.0  # one pixel differs between faces: variance 0.25
    loss.measure(truths)
    output, truth = torch.full((1, 3, 2, 2), 0.1), torch.zeros(1, 3, 2, 2)
    wanted = (0.01 / (0.25 + 0.0025) + 3 * 0.01 / 0.0025) / 4
    assert float(loss(output, truth, torch.ones(1, dtype=torch.bool))) == pytest.approx(wanted, rel=1e-5)


def test_paired_loss_averages_over_known_pairs_and_is_zero_without_any() -> None:
    loss = PairedLoss(image_size=2, floor=1.0)
    output, truth = torch.ones(2, 3, 2, 2), torch.zeros(2, 3, 2, 2)
    assert loss(output, truth, torch.tensor([True, False])) == pytest.approx(1.0)
    assert loss(output, truth, torch.tensor([False, False])) == 0


def test_supervision_masks_unknown_labels() -> None:
    torch.manual_seed(0)
    loss = SupervisionLoss(dim=4, aus=2)
    embeddings = torch.randn(3, 4, 4, 4)
    known = torch.tensor([[5.0, math.nan], [0.0, math.nan], [2.5, math.nan]])
    value = loss(embeddings, known)
    (gradient,) = torch.autograd.grad(value, loss.read_out.weight)
    assert gradient[0].abs().sum() > 0
    assert gradient[1].abs().sum() == 0  # an AU that nobody labelled teaches nothing
    assert loss(embeddings, torch.full((3, 2), math.nan)) == 0


@torch.no_grad()
def test_supervision_is_the_masked_squared_error_of_a_loop() -> None:
    torch.manual_seed(0)
    loss = SupervisionLoss(dim=2, aus=3).eval()
    torch.nn.init.normal_(loss.read_out.weight)
    embeddings = torch.randn(2, 2, 8, 8)
    intensity = torch.tensor([[0.0, 5.0, float("nan")], [2.5, float("nan"), float("nan")]])
    features = loss.standardize(torch.nn.functional.avg_pool2d(embeddings, 2).flatten(1))
    read = features @ loss.read_out.weight.T + loss.read_out.bias
    errors = [(float(read[i, k]) - wanted) ** 2 for i, k, wanted in ((0, 0, 0.0), (0, 1, 1.0), (1, 0, 0.5))]
    assert float(loss(embeddings, intensity)) == pytest.approx(sum(errors) / 3, rel=1e-5)
    assert float(loss(embeddings, torch.full((2, 3), float("nan")))) == 0.0


def test_supervision_says_the_same_of_every_face_at_the_start_and_learns_from_there() -> None:
    torch.manual_seed(0)
    loss = SupervisionLoss(dim=2, aus=1)
    assert not loss.read_out.weight.any()  # so that it does not shake the encoder
    embeddings, intensity = torch.randn(64, 2, 4, 4), torch.rand(64, 1) * 5
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.01)
    first = float(loss(embeddings, intensity).detach())
    for _ in range(100):
        optimizer.zero_grad()
        loss(embeddings, intensity).backward()
        optimizer.step()
    assert float(loss(embeddings, intensity).detach()) < 0.5 * first
