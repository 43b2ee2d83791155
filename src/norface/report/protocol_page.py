"""The report of a protocol: tables as files and one self-contained page, from ``protocol.json`` alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from norface.imaging.files import write_atomically
from norface.protocol.record import CONSTANT, read_record
from norface.report.drawn import Album
from norface.report.fields import Block, duration, flattened, number, part
from norface.report.html import Markup, card, element, join, note, page, table
from norface.report.many_runs import counted, header
from norface.report.protocol_figures import Bar, Point, difference_bars, people_curves
from norface.report.protocol_table import NAMES, PERCENT, Cell, ProtocolTable, protocol_table, signed, spread_of
from norface.report.protocol_trust import shown_table, slice_table, slices_section, trust_section, trust_table
from norface.report.summary import TASK_NAMES
from norface.runs.record import Record


def build_protocol_report(folder: Path) -> Path:
    """Write ``table.md``, ``table.csv``, ``table.tex`` and ``report/index.html`` of a protocol; nothing is computed.

    Likewise ``trust`` and ``slices``, where these are known.

    Args:
        folder: Of the protocol, with its ``protocol.json``.

    Returns:
        Path of the page.

    Raises:
        ResultsError: There are no results, or they are damaged.
        OutputError: The report cannot be written.
    """
    record = read_record(folder)
    tabled = protocol_table(record)
    _write(folder, "table", tabled)
    album = Album(folder / "report")
    sections = [("Table", "Results", _table(tabled))]
    if record["people"] is not None and len(record["people"]) > 1:
        sections.append(("People", "How many labelled people does it take?", _people(record, album)))
    if record["differences"]:
        heading = f"Differences to {record['baseline']}, on the same faces"
        sections.append(("Differences", heading, _differences(record, album)))
    if record["trust"]:
        _write(folder, "trust", trust_table(record))
        sections.append(("Trust", "Can the probabilities be believed?", trust_section(record, album)))
    if record["slices"]:
        _write(folder, "slices", slice_table(record))
        sections.append(("Slices", "Where does it help?", slices_section(record, album)))
    sections += [("Runs", "Runs", _runs(record)), ("Protocol", "Protocol, versions", _protocol(record))]
    path = folder / "report" / "index.html"
    write_atomically(path, page(f"norface protocol: {record['name']}", sections, _header(record)).encode("utf-8"))
    return path


def _write(folder: Path, name: str, tabled: ProtocolTable) -> None:
    for suffix, text in (("md", tabled.markdown()), ("csv", tabled.csv()), ("tex", tabled.latex())):
        write_atomically(folder / f"{name}.{suffix}", text.encode("utf-8"))


def _header(record: Record) -> Markup:
    facts = [TASK_NAMES[record["task"]], *counted(record, "variants", "folds", "seeds")]
    if record["people"]:
        facts.append(f"{', '.join(map(str, record['people']))} labelled people")
    return header(record, what="norface protocol", facts=facts, cards=_cards(record))


def _cards(record: Record) -> list[Markup]:
    """The figure of merit of each variant, with the most labelled people."""
    merit, spread = record["merit"], spread_of(record)
    most = max(record["people"]) if record["people"] else None
    cards = []
    for block in record["summary"]:
        if block["people"] == most:
            found = block["figures"][merit]
            shown = Cell(merit, found["mean"], found[f"std_{spread}"] if spread else None)
            cards.append(card(block["variant"], shown.text(), _words(record, merit)))
    return cards


def _words(record: Record, figure: str) -> str:
    name = NAMES[figure] if record["task"] == "fer" else f"mean {NAMES[figure]}"
    return f"{name}, %" if figure in PERCENT else name


def _table(tabled: ProtocolTable) -> Markup:
    files = note("The same as ", element("code", "table.md"), ", ", element("code", "table.csv"), " and ")
    return join(
        [
            shown_table(tabled),
            Markup(str(files).replace("</p>", str(element("code", "table.tex")) + ".</p>")),
        ]
    )


def _people(record: Record, album: Album) -> Markup:
    merit = record["merit"]
    spread = spread_of(record)
    scale = 100.0 if merit in PERCENT else 1.0
    curves: dict[str, list[Point]] = {}
    constant = None
    for block in record["summary"]:
        found = block["figures"][merit]
        if found["mean"] is None:
            continue
        if block["variant"] == CONSTANT:
            constant = found["mean"] * scale
            continue
        point = (block["people"], found["mean"] * scale, (found.get(f"std_{spread}") or 0.0) * scale)
        curves.setdefault(block["variant"], []).append(point)
    words = _words(record, merit)
    alt = "; ".join(f"{name}: " + ", ".join(f"{n} people {y:.3g}" for n, y, _ in line) for name, line in curves.items())
    caption = f"Bands: standard deviation over {spread}." if spread else ""
    return album.add("people", partial(people_curves, curves, words, constant), alt=alt, caption=caption)


def _differences(record: Record, album: Album) -> Markup:
    merit = record["merit"]
    scale = 100.0 if merit in PERCENT else 1.0
    unit = " in points" if merit in PERCENT else ""
    pieces = [
        element(
            "p",
            "Subjects, not faces, are drawn with replacement, 2,000 times, and every figure is computed anew: the "
            "interval covers 95 % of the differences. A filled point: it leaves out zero. It says what other test "
            "people would change; what other seeds change, the spread between seeds says.",
        )
    ]
    for people in dict.fromkeys(block["people"] for block in record["differences"]):
        blocks = [block for block in record["differences"] if block["people"] == people]
        bars = [bar for block in blocks if (bar := _bar(block, merit, scale)) is not None]
        heading = f"With {people} labelled people" if people is not None else "Differences"
        if bars:
            metric = f"{_words(record, merit).removesuffix(', %')}, difference to {record['baseline']}{unit}"
            alt = ", ".join(f"{bar.name} {bar.difference:+.3g}" for bar in bars)
            pieces.append(
                album.add(f"differences-{people or 'all'}", partial(difference_bars, bars, heading, metric), alt=alt)
            )
        pieces.append(_difference_table(record, blocks))
    return join(pieces)


def _bar(block: Block, merit: str, scale: float) -> Bar | None:
    found = part(block, "figures", merit)
    difference, low, high = (number(found, key) for key in ("difference", "low", "high"))
    if difference is None:
        return None
    low, high = (None if value is None else value * scale for value in (low, high))
    return Bar(str(block["variant"]), difference * scale, low, high)


def _difference_table(record: Record, blocks: list[dict[str, Any]]) -> Markup:
    rows = []
    for block in blocks:
        for name in record["figures"]:
            found = block["figures"][name]
            difference, low, high = (number(found, key) for key in ("difference", "low", "high"))
            if difference is None:
                continue
            interval = "n/a"
            if low is not None and high is not None:
                interval = f"{signed(name, low)} to {signed(name, high)}"
            seeds = ", ".join(signed(name, value) for value in found["by_seed"] if value is not None)
            row = (block["variant"], _words(record, name), signed(name, difference), interval, seeds)
            rows.append((*row, str(block["subjects"])))
    head = ("variant", "figure", "difference", "95 % interval over subjects", "by seed", "test subjects")
    return table(head, rows, numbers=(2, 3, 4, 5))


def _runs(record: Record) -> Markup:
    rows, failed = [], []
    merit = record["merit"]
    for run in record["runs"]:
        name = [run["variant"], run["fold"], "all" if run["people"] is None else str(run["people"]), str(run["seed"])]
        shown = Cell(merit, run.get("figures", {}).get(merit), None).text()
        rows.append([*name, run["state"], shown, duration(run.get("seconds") or 0.0)])
        if run["error"]:
            failed += [element("h3", " / ".join(filter(None, name))), element("pre", run["error"])]
    head = ("variant", "fold", "people", "seed", "state", _words(record, merit), "time")
    folded = element("details", element("summary", f"All {len(rows)} runs"), table(head, rows, numbers=(5, 6)))
    return join([*([element("p", "These runs failed:"), *failed] if failed else []), folded])


def _protocol(record: Record) -> Markup:
    pieces = [element("h3", "Protocol"), table((), list(flattened(record["facts"])))]
    for key, heading in (("versions", "Versions"), ("fingerprints", "Fingerprints")):
        if rows := list(flattened(part(record, key))):
            pieces += [element("h3", heading), table((), [(name, element("code", value)) for name, value in rows])]
    return join(pieces)
