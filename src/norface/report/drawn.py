"""Draw a figure in both themes, keep it as a PNG beside the page and embed it into the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from norface.imaging.files import write_atomically
from norface.report.html import Markup, figure, picture
from norface.report.theme import DARK, LIGHT, Theme, png

CSS_PIXELS_PER_INCH = 100
"""At this scale a figure's 9-point labels are about as large as the page's own small text."""


class Album:
    """The figures of one report.

    Args:
        folder: Where the PNG files go, next to the page.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[Path] = []

    def add(self, name: str, draw: Callable[[Theme], Figure], *, alt: str, caption: str = "") -> Markup:
        """Draw, save as ``<name>.png`` (light) and return the embedded figure with its dark twin.

        Args:
            name: File name without suffix; anything but letters, digits, ``-`` and ``_`` becomes ``-``.
            draw: Makes the figure in a theme.
            alt: What the figure shows, for those who cannot see it.
            caption: Shown below it.
        """
        drawn = draw(LIGHT)
        light = png(drawn)
        path = self.folder / f"{''.join(c if c.isalnum() or c in '-_' else '-' for c in name)}.png"
        write_atomically(path, light)
        self.files.append(path)
        width = round(drawn.get_figwidth() * CSS_PIXELS_PER_INCH)
        return figure(picture(light, png(draw(DARK)), alt=alt, width=width), caption)

    def keep(self, name: str, content: bytes) -> None:
        """Copy a finished PNG beside the page."""
        path = self.folder / f"{name}.png"
        write_atomically(path, content)
        self.files.append(path)
