"""Which figures a normalizer must reach before its faces deserve trust."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class GateLimits:
    """Limits of the gate; a figure that could not be measured is not judged.

    Args:
        expression_r2: Least share of the true normalized face's variance; a constant face has 0 at best.
        identity_to_target: Least cosine similarity to the target.
        identity_to_original: Largest cosine similarity to the original.
        subject_times_chance: Largest retrieval accuracy of the person, in multiples of chance.
        background_error: Largest mean difference to the target's background (0..1).
        gap_closed: Least share of the way from originals to true normalized faces that a probe's accuracy goes.
    """

    expression_r2: float = 0.6
    identity_to_target: float = 0.6
    identity_to_original: float = 0.25
    subject_times_chance: float = 2.0
    background_error: float = 0.03
    gap_closed: float = 0.25


def judge(figures: Mapping[str, float | None], limits: GateLimits) -> list[dict[str, object]]:
    """One check per figure that was measured: name, value, limit, direction, passed."""
    chance = figures.get("subject_chance")
    rules: list[tuple[str, float | None, str]] = [
        ("expression_r2", limits.expression_r2, "min"),
        ("identity_to_target", limits.identity_to_target, "min"),
        ("identity_to_original", limits.identity_to_original, "max"),
        ("subject_accuracy", limits.subject_times_chance * chance if chance is not None else None, "max"),
        ("background_error", limits.background_error, "max"),
        ("gap_closed", limits.gap_closed, "min"),
    ]
    checks: list[dict[str, object]] = []
    for name, limit, direction in rules:
        value = figures.get(name)
        if value is not None and limit is not None:
            # NaN compares false both ways: a figure that cannot be computed fails.
            passed = value >= limit if direction == "min" else value <= limit
            checks.append({"name": name, "value": value, "limit": limit, "direction": direction, "passed": passed})
    return checks
