"""Head pose and framing: from pixels to rays in head coordinates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from norface.imaging.alignment import Points

Matrix = NDArray[np.float64]


def rotation(yaw: float, pitch: float, roll: float) -> Matrix:
    """Head to camera, ``(3, 3)``: first yaw, then pitch, then roll, in degrees.

    Camera axes: +x right on screen, +y up, +z towards the viewer. Positive yaw turns the subject to its own left
    (screen right), positive pitch upwards, positive roll clockwise on screen.
    """
    a, b, c = np.radians([yaw, pitch, roll])
    turn = np.array([[np.cos(a), 0.0, np.sin(a)], [0.0, 1.0, 0.0], [-np.sin(a), 0.0, np.cos(a)]])
    nod = np.array([[1.0, 0.0, 0.0], [0.0, np.cos(b), np.sin(b)], [0.0, -np.sin(b), np.cos(b)]])
    tilt = np.array([[np.cos(c), np.sin(c), 0.0], [-np.sin(c), np.cos(c), 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(tilt @ nod @ turn, np.float64)


def screen(points: Matrix, pose: Matrix) -> Points:
    """Orthographic picture ``(N, 2)`` of head points ``(N, 3)``: x right, y down, centimetres."""
    seen = points @ pose.T
    return np.asarray(seen[:, :2] * (1.0, -1.0), np.float64)


def pixel_plane(frame: Matrix, size: int) -> tuple[Matrix, Matrix]:
    """Camera coordinates (x right, y up) of every pixel centre, each ``(size * size,)``.

    Args:
        frame: ``(2, 3)`` similarity from screen centimetres (y down) to pixels.
        size: Side of the image.
    """
    inverse = np.linalg.inv(frame[:, :2])
    row, column = np.mgrid[0:size, 0:size].reshape(2, -1).astype(np.float64)
    centred = np.stack([column - frame[0, 2], row - frame[1, 2]])
    x, y = inverse @ centred
    return x, -y


def pixel_pitch(frame: Matrix) -> float:
    """Centimetres per pixel."""
    return float(1.0 / np.sqrt(abs(np.linalg.det(frame[:, :2]))))
