from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from norface.errors import ConfigError
from norface.normalizer import NormalizerTask
from norface.normalizer.losses import ExpressionConsistencyLoss
from norface.normalizer.losses.views import NOISE, SHIFT, random_views
from norface.teachers.base import ExpressionReading
from toy_world import SIZE, BarTeacher


def test_no_strength_is_the_picture_itself() -> None:
    images = torch.rand(2, 3, 16, 16)
    assert random_views(images, 0.0) is images


def test_every_picture_has_a_view_of_its_own_and_another_one_the_next_time() -> None:
    torch.manual_seed(0)
    images = torch.rand(1, 3, 16, 16).expand(4, -1, -1, -1)
    first, second = random_views(images, 1.0), random_views(images, 1.0)
    assert first.shape == images.shape
    assert all(not torch.equal(first[0], other) for other in (first[1], second[0], images[0]))


def test_views_move_no_further_than_they_say() -> None:
    torch.manual_seed(0)
    side = 100
    images = torch.full((64, 3, side, side), -1.0)
    images[:, :, 48:52, 48:52] = 1.0
    seen = (random_views(images, 1.0) + 1).clamp(0, 2).mean(1)
    rows = torch.arange(side) - (side - 1) / 2
    bright = (seen > 1.2).float()  # far above the noise
    found = (bright.sum(2) @ rows) / bright.sum((1, 2))
    assert float(found.abs().max()) <= SHIFT * side / 0.9 + 1  # scaled by the zoom
    assert float(found.std()) > 0.3 * SHIFT * side  # and they do move


def test_noise_is_the_only_change_of_an_even_picture() -> None:
    torch.manual_seed(0)
    changed = random_views(torch.full((64, 3, 16, 16), 0.25), 1.0) - 0.25
    spread = changed.flatten(1).std(1)
    assert float(spread.max()) < 1.1 * NOISE and float(spread.max()) > 0.8 * NOISE and float(spread.min()) < 0.2 * NOISE
    assert abs(float(changed.mean())) < 0.01


def test_what_a_view_shows_has_a_gradient() -> None:
    image = torch.rand(2, 3, 16, 16, requires_grad=True)
    random_views(image, 1.0).square().sum().backward()
    assert image.grad is not None and float((image.grad.abs().sum(1) > 0).float().mean()) > 0.9


def test_views_hold_down_a_texture_more_than_an_expression() -> None:
    """Adversarial textures alternate from pixel to pixel; an expression is a shape."""
    torch.manual_seed(0)
    rows = torch.arange(32)
    texture = ((rows[:, None] + rows[None, :]) % 2 * 2.0 - 1).expand(64, 3, 32, 32)
    shape = torch.full((64, 3, 32, 32), -1.0)
    shape[:, :, 8:24, 8:24] = 1.0

    def kept(pattern: torch.Tensor) -> float:
        return float((random_views(pattern, 1.0).mean(0) * pattern[0]).mean())

    assert kept(texture) < 0.2
    assert kept(shape) > 0.7


def test_only_the_output_is_seen_through_views() -> None:
    seen: list[torch.Tensor] = []

    class Watching(BarTeacher):
        def forward(self, images: torch.Tensor) -> ExpressionReading:
            seen.append(images.detach().clone())
            return super().forward(images)

    output, original = torch.rand(2, 3, SIZE, SIZE), torch.rand(2, 3, SIZE, SIZE)
    for views in (0.0, 1.0):
        seen.clear()
        ExpressionConsistencyLoss(Watching(), views=views)(output, original)
        assert torch.equal(seen[0], original)
        assert torch.equal(seen[1], output) == (views == 0.0)


@pytest.mark.parametrize("views", [0.0, 0.5])
def test_the_task_hands_the_strength_on(
    views: float, make_task: Callable[..., NormalizerTask], fit: Callable[..., object]
) -> None:
    task = make_task(expression_views=views)
    fit(task)
    assert task.objective is not None and task.objective.expression is not None
    assert task.objective.expression.views == views


@pytest.mark.parametrize("views", [-0.1, 1.5, float("nan")])
def test_a_strength_out_of_range_is_refused(views: float, make_task: Callable[..., NormalizerTask]) -> None:
    with pytest.raises(ConfigError, match="expression_views"):
        make_task(expression_views=views)
