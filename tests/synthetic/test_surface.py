from __future__ import annotations

import numpy as np

from norface.synthetic.camera import rotation
from norface.synthetic.factors import FaceFactors
from norface.synthetic.hair import hair
from norface.synthetic.identity import COMMON
from norface.synthetic.rig import rig
from norface.synthetic.skull import skull
from norface.synthetic.sphere import DIRECTIONS, GRID, bump_rows, bumps, nodes, project, sample
from norface.synthetic.surface import Surface, march


def ball(radius: float) -> Surface:
    attributes = np.zeros((GRID, GRID, 4), np.float32)
    return Surface(np.full((GRID, GRID), radius, np.float32), attributes)


def test_nodes_invert_the_directions() -> None:
    rows, columns = np.meshgrid(np.arange(40, 130, 7), np.arange(40, 130, 7), indexing="ij")
    x, y, z = 5.0 * DIRECTIONS[:, rows.ravel(), columns.ravel()]
    column, row = nodes(x, y, z, np.full(x.size, 5.0, np.float32))
    np.testing.assert_allclose(column, columns.ravel(), atol=1e-2)
    np.testing.assert_allclose(row, rows.ravel(), atol=1e-2)
    np.testing.assert_allclose(project(np.array([(0.0, 0.0, 3.0)])), [[0.0, 0.0]], atol=1e-6)


def test_sample_is_bilinear_and_takes_long_lists() -> None:
    ramp = np.tile(np.arange(GRID, dtype=np.float32), (GRID, 1))
    column = np.linspace(0.0, GRID - 1.0, 5000, dtype=np.float32)
    np.testing.assert_allclose(sample(ramp, column, np.full_like(column, 3.5)), column, atol=0.04)


def test_a_bump_has_its_height_at_its_place() -> None:
    row = bump_rows(np.array([(0.0, 0.0, 9.0)]), np.array([0.5]), np.array([(1.0, 1.0)]))
    relief = bumps(row)
    assert abs(relief.max() - 0.5) < 0.01
    assert abs(relief[0, 0]) < 1e-6


def test_marching_a_ball_gives_exact_depth_normals_and_silhouette() -> None:
    side = np.linspace(-8.0, 8.0, 65)
    x, y = (values.ravel() for values in np.meshgrid(side, side))
    pose = rotation(30.0, 10.0, 5.0)
    origin = (pose.T @ np.stack([x, y, np.zeros_like(x)])).astype(np.float32)
    hits = march(ball(6.0), origin, pose.T[:, 2], 0.25)
    radius = np.hypot(x, y)[hits.index]
    inner = radius < 5.7
    np.testing.assert_allclose(hits.depth[inner], np.sqrt(36.0 - radius[inner] ** 2), atol=0.02)
    np.testing.assert_allclose(hits.normal[:, inner], hits.point[:, inner] / 6.0, atol=0.01)
    covered = np.zeros(x.size)
    covered[hits.index] = hits.coverage
    assert abs(covered.sum() * 0.0625 - np.pi * 36.0) < 6.0
    assert set(np.unique(covered[np.hypot(x, y) < 5.9])) == {1.0}
    assert 0.0 < covered[(np.hypot(x, y) > 6.02) & (np.hypot(x, y) < 6.2)].mean() < 1.0


def test_the_nose_hides_the_cheek_behind_it() -> None:
    shape = skull(COMMON)
    surface = Surface.build(shape, hair(COMMON, shape), rig(FaceFactors()))
    pose = rotation(45.0, 0.0, 0.0)
    tip = np.array([(0.0, -3.58, float(surface.depth(np.zeros(1), np.array([-3.58]))[0]))])
    behind = pose @ tip[0] + (-0.4, 0.0, 0.0)
    origin = (pose.T @ np.array([[behind[0]], [behind[1]], [0.0]])).astype(np.float32)
    hits = march(surface, origin, pose.T[:, 2], 0.2)
    assert hits.point[0, 0] ** 2 < 1.5**2  # on the nose, not on the far cheek


def test_jaw_drop_lowers_the_chin_only() -> None:
    shape = skull(COMMON)
    none = np.zeros_like(shape)
    rest = Surface.build(shape, (none, none), rig(FaceFactors()))
    dropped = Surface.build(shape, (none, none), rig(FaceFactors(aus={26: 5.0})))
    below, above = np.array([-12.9]), np.array([3.0])
    zero = np.zeros(1)
    assert dropped.depth(zero, below)[0] > rest.depth(zero, below)[0] + 1.0
    np.testing.assert_allclose(dropped.depth(zero, above), rest.depth(zero, above), atol=1e-3)
