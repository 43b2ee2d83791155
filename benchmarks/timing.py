"""Times that can be compared: the sides of a comparison take turns, so whatever else the machine does slows each."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Times = dict[str, list[float]]
"""Seconds of every round of every side."""


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes:
        name: What it is, one line.
        value: The median over the rounds.
        unit: Such as ``faces/s``; ``x`` for ratios.
        low, high: Extremes over the rounds.
        target: What is aimed at, such as ``<= 1.05``; empty where nothing is.
    """

    name: str
    value: float
    unit: str
    low: float
    high: float
    target: str = ""

    def __str__(self) -> str:
        style = (
            ".1e" if self.unit == "abs" else ".0f" if abs(self.value) >= 100 else ".3f" if self.unit == "x" else ".2f"
        )
        spread = "" if self.low == self.high else f"{self.low:{style}} to {self.high:{style}}"
        return f"{self.name:<66} {self.value:>9{style}} {self.unit:<9} {spread:<18} {self.target}".rstrip()


def figure(name: str, values: Sequence[float], unit: str, target: str = "") -> Figure:
    """The median and the extremes of some rounds."""
    return Figure(name, statistics.median(values), unit, min(values), max(values), target)


def in_turns(sides: Mapping[str, Callable[[], object]], *, rounds: int, warm_up: int = 1) -> Times:
    """Wall times of each side; a side that returns a float has taken its time itself.

    Args:
        sides: What to time.
        rounds: How often each.
        warm_up: Rounds before, which do not count.
    """
    times: Times = {name: [] for name in sides}
    for number in range(warm_up + rounds):
        for name, work in sides.items():
            start = time.perf_counter()
            result = work()
            taken = result if isinstance(result, float) else time.perf_counter() - start
            if number >= warm_up:
                times[name].append(taken)
    return times


def ratio(name: str, times: Times, side: str, to: str, target: str = "") -> Figure:
    """Time of one side relative to another's, round by round."""
    return figure(name, [a / b for a, b in zip(times[side], times[to], strict=True)], "x", target)


def rate(name: str, times: Sequence[float], count: int, unit: str = "faces/s", target: str = "") -> Figure:
    """Things per second."""
    return figure(name, [count / seconds for seconds in times], unit, target)
