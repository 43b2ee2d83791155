from __future__ import annotations

import numpy as np
import pytest

from norface.synthetic.facekit.raster import rasterise


def naive(points: np.ndarray, triangles: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Nearest triangle and depth of every pixel, one at a time."""
    nearest, depth = np.full((side, side), -1), np.full((side, side), -np.inf)
    for number, corners in enumerate(triangles.T):
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = points[:, corners].T.astype(np.float64)
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        for row in range(side):
            for column in range(side):
                u = ((column - ax) * (cy - ay) - (cx - ax) * (row - ay)) / area
                v = ((bx - ax) * (row - ay) - (column - ax) * (by - ay)) / area
                z = az + u * (bz - az) + v * (cz - az)
                if u >= 0 and v >= 0 and u + v <= 1 and z > depth[row, column]:
                    nearest[row, column], depth[row, column] = number, z
    return nearest, depth


def scene(seed: int, count: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    points = rng.uniform((-6.0, -6.0, -3.0), (22.0, 22.0, 3.0), (3 * count, 3)).T.astype(np.float32)
    return points, np.arange(3 * count).reshape(count, 3).T


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_a_naive_z_buffer(seed: int) -> None:
    points, triangles = scene(seed)
    seen = rasterise(points, triangles, 16)
    nearest, depth = naive(points, triangles, 16)
    assert list(seen.pixel) == list(np.flatnonzero(nearest.ravel() >= 0))
    assert np.array_equal(seen.triangle, nearest.ravel()[seen.pixel])
    np.testing.assert_allclose(seen.depth, depth.ravel()[seen.pixel], atol=1e-4)


def test_interpolates_between_the_corners() -> None:
    points, triangles = scene(7)
    seen = rasterise(points, triangles, 16)
    np.testing.assert_allclose(seen.weights.sum(0), 1.0, atol=1e-6)
    column, row, depth = seen.interpolate(triangles, points)
    np.testing.assert_allclose(row * 16 + column, seen.pixel, atol=1e-3)
    np.testing.assert_allclose(depth, seen.depth, atol=1e-4)
    corners = seen.interpolate_corners(points[:, triangles])
    np.testing.assert_allclose(corners, [column, row, depth], atol=1e-5)


def test_backs_are_seen_only_where_asked_for() -> None:
    # Counter-clockwise in the world, where y grows upwards, so clockwise in rows and columns.
    points = np.array([[1.0, 1.0, 9.0], [9.0, 1.0, 9.0], [0.0, 0.0, 0.0]], np.float32)
    front, back = np.array([[0], [2], [1]]), np.array([[0], [1], [2]])
    area = [rasterise(points, triangle, 12, one_sided=1).pixel.size for triangle in (front, back)]
    assert sorted(area)[0] == 0 and sorted(area)[1] > 20
    assert rasterise(points, front, 12).pixel.size == rasterise(points, back, 12).pixel.size == max(area)


def test_nothing_in_the_picture() -> None:
    points = np.array([[-9.0, -8.0, -9.0], [1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], np.float32)
    seen = rasterise(points, np.array([[0], [1], [2]]), 8)
    assert seen.pixel.size == 0 and seen.weights.shape == (3, 0)
