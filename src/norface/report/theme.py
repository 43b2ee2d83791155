"""Colours and axes shared by all figures, once for light and once for dark pages."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

DPI = 200
"""Twice the 100 pixels per inch at which a page shows the figures, so they stay sharp on fine screens."""

MAX_LABEL = 60
"""Longest text in a figure, in characters."""

FONTS = ["Inter", "Helvetica Neue", "Segoe UI", "Arial", "Liberation Sans", "DejaVu Sans"]


@dataclass(frozen=True)
class Theme:
    """Colours of one page colour scheme; the same hues as `style.css`."""

    name: str
    surface: str
    text: str
    muted: str
    grid: str
    inputs: dict[str, str]
    """Colour of each kind of input, the same in every figure."""
    cycle: tuple[str, ...]
    ramp: tuple[str, str, str]
    """From nothing to all, for heat maps."""
    bad: str

    def colormap(self) -> LinearSegmentedColormap:
        """The ramp as a continuous map of 0..1."""
        return LinearSegmentedColormap.from_list(f"norface-{self.name}", list(self.ramp))


LIGHT = Theme(
    name="light",
    surface="#ffffff",
    text="#1c2430",
    muted="#667080",
    grid="#e4e8ee",
    inputs={
        "raw": "#8591a3",
        "raw_pretrained": "#d39b3a",
        "normalized": "#4a8fe0",
        "both": "#0d8f80",
        "oracle": "#6d5bd0",
    },
    cycle=("#4a8fe0", "#d9663f", "#0d8f80", "#6d5bd0", "#d39b3a", "#8591a3"),
    ramp=("#f5f7fa", "#6fb5c4", "#123a63"),
    bad="#c53b3b",
)

DARK = Theme(
    name="dark",
    surface="#171c24",
    text="#e6eaf0",
    muted="#98a3b3",
    grid="#2b3340",
    inputs={
        "raw": "#8b97a9",
        "raw_pretrained": "#dfae58",
        "normalized": "#62a5f2",
        "both": "#2fb8a6",
        "oracle": "#9485ee",
    },
    cycle=("#62a5f2", "#ef8a66", "#2fb8a6", "#9485ee", "#dfae58", "#8b97a9"),
    ramp=("#1e2530", "#2c7f93", "#d8f3f0"),
    bad="#ef6f6f",
)


def new_figure(
    theme: Theme, width: float, height: float, *, rows: int = 1, columns: int = 1
) -> tuple[Figure, list[Axes]]:
    """A figure of this size in inches with its axes in reading order, styled; no global matplotlib state is used."""
    drawn = Figure(
        figsize=(width, height), dpi=DPI, facecolor=theme.surface, layout=ConstrainedLayoutEngine(h_pad=0.09)
    )
    axes = list(drawn.subplots(rows, columns, squeeze=False).flat)
    for ax in axes:
        style(ax, theme)
    return drawn, axes


def style(ax: Axes, theme: Theme) -> None:
    """Quiet axes: no box, thin grid behind the data, muted labels."""
    ax.set_facecolor(theme.surface)
    ax.set_axisbelow(True)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.grid)
    ax.tick_params(colors=theme.muted, labelsize=9, length=0, which="both")
    ax.xaxis.label.set_color(theme.muted)
    ax.yaxis.label.set_color(theme.muted)
    ax.xaxis.label.set_fontsize(9.5)
    ax.yaxis.label.set_fontsize(9.5)


def title(ax: Axes, text: str, theme: Theme) -> None:
    """A left-aligned title."""
    ax.set_title(plain(text), loc="left", fontsize=10.5, fontweight="bold", color=theme.text, pad=8)


def plain(text: str) -> str:
    """Text that matplotlib shows as it is (a dollar sign would start a formula), cut where it would fill the figure."""
    shown = text if len(text) <= MAX_LABEL else f"{text[: MAX_LABEL - 1]}…"
    return shown.replace("$", r"\$")


def png(drawn: Figure) -> bytes:
    """The figure as PNG."""
    canvas = FigureCanvasAgg(drawn)
    with rc_context({"font.family": "sans-serif", "font.sans-serif": FONTS}):
        canvas.draw()  # type: ignore[no-untyped-call]  # unlike savefig, it lays out and draws in one pass
    rgba = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    pixels = Image.fromarray(rgba).convert("RGB")
    buffer = io.BytesIO()
    # Figures have few colours: a palette makes the page several times smaller and nobody sees it.
    pixels.quantize(256, dither=Image.Dither.NONE).save(buffer, format="png", dpi=(DPI, DPI))
    return buffer.getvalue()
