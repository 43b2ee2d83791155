"""Training curves: find the metrics.csv of every stage, read them, draw small multiples."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from norface.report.fields import INPUT_LABELS
from norface.report.figures import legend
from norface.report.theme import Theme, new_figure, plain, style, title
from norface.results import INPUTS

MAX_PANELS = 15
"""Panels shown for one stage; losses first, then what is validated, then as they stand in the file."""

_SPLITS = ("train", "val")
_AXES = ("epoch", "step")
_HIDDEN = re.compile(r"^test\b|^lr|learning_rate|/lr")
_COMPARED = ("gradient_share", "gradient_norm")  # of each loss term, of each network: one panel
_LOGGER_FOLDER = re.compile(r"^(lightning_logs|version_\d+)$")
_LONG = 120  # from this many points on a smoothed line is drawn over the measured one


@dataclass(frozen=True)
class Curve:
    """One metric of one training run."""

    run: str
    """What the run's network read (`norface.results.INPUTS`), empty where the stage is a single run."""
    split: str
    panel: str
    steps: tuple[int, ...]
    values: tuple[float, ...]
    part: str = ""
    """Which of the lines of its panel, where a panel compares the parts of one thing."""


def find_curves(run: Path) -> dict[str, list[Curve]]:
    """Curves of every stage of a run folder, from ``<stage>/**/metrics.csv``.

    A stage is named by its folders, such as ``teacher/identity``. Runs that differ only in what their network read,
    such as ``classifier/fer/raw`` and ``classifier/fer/both``, are one stage, ``classifier/fer``.
    A resumed stage leaves several files of its logger: a later one takes over from its first step.
    """
    files: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(run.glob("*/**/metrics.csv"), key=_version):
        folders = [name for name in path.relative_to(run).parts[:-1] if not _LOGGER_FOLDER.match(name)]
        run_name = folders.pop() if len(folders) > 1 and folders[-1] in INPUTS else ""
        if folders:
            files.setdefault(("/".join(folders), run_name), []).append(path)
    stages: dict[str, list[Curve]] = {}
    for (stage, name), paths in sorted(files.items()):
        points: dict[str, dict[int, float]] = {}
        for path in paths:
            for metric, later in read_metrics(path).items():
                start = min(later)
                points[metric] = {step: value for step, value in points.get(metric, {}).items() if step < start} | later
        if curves := _curves(name, stage.split("/")[0], points):
            stages.setdefault(stage, []).extend(curves)
    return stages


def read_metrics(path: Path) -> dict[str, dict[int, float]]:
    """Metric to {step: value} of a Lightning CSVLogger's file; cells that are no finite number are left out."""
    points: dict[str, dict[int, float]] = {}
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        for index, row in enumerate(csv.DictReader(line.replace("\0", "") for line in file)):
            step = _finite(row.get("step"))
            for metric, cell in row.items():
                value = _finite(cell)
                if value is not None and metric not in _AXES:
                    points.setdefault(metric, {})[index if step is None else int(step)] = value
    return points


def curves_figure(curves: Sequence[Curve], theme: Theme) -> Figure:
    """Small multiples, one panel per metric; where several runs are compared, one colour each and training dashed."""
    panels = _chosen_panels(curves)
    columns = min(3, len(panels))
    rows = math.ceil(len(panels) / columns)
    drawn, axes = new_figure(theme, max(3.45 * columns, 4.4), 2.35 * rows + 0.4, rows=rows, columns=columns)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    for ax, panel in zip(axes, panels, strict=False):
        style(ax, theme)
        title(ax, panel, theme)
        # Validation first: where a run has both, the legend shows its solid line.
        shown = sorted((curve for curve in curves if curve.panel == panel), key=_drawing_order)
        parts = sorted({curve.part for curve in shown} - {""})
        colours = {part: theme.cycle[place % len(theme.cycle)] for place, part in enumerate(parts)}
        for curve in shown:
            _draw(ax, curve, colours.get(curve.part) or _colour(curve, theme))
        _scale(ax, shown, theme)
        if colours:
            _name_parts(ax, colours, theme)
    legend(axes, theme)
    return drawn


def _drawing_order(curve: Curve) -> tuple[int, bool]:
    return INPUTS.index(curve.run) if curve.run else -1, curve.split != "val"


