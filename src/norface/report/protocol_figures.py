"""The figures of a protocol's report: accuracy against labelled people, and differences to a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from norface.report.figures import legend
from norface.report.theme import Theme, new_figure, plain, title

Point = tuple[int, float, float]
"""People, mean, spread."""

_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))


def people_curves(curves: Mapping[str, Sequence[Point]], metric: str, constant: float | None, theme: Theme) -> Figure:
    """A line for each variant over the number of labelled people, with its spread as a band.

    Args:
        curves: Variant to its points.
        metric: Name of the figure, for the axis.
        constant: Figure of a predictor that ignores the face.
        theme: Colours.
    """
    drawn, (ax,) = new_figure(theme, 7.2, 4.4)
    title(ax, f"{metric[:1].upper()}{metric[1:]} by labelled people", theme)
    people = sorted({number for points in curves.values() for number, _, _ in points})
    for place, (name, points) in enumerate(curves.items()):
        look = _line(place, theme)
        x, y, spread = zip(*points, strict=True)
        ax.plot(x, y, **look, marker="o", markersize=4, label=plain(name))
        low, high = ([v + sign * s for v, s in zip(y, spread, strict=True)] for sign in (-1, 1))
        ax.fill_between(x, low, high, color=look["color"], alpha=0.13, linewidth=0)
    if constant is not None:
        ax.axhline(constant, color=theme.bad, linestyle=(0, (4, 3)), linewidth=1.2, label="constant predictor")
    if len(people) > 1 and people[-1] > 3 * people[0]:
        ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(people))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    ax.set_xlabel("labelled training subjects")
    ax.set_ylabel(plain(metric))
    ax.grid(axis="y", color=theme.grid, linewidth=0.8)
    legend([ax], theme)
    return drawn


@dataclass(frozen=True)
class Bar:
    """A difference with its interval; None = the interval is not known."""

    name: str
    difference: float
    low: float | None
    high: float | None


def difference_bars(bars: Sequence[Bar], heading: str, metric: str, theme: Theme) -> Figure:
    """One point with its interval for each variant; a filled point where the interval leaves out zero.

    Args:
        bars: From top to bottom.
        heading: Title.
        metric: Of what, for the axis.
        theme: Colours.
    """
    drawn, (ax,) = new_figure(theme, 7.2, 1.25 + 0.36 * len(bars))
    title(ax, heading, theme)
    ax.axvline(0.0, color=theme.muted, linewidth=1.0)
    for row, bar in enumerate(bars):
        colour = theme.cycle[2] if bar.difference >= 0 else theme.bad
        certain = False
        if bar.low is not None and bar.high is not None:
            certain = bar.low > 0 or bar.high < 0
            ax.plot([bar.low, bar.high], [row, row], color=colour, linewidth=2.2, solid_capstyle="round")
        face = colour if certain else theme.surface
        ax.plot(bar.difference, row, "o", color=colour, markerfacecolor=face, markersize=6.5, markeredgewidth=1.6)
    ax.set_yticks(range(len(bars)), [plain(bar.name) for bar in bars], color=theme.text)
    ax.set_ylim(len(bars) - 0.4, -0.6)
    ax.set_xlabel(plain(metric))
    ax.grid(axis="x", color=theme.grid, linewidth=0.8)
    ax.spines["bottom"].set_visible(False)
    return drawn


def coverage_curves(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], what: str, theme: Theme) -> Figure:
    """Accuracy among the answers of highest confidence, by their share of all.

    Args:
        curves: Variant to (coverage, accuracy), both from 0 to 1.
        what: What is right or wrong, for the axis.
        theme: Colours.
    """
    drawn, (ax,) = new_figure(theme, 7.2, 4.0)
    title(ax, "Accuracy by coverage", theme)
    for place, (name, (coverage, accuracy)) in enumerate(curves.items()):
        x, y = ([100 * value for value in values] for values in (coverage, accuracy))
        ax.plot(x, y, **_line(place, theme), label=plain(name))
    ax.set_xlabel("most confident answers that are given, % of all")
    ax.set_ylabel(f"{what} right, %")
    ax.grid(axis="y", color=theme.grid, linewidth=0.8)
    legend([ax], theme)
    return drawn


def slice_lines(lines: Mapping[str, Sequence[Bar]], heading: str, metric: str, theme: Theme) -> Figure:
    """A line for each variant over the slices of one attribute: the difference, with its interval.

    Args:
        lines: Variant to one `Bar` for each slice, in the slices' order.
        heading: Title.
        metric: Of what, for the axis.
        theme: Colours.
    """
    drawn, (ax,) = new_figure(theme, 7.2, 3.8)
    title(ax, heading, theme)
    ax.axhline(0.0, color=theme.muted, linewidth=1.0)
    slices = list(dict.fromkeys(bar.name for bars in lines.values() for bar in bars))
    for place, (name, bars) in enumerate(lines.items()):
        shift = 0.06 * (place - (len(lines) - 1) / 2)  # so that intervals stand side by side
        look = _line(place, theme)
        x = [slices.index(bar.name) + shift for bar in bars]
        ax.plot(x, [bar.difference for bar in bars], **look, marker="o", markersize=4, label=plain(name))
        for at, bar in zip(x, bars, strict=True):
            if bar.low is not None and bar.high is not None:
                ax.plot([at, at], [bar.low, bar.high], color=look["color"], linewidth=1.2)
    ax.set_xticks(range(len(slices)), [plain(name) for name in slices], color=theme.text)
    ax.set_ylabel(plain(metric))
    ax.grid(axis="y", color=theme.grid, linewidth=0.8)
    legend([ax], theme)
    return drawn


def _line(place: int, theme: Theme) -> dict[str, Any]:
    """Colour and dashes of the n-th line."""
    dash = _DASHES[place // len(theme.cycle) % len(_DASHES)]
    return {"color": theme.cycle[place % len(theme.cycle)], "linestyle": dash, "linewidth": 1.7}
