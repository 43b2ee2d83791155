"""Which of several faces is meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

from norface.errors import ConfigError
from norface.faces.contract import Box, Detection
from norface.faces.looking import overlap

Rule = Literal["largest", "central", "label-box"]
RULES: tuple[str, ...] = get_args(Rule)

LEAST_OVERLAP = 0.1
"""Intersection over union with the labelled box that a face must reach to be the one that is meant."""


def choose(
    faces: Sequence[Detection], *, rule: Rule, width: int, height: int, label_box: Box | None = None
) -> Detection | None:
    """The one face of a picture that its label speaks of; the same for every order of `faces`.

    Args:
        faces: All that were found.
        rule: ``largest`` area, most ``central``, or best overlap with the ``label-box``; a picture without a labelled
            box falls back to the largest.
        width, height: Of the picture, in pixels.
        label_box: The labelled face, where the data set knows it.

    Returns:
        None where there is no face, or none at the labelled box.

    Raises:
        ConfigError: There is no such rule.
    """
    if rule not in RULES:
        raise ConfigError(
            expected=f"one of {', '.join(RULES)}", found=repr(rule), where="choice of the face", action="Correct it."
        )
    if not faces:
        return None
    if rule == "label-box" and label_box is not None:
        best = _best(faces, lambda face: overlap(face.box, label_box))
        return best if overlap(best.box, label_box) >= LEAST_OVERLAP else None
    if rule == "central":
        return _best(faces, lambda face: -_distance(face.box, width, height))
    return _best(faces, _area)


def _best(faces: Sequence[Detection], worth: Callable[[Detection], float]) -> Detection:
    return max(faces, key=lambda face: (worth(face), face.score, _area(face), -face.box.left, -face.box.top))


def _area(face: Detection) -> float:
    return face.box.width * face.box.height


def _distance(box: Box, width: int, height: int) -> float:
    """Between the centres of a box and of the picture, squared."""
    return (box.left + box.width / 2 - width / 2) ** 2 + (box.top + box.height / 2 - height / 2) ** 2
