from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from norface.imaging.augment import Augmentation
from norface.imaging.pixels import Pixels

SIZE = 48
NONE = Augmentation(flip=False, geometric=0.0, photometric=0.0, dropout=0.0)


def picture() -> Pixels:
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.stack([4 * x, 5 * y, 2 * (x + y)], axis=-1).clip(0, 255).astype(np.uint8)


def changed(augment: Augmentation, count: int = 40) -> list[Pixels]:
    return [augment.alone(picture(), seed=seed) for seed in range(count)]


def test_same_seed_same_picture_and_global_state_is_untouched() -> None:
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # type: ignore[index]
    augment = Augmentation()
    first = augment.together(picture(), picture(), seed=3)
    _ = augment.together(picture(), picture(), seed=4)
    second = augment.together(picture(), picture(), seed=3)
    other = augment.together(picture(), picture(), seed=5)
    assert first[2] == second[2]
    for a, b in zip(first[:2], second[:2], strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0])
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])  # type: ignore[index]
    assert torch.equal(torch.get_rng_state(), states[2])


def test_geometry_is_the_same_for_both() -> None:
    augment = Augmentation(photometric=0.0, dropout=0.0)
    mirrored = 0
    for seed in range(40):
        original, normalized, _ = augment.together(picture(), picture(), seed=seed)
        np.testing.assert_array_equal(original, normalized)
        mirrored += int(original[24, 5, 0] > original[24, 40, 0])
    assert 8 <= mirrored <= 32


@pytest.mark.parametrize(("flip", "geometric"), [(True, 0.0), (False, 2.0), (True, 2.0)])
def test_how_a_picture_was_turned_is_told(flip: bool, geometric: float) -> None:
    """A bright spot right of a dark one, on a level: afterwards the line between them shows what was done."""
    augment = Augmentation(flip=flip, geometric=geometric, photometric=0.0, dropout=0.0)
    level = np.full((SIZE, SIZE, 3), 127, np.uint8)
    level[22:26, 10:14], level[22:26, 34:38] = 0, 255
    rows, columns = np.mgrid[:SIZE, :SIZE]
    for seed in range(20):
        seen, _, turn = augment.together(level, level, seed=seed)
        spots = [np.abs(seen[..., 0].astype(float) - 127) * side for side in (seen[..., 0] < 100, seen[..., 0] > 155)]
        (dark_x, dark_y), (light_x, light_y) = (
            [np.average(of, weights=spot) for of in (columns, rows)] for spot in spots
        )
        assert turn.mirrored == (light_x < dark_x)
        right = -1.0 if turn.mirrored else 1.0
        degrees = np.degrees(np.arctan2(right * (light_y - dark_y), right * (light_x - dark_x)))
        assert turn.degrees == pytest.approx(degrees, abs=2.0)
        assert abs(turn.degrees) <= 8 * geometric


def test_light_and_quality_change_the_original_only() -> None:
    augment = Augmentation(geometric=0.0, flip=False, dropout=1.0)
    for seed in range(10):
        original, normalized, _ = augment.together(picture(), picture(), seed=seed)
        np.testing.assert_array_equal(normalized, picture())
        assert not np.array_equal(original, picture())


def test_everything_off_changes_nothing() -> None:
    for image in changed(NONE, 10):
        np.testing.assert_array_equal(image, picture())


@pytest.mark.parametrize("flip", [False, True])
def test_flip_alone_mirrors_half_of_the_faces_and_no_pair(flip: bool) -> None:
    augment = Augmentation(flip=flip, geometric=0.0, photometric=0.0, dropout=0.0)
    mirrored = 0
    for seed in range(100):
        original, _, _ = augment.together(picture(), picture(), seed=seed)
        mirrored += np.array_equal(original, picture()[:, ::-1])
        assert np.array_equal(original, picture()) or flip
        np.testing.assert_array_equal(augment.alone(picture(), seed=seed), picture())
    assert 35 < mirrored < 65 if flip else mirrored == 0


@pytest.mark.parametrize("augment", [Augmentation(False, 1, 0, 0), Augmentation(False, 0, 1, 0)])
def test_each_strength_has_an_effect_of_its_own(augment: Augmentation) -> None:
    different = sum(not np.array_equal(image, picture()) for image in changed(augment))
    assert different > 25


def test_dropout_covers_the_stated_share() -> None:
    augment = Augmentation(flip=False, geometric=0.0, photometric=0.0, dropout=0.5)
    images = changed(augment, 200)
    covered = [image for image in images if not np.array_equal(image, picture())]
    assert 75 < len(covered) < 125
    assert all((image == 127).all(-1).sum() >= 16 for image in covered)


def test_kinds_of_changes_are_drawn_independently() -> None:
    # Were all transforms seeded alike, grey pictures (1 in 10) would always be covered as well (1 in 2).
    augment = Augmentation(flip=False, geometric=0.0, photometric=1.0, dropout=0.5)
    images = changed(augment, 400)
    grey = [image for image in images if (np.ptp(image.astype(int), axis=-1) <= 24).all()]
    assert 15 < len(grey) < 80
    covered = sum(bool(((np.abs(image.astype(int) - 127) == 0).all(-1)).sum() > 60) for image in grey)
    assert 0.2 < covered / len(grey) < 0.8


def test_range_type_and_input_are_kept() -> None:
    image = picture()
    for seed in range(20):
        original, normalized, _ = Augmentation(geometric=2.0, photometric=3.0).together(image, image, seed=2**62 + seed)
        for out in (original, normalized):
            assert out.dtype == np.uint8
            assert out.shape == (SIZE, SIZE, 3)
            assert out.flags.c_contiguous or out.flags.writeable
    np.testing.assert_array_equal(image, picture())
