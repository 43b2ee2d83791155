"""The figures of a study's page: R² over training people, losses side by side, and the faces themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from norface.imaging.pixels import Pixels
from norface.report.figures import legend
from norface.report.theme import Theme, new_figure, plain, title

Point = tuple[int, float, float]
"""People, mean, spread."""

Lines = Mapping[str, Sequence[Sequence[float]]]
"""Name of each line to its points (x, y)."""

_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))


def people_curves(unseen: Mapping[str, Sequence[Point]], seen: Mapping[str, Sequence[Point]], theme: Theme) -> Figure:
    """Two lines for each variant over the number of training people, on a logarithmic axis, spread as a band.

    Args:
        unseen: R² on people nobody has trained on, by variant.
        seen: R² on training people, dashed.
        theme: Colours.
    """
    drawn, (ax,) = new_figure(theme, 7.2, 4.4)
    title(ax, "Expression kept, by number of training people", theme)
    both = (("unseen people", unseen, "-"), ("training people", seen, (0, (4, 2))))
    for place, variant in enumerate(unseen):
        colour = theme.cycle[place % len(theme.cycle)]
        for words, curves, dash in both:
            if points := curves.get(variant):
                name = f"{variant}, {words}" if len(unseen) > 1 else words
                _people_line(ax, points, name, colour, dash)
    people = sorted({number for points in unseen.values() for number, _, _ in points})
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(people))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    ax.set_xlabel("training people of the normalizer")
    ax.set_ylabel("R² against the true normalized face")
    ax.grid(axis="y", color=theme.grid, linewidth=0.8)
    legend([ax], theme)
    return drawn


def _people_line(ax: Axes, points: Sequence[Point], name: str, colour: str, dash: Any) -> None:
    x, y, spread = zip(*points, strict=True)
    ax.plot(x, y, color=colour, linestyle=dash, linewidth=1.7, marker="o", markersize=4, label=plain(name))
    low, high = ([v + sign * s for v, s in zip(y, spread, strict=True)] for sign in (-1, 1))
    ax.fill_between(x, low, high, color=colour, alpha=0.13, linewidth=0)


def loss_panels(panels: Mapping[str, Lines], theme: Theme) -> Figure:
    """A panel for each loss or validation figure, a line for each variant.

    Args:
        panels: Name of a loss to its lines; the lines of a variant have one colour in all panels.
        theme: Colours.
    """
    columns = min(3, len(panels))
    rows = math.ceil(len(panels) / columns)
    drawn, axes = new_figure(theme, max(3.45 * columns, 4.4), 2.35 * rows + 0.6, rows=rows, columns=columns)
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    last = max(points[-1][0] for lines in panels.values() for points in lines.values())
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    for ax, (panel, lines) in zip(axes, panels.items(), strict=False):
        title(ax, panel, theme)
        for name, points in lines.items():
            place = names.index(name)
            dash = _DASHES[place // len(theme.cycle) % len(_DASHES)]
            look: dict[str, Any] = {"color": theme.cycle[place % len(theme.cycle)], "linestyle": dash, "linewidth": 1.5}
            marker = "o" if len(points) <= 3 else ""
            ax.plot(*zip(*points, strict=True), **look, marker=marker, markersize=4, label=plain(name))
        values = [value for points in lines.values() for _, value in points]
        if min(values) > 0 and max(values) > 20 * min(values):
            ax.set_yscale("log")
        else:
            ax.yaxis.set_major_locator(MaxNLocator(5))
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        ax.set_xlim(-0.03 * last, 1.03 * last)
        ax.grid(axis="y", color=theme.grid, linewidth=0.8)
        ax.set_xlabel("epochs")
    legend(axes[: len(panels)], theme)
    return drawn


def face_rows(rows: Mapping[str, Pixels], theme: Theme) -> Figure:
    """Rows of the same faces, one below the other, each with its name.

    Args:
        rows: Name to a row of faces ``(S, columns * S, 3)``, all of one shape.
        theme: Colours.
    """
    height, width, _ = next(iter(rows.values())).shape
    side = 8.6 / (width / height)  # inches of a face
    longest = max(map(len, rows))
    drawn, axes = new_figure(theme, 8.8 + 0.08 * longest, (side + 0.03) * len(rows) + 0.1, rows=len(rows))
    drawn.set_layout_engine("constrained", h_pad=0.015, w_pad=0.02, hspace=0.0)
    for ax, (name, pixels) in zip(axes, rows.items(), strict=True):
        ax.imshow(pixels, interpolation="bicubic", aspect="equal")
        ax.set_xticks([])
        ax.set_yticks([height / 2], [plain(name)], color=theme.text)
        for spine in ax.spines.values():
            spine.set_visible(False)
    return drawn
