"""What action units do: from activations to the positions of brows, lids, lips, jaw and to bulges of the skin.

Movements follow the descriptions of the Facial Action Coding System (Ekman, Friesen & Hager, "FACS Manual", 2002); they
are somewhat larger than life so that each can be seen in a face 30 pixels wide. Lengths in centimetres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from norface.synthetic.factors import FaceFactors
from norface.synthetic.sphere import Floats, bump_rows

SIDES: tuple[int, int] = (1, -1)
"""The subject's left (+x), then its right."""


@dataclass(frozen=True)
class SideRig:
    """One half of the face: `sign` 1 is the subject's left. Positions have x counted outwards from the midline."""

    sign: int
    au: dict[int, float]
    brow: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
    eye_x: float
    lid_upper: float
    lid_lower: float
    closed: float
    corner: tuple[float, float]
    upper_raise: float


@dataclass(frozen=True)
class FaceRig:
    """The whole face; activations of the midline are means of both sides."""

    left: SideRig
    right: SideRig
    au: dict[int, float]
    jaw: float
    mouth_y: float
    open_upper: float
    open_lower: float
    lip_upper: float
    lip_lower: float

    def side(self, sign: int) -> SideRig:
        """The half with this sign."""
        return self.left if sign > 0 else self.right


def _side(factors: FaceFactors, sign: int, aus: tuple[int, ...]) -> SideRig:
    person = factors.identity
    a = {au: factors.side(au, sign) for au in aus}
    height, tilt, length = person.brow_height, person.brow_tilt, person.brow_length
    inner = height - 0.15 - tilt + 1.05 * a[1] - 0.85 * a[4] - 0.55 * a[9] + 0.22 * a[2]
    middle = height + person.brow_arch + 0.50 * a[1] + 0.82 * a[2] - 0.7 * a[4] - 0.35 * a[9] - 0.05 * a[6]
    outer = height - 0.25 + tilt - 0.05 * a[1] + 1.0 * a[2] - 0.3 * a[4] - 0.12 * a[9] - 0.12 * a[6]
    eye_x = person.eye_distance / 2.0
    brow = ((eye_x - 1.85 - 0.42 * a[4], inner), (eye_x + 0.45 * length, middle), (eye_x + 2.45 * length, outer))
    upper = (
        0.68 * person.eye_opening + 0.45 * a[5] + 0.06 * a[1] - 0.20 * a[7] - 0.12 * a[4] - 0.16 * a[9] - 0.08 * a[6]
    )
    lower = 0.52 * person.eye_opening + 0.05 * a[5] - 0.40 * a[7] - 0.30 * a[6] - 0.18 * a[9] - 0.06 * a[12]
    lower = max(lower, 0.02)
    upper = max(upper, 0.10)
    upper = upper * (1.0 - a[43]) - (lower - 0.05) * a[43]
    x = person.mouth_width + 0.90 * a[12] + 1.05 * a[20] - 0.40 * a[23] - 0.10 * a[17] - 0.30 * a[26] - 0.1 * a[10]
    y = person.mouth_curve + 1.35 * a[12] - 1.15 * a[15] - 0.22 * a[20] - 0.35 * a[17] - 0.5 * a[26] + 0.12 * a[10]
    raised = 0.62 * a[10] + 0.22 * a[9] + 0.1 * a[12]
    return SideRig(sign, a, brow, eye_x, upper, lower, a[43], (x, y), raised)


RIGGED_AUS: tuple[int, ...] = (1, 2, 4, 5, 6, 7, 9, 10, 12, 15, 17, 20, 23, 25, 26, 43)
"""Action units the rig can move."""


def rig(factors: FaceFactors) -> FaceRig:
    """The rig of one face."""
    person = factors.identity
    left, right = (_side(factors, sign, RIGGED_AUS) for sign in SIDES)
    a = {au: 0.5 * (left.au[au] + right.au[au]) for au in RIGGED_AUS}
    tight = 1.0 - 0.6 * a[23]
    thin = tight * (1.0 - 0.2 * a[12] - 0.25 * a[20])
    return FaceRig(
        left=left,
        right=right,
        au=a,
        jaw=a[26],
        mouth_y=person.mouth_height + 0.42 * a[17] + 0.1 * a[23],
        open_upper=(0.14 * a[25] + 0.30 * a[10] + 0.05 * a[26]) * tight,
        open_lower=(0.52 * a[25] * (1.0 - 0.5 * a[26]) + 0.12 * a[10]) * tight + 1.55 * a[26] * (1.0 - 0.35 * a[23]),
        lip_upper=person.lip_upper * thin * (1.0 - 0.25 * a[10] - 0.15 * a[26]),
        lip_lower=person.lip_lower * thin * (1.0 + 0.25 * a[17] - 0.1 * a[26]) - 0.12 * a[12] * person.lip_lower,
    )


