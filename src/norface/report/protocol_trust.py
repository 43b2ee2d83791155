"""Two parts of a protocol's report: can the probabilities be believed, and where does a variant help?"""

from __future__ import annotations

from functools import partial
from typing import Any

from norface.report.drawn import Album
from norface.report.fields import NOT_AVAILABLE, number, part
from norface.report.html import Markup, element, join, table
from norface.report.protocol_figures import Bar, coverage_curves, slice_lines
from norface.report.protocol_table import NAMES, PERCENT, Cell, ProtocolTable, signed, spread_of
from norface.runs.record import Record

_TRUST = ("temperature", "ece", "ece_scaled", "nll", "nll_scaled", "aurc")

_ATTRIBUTES = {
    "yaw": "head turn |yaw|, degrees",
    "pitch": "head tilt |pitch|, degrees",
    "roll": "head lean |roll|, degrees",
    "light_azimuth": "light from the side |azimuth|, degrees",
    "light_ambient": "ambient light",
    "id_skin_tone": "skin tone, 0 light to 1 dark",
    "id_age": "age, 0 young to 1 old",
    "id_beard": "beard, 0 to 1",
}


def trust_table(record: Record) -> ProtocolTable:
    """Calibration of each variant with each number of people."""
    spread = spread_of(record)
    with_people = record["people"] is not None
    rows = []
    for block in record["trust"]:
        key = (block["variant"], str(block["people"])) if with_people else (block["variant"],)
        rows.append((key, tuple(_cell(block["figures"], name, spread) for name in _TRUST)))
    keys = ("variant", "people") if with_people else ("variant",)
    caption = f"{record['name']}: calibration of test answers; the temperature is that of validation subjects"
    caption += f"; ± standard deviation over {spread}." if spread else "."
    return ProtocolTable(caption, keys, tuple(NAMES[name] for name in _TRUST), tuple(rows))


def slice_table(record: Record) -> ProtocolTable:
    """Figure of merit of each variant on each slice, and its difference to the first."""
    merit, spread = record["merit"], spread_of(record)
    rows = []
    for block in record["slices"]:
        key = (_ATTRIBUTES[block["attribute"]], limits(block), block["variant"])
        counts = (str(block["faces"]), str(block["subjects"]))
        found = part(block, "difference")
        text = tuple(_signed(merit, number(found, name)) for name in ("difference", "low", "high"))
        rows.append(((*key, *counts, *text), (_cell(block["figures"], merit, spread),)))
    keys = ("attribute", "slice", "variant", "faces", "subjects", "difference", "low", "high")
    first = next((block["baseline"] for block in record["slices"]), "")
    people = next((block["people"] for block in record["slices"]), None)
    caption = f"{record['name']}: parts of the test faces, differences to {first} on the same faces"
    caption += f", with {people} labelled people" if people is not None else ""
    return ProtocolTable(f"{caption}; 95 % interval over subjects.", keys, (NAMES[merit],), tuple(rows))


def limits(block: dict[str, Any]) -> str:
    """What lies in a slice: ``below 10``, ``10 to 20``, ``from 30``."""
    low, high = (None if block[key] is None else f"{block[key]:.3g}" for key in ("low", "high"))
    if low is None:
        return f"below {high}"
    return f"from {low}" if high is None else f"{low} to {high}"


def trust_section(record: Record, album: Album) -> Markup:
    """Table and curve."""
    most = max(record["people"]) if record["people"] else None
    blocks = [block for block in record["trust"] if block["people"] == most]
    curves = {block["variant"]: (block["coverage"], block["accuracy"]) for block in blocks}
    alt = "; ".join(f"{name}: {y[0]:.3f} to {y[-1]:.3f}" for name, (_, y) in curves.items())
    what = "emotions" if record["task"] == "fer" else "occurrences of action units"
    words = (
        "Expected calibration error (ECE): how far confidence and accuracy lie apart, over 15 bins. Scaled: logits "
        "divided by one temperature, which validation subjects have chosen; decisions stay the same. Error over "
        "coverage: the mean error if only the most confident answers are given, over all shares of them; smaller is "
        "better."
    )
    drawn = album.add("coverage", partial(coverage_curves, curves, what), alt=alt) if curves else Markup("")
    return join([element("p", words), shown_table(trust_table(record)), drawn])


def slices_section(record: Record, album: Album) -> Markup:
    """A figure for each attribute whose slices can be compared, and one table of all."""
    merit = record["merit"]
    scale = 100.0 if merit in PERCENT else 1.0
    pieces: list[Markup] = []
    for attribute in dict.fromkeys(block["attribute"] for block in record["slices"]):
        lines: dict[str, list[Bar]] = {}
        for block in record["slices"]:
            difference = number(part(block, "difference"), "difference")
            if block["attribute"] == attribute and difference is not None:
                low, high = (number(part(block, "difference"), key) for key in ("low", "high"))
                ends = (None if end is None else end * scale for end in (low, high))
                lines.setdefault(block["variant"], []).append(Bar(limits(block), difference * scale, *ends))
        if lines:
            first = record["slices"][0]["baseline"]
            alt = "; ".join(
                f"{name}: " + ", ".join(f"{bar.name} {bar.difference:+.3g}" for bar in bars)
                for name, bars in lines.items()
            )
            metric = f"{NAMES[merit]}, difference to {first}{' in points' if merit in PERCENT else ''}"
            draw = partial(slice_lines, lines, f"By {_ATTRIBUTES[attribute]}", metric)
            pieces.append(album.add(f"slices-{attribute}", draw, alt=alt))
    words = "Does a variant help most where a face is turned, or lit from the side? Lines: 95 % interval over subjects."
    folded = element("details", element("summary", "All slices"), shown_table(slice_table(record)))
    return join([element("p", words), *pieces, folded])


def shown_table(tabled: ProtocolTable) -> Markup:
    """A table for the page, with its caption."""
    rows = [[*key, *(cell.text() for cell in cells)] for key, cells in tabled.rows]
    numbers = range(len(tabled.keys), len(tabled.keys) + len(tabled.head))
    shown = table((*tabled.keys, *tabled.head), rows, numbers=numbers, summed=tabled.summed)
    return join([element("p", tabled.caption), shown])


def _cell(figures: dict[str, Any], name: str, spread: str) -> Cell:
    found = figures.get(name, {})
    return Cell(name, found.get("mean"), found.get(f"std_{spread}") if spread else None)


def _signed(name: str, value: float | None) -> str:
    return NOT_AVAILABLE if value is None else signed(name, value)