def _draw(ax: Axes, curve: Curve, colour: str) -> None:
    training = curve.split == "train"
    label = INPUT_LABELS[curve.run] if curve.run else {"train": "training", "val": "validation"}.get(curve.split, "")
    dashes = (0, (3, 1.5)) if training and curve.run else "-"
    marker = "o" if len(curve.steps) <= 3 else ""
    values: Sequence[float] = curve.values
    if len(values) >= _LONG:
        ax.plot(curve.steps, values, color=colour, linewidth=0.7, alpha=0.25)
        values = _smoothed(values)
    ax.plot(curve.steps, values, color=colour, linewidth=1.5, linestyle=dashes, marker=marker, markersize=4,
            label=plain(label) or None)  # fmt: skip


def _colour(curve: Curve, theme: Theme) -> str:
    if curve.run:
        return theme.inputs[curve.run]
    return theme.cycle[1] if curve.split == "val" else theme.cycle[0]


def _name_parts(ax: Axes, colours: Mapping[str, str], theme: Theme) -> None:
    """A legend in the panel, above the lines: the common one names runs and splits."""
    lines = [Line2D([], [], color=colour, linewidth=1.5) for colour in colours.values()]
    low, high = ax.get_ylim()
    room = 0.18 * math.ceil(len(lines) / 2)  # of the panel's height, for the legend's rows of two
    ax.set_ylim(top=high * (high / low) ** room if ax.get_yscale() == "log" else high + room * (high - low))
    box = ax.legend(lines, [plain(name) for name in colours], frameon=False, fontsize=6.5, loc="upper center", ncols=2)
    for text in box.get_texts():
        text.set_color(theme.text)


def _scale(ax: Axes, curves: Sequence[Curve], theme: Theme) -> None:
    values = [value for curve in curves for value in curve.values]
    if min(values) > 0 and max(values) > 20 * min(values):
        ax.set_yscale("log")
    else:
        ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.grid(axis="y", color=theme.grid, linewidth=0.8)
    ax.set_xlabel("step")


def _chosen_panels(curves: Sequence[Curve]) -> list[str]:
    panels = list(dict.fromkeys(curve.panel for curve in curves))
    validated = {curve.panel for curve in curves if curve.split == "val"}
    panels.sort(key=lambda name: (name != "loss", "loss" not in name, name not in validated))
    return panels[:MAX_PANELS]


def _curves(run: str, stage: str, points: dict[str, dict[int, float]]) -> list[Curve]:
    found = []
    for metric, values in points.items():
        if _HIDDEN.search(metric) or (metric.endswith("_step") and f"{metric.removesuffix('_step')}_epoch" in points):
            continue  # where a metric was logged per step and per epoch, the epoch's mean is the readable one
        split, panel, part = _named(metric, stage)
        steps = tuple(sorted(values))
        found.append(Curve(run, split, panel, steps, tuple(values[step] for step in steps), part))
    return found


def _named(metric: str, stage: str) -> tuple[str, str, str]:
    """``train/loss_epoch``, ``val_loss`` or ``normalizer/gradient_norm/generator`` as (split, panel, part of it)."""
    words = re.sub(r"_(step|epoch)$", "", metric).split("/")
    head, _, rest = words[0].partition("_")
    if head in _SPLITS and rest:
        words[:1] = [head, rest]
    split = next((word for word in words if word in _SPLITS), "")
    kept = [word for word in words if word not in (*_SPLITS, stage)] or words[-1:]
    part = " / ".join(kept[1:]).replace("_", " ") if kept[0] in _COMPARED else ""
    return split, " / ".join(kept[:1] if part else kept).replace("_", " "), part


def _version(path: Path) -> tuple[str, int]:
    match = re.search(r"version_(\d+)", str(path))
    return str(path.parent.parent), int(match[1]) if match else -1


def _finite(cell: object) -> float | None:
    try:
        value = float(cell) if isinstance(cell, str) and cell else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _smoothed(values: Sequence[float]) -> list[float]:
    """Centred moving average over a twentieth of the curve, which does not lag behind it."""
    reach = len(values) // 40
    sums = [0.0, *accumulate(values)]
    windows = ((max(0, index - reach), min(len(values), index + reach + 1)) for index in range(len(values)))
    return [(sums[stop] - sums[start]) / (stop - start) for start, stop in windows]
