from __future__ import annotations

import numpy as np
import torch

from norface.imaging.convert import to_pixels, to_tensor


def test_round_trip_is_exact_for_every_value() -> None:
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    image = to_tensor(pixels)
    assert image.shape == (3, 16, 16)
    assert image.dtype == torch.float32
    assert (image.min().item(), image.max().item()) == (-1.0, 1.0)
    np.testing.assert_array_equal(to_pixels(image), pixels)


def test_channels_move_and_batches_keep_their_dimension() -> None:
    pixels = np.zeros((2, 4, 5, 3), np.uint8)
    pixels[1, 2, 3] = (255, 0, 51)
    image = to_tensor(pixels)
    assert image.shape == (2, 3, 4, 5)
    assert image[1, :, 2, 3].tolist() == [1.0, -1.0, torch.tensor(51 / 127.5 - 1).item()]
    np.testing.assert_array_equal(to_pixels(image), pixels)


def test_values_outside_are_clipped_and_gradients_cut() -> None:
    image = torch.tensor([-3.0, 0.0, 5.0]).reshape(3, 1, 1).requires_grad_()
    assert to_pixels(image).ravel().tolist() == [0, 128, 255]


def test_reversed_and_read_only_views_are_accepted() -> None:
    pixels = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    torch.testing.assert_close(to_tensor(pixels[:, ::-1]), to_tensor(pixels).flip(-1))
    image = to_tensor(np.frombuffer(pixels.tobytes(), np.uint8).reshape(3, 3, 3))
    image.zero_()  # its own memory
    assert pixels.max() == 26


def test_values_do_not_depend_on_the_batch() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 9, 3), dtype=np.uint8)
    batch = to_tensor(pixels)
    assert batch.is_contiguous()
    assert torch.equal(batch, torch.stack([to_tensor(image) for image in pixels]))
    assert to_tensor(pixels[:0]).shape == (0, 3, 7, 9)
