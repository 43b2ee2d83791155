"""Pieces of an HTML page. Every text passes through `text`; nothing is loaded from anywhere."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from importlib import resources


class Markup(str):
    """Finished HTML; a plain `str` is text and gets escaped when it is put into a page."""

    __slots__ = ()


def text(content: str) -> Markup:
    """Content as HTML, escaped unless it already is `Markup`."""
    return content if isinstance(content, Markup) else Markup(html.escape(content, quote=True))


def element(tag: str, *children: str, **attributes: str) -> Markup:
    """One element; a trailing underscore of an attribute's name is dropped (``class_``)."""
    written = "".join(f' {name.rstrip("_").replace("_", "-")}="{text(value)}"' for name, value in attributes.items())
    return Markup(f"<{tag}{written}>{''.join(map(text, children))}</{tag}>")


def join(parts: Iterable[str]) -> Markup:
    """Parts one after the other."""
    return Markup("".join(map(text, parts)))


def data_uri(png: bytes) -> str:
    """A PNG as an address that contains it."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def picture(light: bytes, dark: bytes | None = None, *, alt: str, width: int | None = None) -> Markup:
    """An embedded PNG, with another one for dark pages where there is one; `width` in CSS pixels."""
    size = f' width="{width}"' if width else ""
    image = f'<img src="{data_uri(light)}" alt="{text(alt)}"{size}>'
    if dark is None:
        return Markup(image)
    source = f'<source media="(prefers-color-scheme: dark)" srcset="{data_uri(dark)}">'
    return Markup(f"<picture>{source}{image}</picture>")


def figure(content: Markup, caption: str = "") -> Markup:
    """A picture with its caption."""
    return element("figure", content, element("figcaption", caption) if caption else Markup(""))


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = (), summed: bool = False
) -> Markup:
    """A table; columns whose index is in `numbers` are right-aligned figures.

    `summed`: the last column sums up the others, and stays in sight where the table is too wide for the page.
    """

    def cells(tag: str, row: Sequence[str]) -> Markup:
        return join(
            element(tag, cell, class_="number") if index in numbers else element(tag, cell)
            for index, cell in enumerate(row)
        )

    header = element("thead", element("tr", cells("th", head))) if head else Markup("")
    body = element("tbody", join(element("tr", cells("td", row)) for row in rows))
    return element("div", element("table", header, body), class_="scroll summed" if summed else "scroll")


def card(label: str, value: str, note: str, *, state: str = "") -> Markup:
    """One key figure; `state` is ``"good"``, ``"bad"`` or empty."""
    return element(
        "div",
        element("div", label, class_="card-label"),
        element("div", value, class_="card-value"),
        element("div", note, class_="card-note"),
        class_=f"card {state}".strip(),
    )


def badge(passed: bool | None) -> Markup:
    """Pass, fail or not measured, in words and colour."""
    if passed is None:
        return element("span", "not measured", class_="badge")
    return element("span", "pass" if passed else "fail", class_=f"badge {'good' if passed else 'bad'}")


def note(*content: str) -> Markup:
    """A quiet remark in place of something missing."""
    return element("p", *content, class_="note")


def missing(what: str, command: str) -> Markup:
    """What is not there and which command makes it."""
    return note(f"{what} Run ", element("code", command), " to add it.")


def page(title: str, sections: Sequence[tuple[str, str, Markup]], header: Markup) -> str:
    """The whole document.

    Args:
        title: Of the document.
        sections: (short name for the table of contents, heading, content) in order.
        header: Above the sections.
    """
    css = resources.files("norface.report").joinpath("style.css").read_text(encoding="utf-8")
    links = join(element("a", name, href=f"#{_anchor(name)}") for name, _, _ in sections)
    body = join(
        element("section", element("h2", heading), content, id=_anchor(name)) for name, heading, content in sections
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; style-src '
        "'unsafe-inline'\">\n"
        f"<title>{text(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
        f"{element('header', header)}\n{element('nav', links)}\n{element('main', body)}\n</body>\n</html>\n"
    )


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")
