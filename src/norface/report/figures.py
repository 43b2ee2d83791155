"""The figures of the report that come from the results file: bars, confusion matrices, heat maps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from norface.report.fields import INPUT_LABELS, NOT_AVAILABLE, Matrix, au_label, duration
from norface.report.theme import MAX_LABEL, Theme, new_figure, plain, style, title


def score_bars(scores: Mapping[str, float], heading: str, metric: str, constant: float | None, theme: Theme) -> Figure:
    """One horizontal bar for each input, the constant predictor as a dashed line.

    Args:
        scores: Input (`norface.results.INPUTS`) to score.
        heading: Title.
        metric: Name of the score, for the axis.
        constant: Score of a predictor that ignores the face.
        theme: Colours.
    """
    drawn, (ax,) = new_figure(theme, 5.2, 1.25 + 0.44 * len(scores))
    title(ax, heading, theme)
    shown = list(scores)
    for row, name in enumerate(shown):
        ax.barh(row, scores[name], color=theme.inputs[name], height=0.66)
        label_x = max(scores[name], 0.0) + 0.012
        ax.text(label_x, row, f"{scores[name]:.3f}", va="center", fontsize=9.5, fontweight="bold", color=theme.text)
    ax.set_yticks(range(len(shown)), [INPUT_LABELS[name] for name in shown], color=theme.text)
    ax.invert_yaxis()
    ax.set_xlim(min(0.0, *scores.values()), 1.1)
    ax.set_xlabel(metric)
    _vertical_grid(ax, theme)
    if constant is not None:
        ax.axvline(constant, color=theme.bad, linestyle=(0, (4, 3)), linewidth=1.3)
        note = f"constant predictor {constant:.3f}"
        ax.text(constant + 0.012, -0.62, note, fontsize=8, color=theme.bad, va="center")
        ax.set_ylim(len(shown) - 0.5, -0.95)
    return drawn


def confusion(counts: Matrix, classes: Sequence[str], heading: str, theme: Theme) -> Figure:
    """Confusion matrix as shares of each true class, in percent."""
    size = len(classes)
    longest = max(min(len(name), MAX_LABEL) for name in classes)
    side = min(max(3.4, 1.7 + 0.41 * size), 9.0) + 0.075 * max(0, longest - 9)
    drawn, (ax,) = new_figure(theme, side, side)
    totals = [max(sum(row), 1.0) for row in counts]
    shares = [[cell / total for cell in row] for row, total in zip(counts, totals, strict=True)]
    _heat_map(ax, shares, theme, square=True)
    title(ax, heading, theme)
    labels = [plain(name) for name in classes]
    ax.set_xticks(range(size), labels, rotation=45, ha="right", rotation_mode="anchor", color=theme.text)
    ax.set_yticks(range(size), labels, color=theme.text)
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")
    if size <= 16:
        _cell_labels(ax, shares, theme)
    return drawn


def expert_use(use: Matrix, rows: Sequence[str], heading: str, theme: Theme) -> Figure:
    """Share of the gate that each expert gets, per class or action unit."""
    experts = len(use[0])
    longest = max(min(len(name), MAX_LABEL) for name in rows)
    width = max(0.5 + 0.075 * longest + 0.5 * experts, 3.3)
    drawn, (ax,) = new_figure(theme, width, 1.1 + 0.33 * len(rows))
    _heat_map(ax, use, theme, square=False)
    title(ax, heading, theme)
    ax.set_xticks(range(experts), [f"E{index + 1}" for index in range(experts)], color=theme.text)
    ax.set_yticks(range(len(rows)), [plain(name) for name in rows], color=theme.text)
    ax.set_xlabel("expert")
    _cell_labels(ax, use, theme)
    return drawn


def per_au_bars(scores: Mapping[str, Mapping[str, float | None]], metric: str, heading: str, theme: Theme) -> Figure:
    """For each action unit one bar per input; n/a in its place where there is no score.

    Args:
        scores: Input to (action unit to score).
        metric: Name of the score, for the axis.
        heading: Title.
        theme: Colours.
    """
    aus = sorted({au for figures in scores.values() for au in figures})
    drawn, (ax,) = new_figure(theme, 10.4, 1.5 + 0.24 * len(aus) * max(len(scores), 2) * 0.8)
    title(ax, heading, theme)
    height = 0.8 / len(scores)
    for position, (name, figures) in enumerate(scores.items()):
        rows = [row + (position + 0.5) * height - 0.4 for row in range(len(aus))]
        values = [figures.get(au) for au in aus]
        lengths = [value or 0.0 for value in values]
        ax.barh(rows, lengths, height * 0.92, color=theme.inputs[name], label=INPUT_LABELS[name])
        for row, value in zip(rows, values, strict=True):
            if value is None:
                ax.text(0.004, row, NOT_AVAILABLE, va="center", fontsize=7, color=theme.muted)
    ax.set_yticks(range(len(aus)), [plain(au_label(au)) for au in aus], color=theme.text)
    ax.set_ylim(len(aus) - 0.4, -0.6)
    lowest = min(0.0, *(value or 0.0 for figures in scores.values() for value in figures.values()))
    ax.set_xlim(lowest, 1.0)
    ax.set_xlabel(metric)
    _vertical_grid(ax, theme)
    legend([ax], theme)
    return drawn


def timing_bars(seconds: Mapping[str, float], theme: Theme) -> Figure:
    """How long each stage took, in the order in which they ran."""
    drawn, (ax,) = new_figure(theme, 10.4, 0.9 + 0.27 * len(seconds))
    longest = max(*seconds.values(), 1e-9)
    unit, words = (60.0, "minutes") if longest > 120 else (1.0, "seconds")
    for row, value in enumerate(seconds.values()):
        ax.barh(row, value / unit, color=theme.cycle[0], height=0.66)
        ax.text((value + 0.008 * longest) / unit, row, duration(value), va="center", fontsize=9, color=theme.text)
    ax.set_yticks(range(len(seconds)), [plain(name.replace("_", " ")) for name in seconds], color=theme.text)
    ax.set_ylim(len(seconds) - 0.4, -0.6)
    ax.set_xlim(0, 1.1 * longest / unit)
    ax.set_xlabel(words)
    _vertical_grid(ax, theme)
    return drawn


def legend(axes: Sequence[Axes], theme: Theme) -> None:
    """A frameless legend under all axes, each label once; the layout makes room for it."""
    drawn = axes[0].get_figure()
    assert isinstance(drawn, Figure)
    handles: dict[str, Artist] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if handles:
        entry = 0.6 + 0.075 * max(map(len, handles))  # inches of the longest label with its line
        columns = min(max(int(drawn.get_figwidth() / entry), 1), len(handles))
        box = drawn.legend(
            list(handles.values()), list(handles), loc="outside lower center", frameon=False, fontsize=9, ncols=columns
        )
        for text in box.get_texts():
            text.set_color(theme.text)


def _heat_map(ax: Axes, shares: Matrix, theme: Theme, *, square: bool) -> None:
    ax.imshow(shares, cmap=theme.colormap(), vmin=0.0, vmax=1.0, aspect="equal" if square else "auto")
    style(ax, theme)
    for spine in ax.spines.values():
        spine.set_visible(False)
    rows, columns = len(shares), len(shares[0])
    ax.set_xticks([column - 0.5 for column in range(1, columns)], minor=True)
    ax.set_yticks([row - 0.5 for row in range(1, rows)], minor=True)
    ax.grid(which="minor", color=theme.surface, linewidth=1.2)


def _cell_labels(ax: Axes, shares: Matrix, theme: Theme) -> None:
    for row, cells in enumerate(shares):
        for column, share in enumerate(cells):
            if share < 0.005:
                continue
            colour = theme.surface if share > 0.5 else theme.text
            shown = NOT_AVAILABLE if math.isnan(share) else f"{share * 100:.0f}"
            ax.text(column, row, shown, ha="center", va="center", fontsize=8.5, color=colour)


def _vertical_grid(ax: Axes, theme: Theme) -> None:
    ax.grid(axis="x", color=theme.grid, linewidth=0.8)
    ax.spines["bottom"].set_visible(False)
