from __future__ import annotations

import math

import pytest
import torch

from norface.pretraining import from_patches, masked_patch_loss, random_mask, standard_patches, to_patches
from norface.pretraining.masking import masked_count
from norface.pretraining.patches import FLOOR, paint
from norface.pretraining.positions import sine_cosine


def test_patches_are_cut_row_by_row_and_put_together_again() -> None:
    image = torch.rand(2, 3, 12, 12)
    patches = to_patches(image, 4)
    assert patches.shape == (2, 9, 48)
    assert torch.equal(patches[1, 5], image[1, :, 4:8, 8:12].flatten())
    assert torch.equal(from_patches(patches, 4), image)


def test_standard_patches_have_no_mean_and_one_spread_each() -> None:
    patches = torch.randn(2, 5, 48) * 3 + 7
    values, mean, spread = standard_patches(patches)
    torch.testing.assert_close(values.mean(-1), torch.zeros(2, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(values.std(-1, correction=0), torch.ones(2, 5), atol=1e-3, rtol=0)
    torch.testing.assert_close(values * spread + mean, patches)
    flat = standard_patches(torch.full((1, 1, 48), 0.3)).values
    assert flat.abs().max() < 1e-3  # and not noise


@pytest.mark.parametrize(
    ("patches", "ratio", "expected"), [(64, 0.75, 48), (196, 0.75, 147), (16, 0.01, 1), (4, 0.99, 3)]
)
def test_the_share_of_masked_patches_is_exact(patches: int, ratio: float, expected: int) -> None:
    assert masked_count(patches, ratio) == expected
    mask = random_mask(5, patches, ratio, device=torch.device("cpu"))
    assert mask.masked.sum(1).tolist() == [expected] * 5
    for visible, masked in zip(mask.visible, mask.masked, strict=True):
        assert not masked[visible].any() and len(set(visible.tolist())) == patches - expected


def test_masks_differ_from_face_to_face_and_follow_their_seed() -> None:
    device = torch.device("cpu")

    def draw(seed: int) -> torch.Tensor:
        return random_mask(200, 16, 0.75, device=device, generator=torch.Generator().manual_seed(seed)).masked

    assert torch.equal(draw(0), draw(0)) and not torch.equal(draw(0), draw(1))
    often = draw(0).float().mean(0)  # every patch alike
    assert len(draw(0).unique(dim=0)) > 150 and float((often - 0.75).abs().max()) < 0.12


def test_the_loss_is_that_of_a_loop_over_masked_patches() -> None:
    torch.manual_seed(0)
    image, patch = torch.rand(2, 3, 8, 8) * 2 - 1, 4
    prediction = torch.randn(2, 4, 48, requires_grad=True)
    masked = torch.tensor([[True, False, False, True], [False, True, False, False]])
    errors = []
    for b, n in masked.nonzero().tolist():
        row, column = divmod(n, 2)
        pixels = image[b, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4].flatten().tolist()
        mean = sum(pixels) / 48
        spread = math.sqrt(sum((p - mean) ** 2 for p in pixels) / 48 + FLOOR)
        wanted = [(p - mean) / spread for p in pixels]
        found = prediction[b, n].tolist()
        errors.append(sum((f - w) ** 2 for f, w in zip(found, wanted, strict=True)) / 48)
    loss = masked_patch_loss(prediction, image, masked, patch=patch)
    assert float(loss.detach()) == pytest.approx(sum(errors) / 3, rel=1e-5)
    (gradient,) = torch.autograd.grad(loss, prediction)
    assert torch.equal(gradient.any(-1), masked)  # what could be seen teaches nothing


def test_a_perfect_prediction_paints_the_image_itself() -> None:
    image = torch.rand(2, 3, 8, 8) * 2 - 1
    masked = torch.tensor([[True, False, False, True]] * 2)
    seen, filled = paint(standard_patches(to_patches(image, 4)).values, image, masked, 4)
    torch.testing.assert_close(filled, image)
    assert not seen[:, :, :4, :4].any() and torch.equal(seen[:, :, :4, 4:], image[:, :, :4, 4:])


def test_positions_tell_rows_and_columns() -> None:
    found = sine_cosine(3, 8)
    assert found.shape == (9, 8)
    row, column = 2, 1
    expected = [f(a / 10000 ** (k / 2)) for a in (row, column) for f in (math.sin, math.cos) for k in (0, 1)]
    assert found[row * 3 + column].tolist() == pytest.approx(expected, abs=1e-6)
    assert len(found.unique(dim=0)) == 9