def _side_bulges(side: SideRig, face: FaceRig) -> list[tuple[float, ...]]:
    a, s = side.au, float(side.sign)
    x, y = side.corner
    y += face.mouth_y
    brow = side.brow
    rows = [
        (4.25, -2.7, 7.0, 0.50 * a[6] + 0.60 * a[12] + 0.20 * a[9] + 0.15 * a[10], 1.35, 0.95),
        (4.4, -1.35, 7.0, 0.30 * a[6] + 0.12 * a[12], 1.2, 0.45),
        (x + 1.2, y + 0.9, 7.8, -0.34 * a[12] - 0.12 * a[20], 0.55, 1.0),
        (x + 1.6, y - 0.1, 7.0, 0.25 * a[12] + 0.28 * a[20], 0.6, 0.8),
        (x + 0.5, y - 0.9, 7.8, 0.36 * a[15] + 0.1 * a[17], 0.7, 0.5),
        (x + 0.25, y - 0.1, 8.2, -0.22 * a[15] - 0.2 * a[23] - 0.15 * a[12], 0.35, 0.35),
        (0.95, -1.0, 9.2, 0.34 * a[9], 0.45, 0.8),
        (1.25, -3.2, 9.3, 0.55 * a[9] + 0.30 * a[10], 0.5, 0.5),
        (1.5, -4.2, 9.2, 0.22 * a[9] + 0.15 * a[10], 0.4, 0.4),
        (1.9, -5.1, 8.8, 0.42 * a[10] + 0.2 * a[9], 0.8, 0.7),
        (brow[0][0] + 0.5, brow[0][1], 9.0, 0.28 * a[4] + 0.25 * a[1] + 0.1 * a[9], 0.8, 0.4),
        (brow[2][0] - 0.8, brow[2][1], 8.0, 0.25 * a[2] + 0.1 * a[4], 1.2, 0.45),
        (side.eye_x, 1.25, 8.0, -0.25 * a[1] - 0.2 * a[2] - 0.15 * a[5] + 0.25 * a[4], 1.2, 0.4),
        (side.eye_x, -0.85, 7.8, 0.30 * a[7] + 0.20 * a[6], 1.0, 0.28),
        (side.eye_x, 0.1, 7.8, 0.18 * a[43] + 0.12 * a[5], 0.9, 0.5),
        (4.6, -7.6, 6.8, 0.30 * a[20], 0.9, 1.2),
        (5.0, -6.2, 6.3, -0.35 * a[26], 1.2, 2.0),
    ]
    return [(s * row[0], *row[1:]) for row in rows]


def _lip_bulges(face: FaceRig) -> list[tuple[float, ...]]:
    rows: list[tuple[float, ...]] = []
    stand = 1.0 - 0.5 * face.au[23]
    for side in (face.left, face.right):
        for u, share in ((0.12, 1.0), (0.42, 0.9), (0.72, 0.55)):
            x = side.sign * u * side.corner[0]
            line = face.mouth_y + side.corner[1] * u**1.7
            gap = 1.0 - u * u
            upper = line + face.open_upper * gap + side.upper_raise * (1.0 - (u - 0.35) ** 2) + 0.45 * face.lip_upper
            lower = line - face.open_lower * gap - 0.5 * face.lip_lower
            rows.append((x, upper, 9.3, 0.26 * share * stand * (0.6 + face.lip_upper), 0.55, 0.26))
            rows.append(
                (x, lower, 9.3, 0.30 * share * stand * (0.5 + face.lip_lower) + 0.25 * face.au[17] * share, 0.6, 0.32)
            )
            depth = -0.45 * min(1.0, face.open_lower) * gap
            rows.append(
                (
                    x,
                    line + 0.5 * (face.open_upper - face.open_lower) * gap,
                    9.2,
                    depth,
                    0.6,
                    0.3 + 0.3 * face.open_lower,
                )
            )
    return rows


def bulges(face: FaceRig) -> Floats:
    """Rows for `sphere.bumps`: how the skin moves in and out, lips included."""
    a, drop = face.au, 1.5 * face.jaw
    rows = _side_bulges(face.left, face) + _side_bulges(face.right, face) + _lip_bulges(face)
    rows += [
        (0.0, -9.9 - drop, 8.8, 0.42 * a[17], 1.1, 0.75),
        (0.0, face.mouth_y - 1.75 - drop, 8.8, -0.28 * a[17] + 0.1 * a[23], 1.4, 0.32),
        (0.0, face.mouth_y + 1.0, 9.2, 0.20 * a[23] + 0.1 * a[17], 1.6, 0.4),
        (0.0, 1.7, 9.4, 0.22 * a[4] + 0.1 * a[9], 0.8, 0.6),
        (0.0, 4.2, 9.3, 0.16 * a[1], 2.0, 0.8),
    ]
    table = np.array(rows, np.float32)
    return bump_rows(table[:, :3], table[:, 3], table[:, 4:])
