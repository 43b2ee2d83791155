from __future__ import annotations

import math

import pytest
import torch

from norface.normalizer import PatchDiscriminator
from norface.normalizer.losses import (
    ExpressionConsistencyLoss,
    HeadPoseLoss,
    IdentityLoss,
    PairedLoss,
    SupervisionLoss,
    feature_matching_loss,
    hinge_discriminator_loss,
    hinge_generator_loss,
    named_output_loss,
    r1_penalty,
    reconstruction_loss,
)
from norface.teachers.angles import angle_between
from toy_world import BarTeacher, ColourTeacher, TiltTeacher, draw


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


@pytest.mark.parametrize("emphasis", [(), (1.0, 2.0, 0.0)])
def test_named_outputs_match_a_loop_and_count_by_their_emphasis(emphasis: tuple[float, ...]) -> None:
    found, wanted = torch.rand(4, 3, requires_grad=True), torch.rand(4, 3)
    weights = emphasis or (1.0, 1.0, 1.0)
    expected = 0.0
    for i in range(4):
        for k in range(3):
            expected += weights[k] * float(found[i, k].detach() - wanted[i, k]) ** 2 / sum(weights) / 4
    loss = named_output_loss(found, wanted, emphasis)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
    (gradient,) = torch.autograd.grad(loss, found)
    assert [bool(column.any()) for column in gradient.T] == [weight > 0 for weight in weights]


def test_head_pose_matches_a_loop_and_is_wanted_of_the_target() -> None:
    teacher = TiltTeacher()
    output, target = torch.rand(3, 3, 32, 32), torch.rand(3, 3, 32, 32)
    found, wanted = teacher(output), teacher(target)
    expected = sum((float(found[i, k] - wanted[i, k]) / 10) ** 2 for i in range(3) for k in range(3)) / 9
    assert float(HeadPoseLoss(teacher)(output, target)) == pytest.approx(expected, rel=1e-3)
    assert HeadPoseLoss(teacher)(target, target) == 0


def test_angles_are_compared_the_short_way_round() -> None:
    found, wanted = torch.tensor([179.0, -170.0, 10.0]), torch.tensor([-179.0, 170.0, -20.0])
    assert angle_between(found, wanted).tolist() == pytest.approx([-2.0, 20.0, 30.0])


def test_head_pose_gradient_turns_the_output_towards_the_target() -> None:
    output, target = torch.zeros(1, 3, 32, 32, requires_grad=True), torch.rand(1, 3, 32, 32)
    loss = HeadPoseLoss(TiltTeacher())
    before = loss(output, target)
    (gradient,) = torch.autograd.grad(before, output)
    assert loss(output - 0.1 * gradient, target) < before


def test_r1_is_half_the_squared_gradient_of_a_loop() -> None:
    torch.manual_seed(0)
    weight, real = torch.randn(1, 3, 2, 2), torch.randn(2, 3, 4, 4)

    def judge(image: torch.Tensor) -> list[torch.Tensor]:  # logits that bend: the gradient differs from face to face
        bent = torch.nn.functional.conv2d(image, weight.to(image.dtype)).square()
        return [bent, image.mean(dim=1, keepdim=True)]

    step, expected = 1e-4, 0.0
    for face in real.double():
        for place in range(face.numel()):
            change = torch.zeros(face.numel(), dtype=torch.float64)
            change[place] = step
            up, down = (judge((face + sign * change.view_as(face))[None]) for sign in (1, -1))
            slopes = [float(a.mean() - b.mean()) / (2 * step) for a, b in zip(up, down, strict=True)]
            expected += 0.5 * (sum(slopes) / 2) ** 2 / len(real)
    assert float(r1_penalty(judge, real).detach()) == pytest.approx(expected, rel=1e-5)


def test_r1_can_be_differentiated_and_flattens_the_discriminator() -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator(widths=(8,), scales=2)
    real = torch.randn(2, 3, 16, 16)
    penalty = r1_penalty(network, real)
    penalty.backward()
    assert all(p.grad is not None and bool(p.grad.any()) for name, p in network.named_parameters() if "weight" in name)
    with torch.autocast("cpu", torch.bfloat16):
        assert r1_penalty(network, real).dtype == torch.float32
    flat = r1_penalty(lambda image: [0.0 * image[:, :1]], real)
    assert flat == 0


def test_feature_matching_matches_a_loop_and_leaves_the_logits_out() -> None:
    torch.manual_seed(0)
    shapes = [[(2, 4, 4, 4), (2, 8, 2, 2), (2, 1, 2, 2)], [(2, 4, 2, 2), (2, 1, 2, 2)]]
    fake = [[torch.randn(shape, requires_grad=True) for shape in scale] for scale in shapes]
    real = [[torch.randn(shape, requires_grad=True) for shape in scale] for scale in shapes]
    layers = [(0, 0), (0, 1), (1, 0)]
    expected = 0.0
    for scale, layer in layers:
        ours, theirs = fake[scale][layer].flatten().tolist(), real[scale][layer].flatten().tolist()
        expected += sum(abs(a - b) for a, b in zip(ours, theirs, strict=True)) / len(ours) / len(layers)
    loss = feature_matching_loss(fake, real)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
    loss.backward()
    assert all(fake[scale][layer].grad is not None for scale, layer in layers)
    assert all(scale[-1].grad is None for scale in fake)
    assert all(one.grad is None for scale in real for one in scale)


def test_a_teacher_without_named_outputs_adds_nothing() -> None:
    loss = named_output_loss(torch.zeros(2, 0, requires_grad=True), torch.zeros(2, 0))
    assert loss == 0
    loss.backward()
