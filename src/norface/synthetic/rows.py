"""Rows of the face table for drawn faces: the documented columns, then every factor."""

from __future__ import annotations

from norface.labels import LANDMARK_COLUMNS, OCCURRENCE_THRESHOLD, au_column
from norface.synthetic.factors import FaceFactors, Row


def face_row(
    *,
    subject: str,
    face_id: str,
    split: str,
    image: str,
    normalized: str,
    landmarks: list[float],
    factors: FaceFactors,
    aus: tuple[int, ...],
    own: Row,
) -> Row:
    """One row.

    Args:
        landmarks: The five points in pixels of the image, flat: x, y, x, y, ...
        aus: Action units that have columns.
        own: Columns that only this source of faces has.
    """
    row: Row = {
        "face_id": face_id,
        "image": image,
        "normalized": normalized,
        "subject": subject,
        "split": split,
        "emotion": factors.emotion or "",
    }
    row |= {au_column(au, "c"): float(factors.aus.get(au, 0.0) >= OCCURRENCE_THRESHOLD) for au in aus}
    row |= {au_column(au, "r"): float(factors.aus.get(au, 0.0)) for au in aus}
    row |= dict(zip(LANDMARK_COLUMNS, landmarks, strict=True))
    row |= {"yaw": factors.yaw, "pitch": factors.pitch, "roll": factors.roll, "success": 1}
    return row | _capture(factors, aus) | own


def _capture(factors: FaceFactors, aus: tuple[int, ...]) -> Row:
    light, background = factors.light, factors.background
    row: Row = {f"skew_AU{au:02d}": float(factors.skew.get(au, 0.0)) for au in aus}
    row |= {"gaze_x": factors.gaze[0], "gaze_y": factors.gaze[1]}
    row |= {f"light_{name}": getattr(light, name) for name in ("azimuth", "elevation", "key", "ambient", "softness")}
    row |= dict(zip(("light_red", "light_green", "light_blue"), light.colour, strict=True))
    row |= {
        "background_kind": background.kind,
        "background_angle": background.angle,
        "background_seed": background.seed,
    }
    for name, colour in (("first", background.first), ("second", background.second)):
        row |= {f"background_{name}_{channel}": value for channel, value in zip("rgb", colour, strict=True)}
    row |= {name: getattr(factors, name) for name in ("blur", "noise", "contrast", "brightness", "noise_seed")}
    return row | dict(zip(("jitter_zoom", "jitter_turn", "jitter_x", "jitter_y"), factors.jitter, strict=True))
