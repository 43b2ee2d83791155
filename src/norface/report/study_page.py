"""The report of a study: tables as files and one self-contained page, from ``study.json`` and the runs' pictures."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from norface.errors import ImageError
from norface.imaging.files import decode_image, write_atomically
from norface.imaging.pixels import Pixels
from norface.report.drawn import Album
from norface.report.fields import duration, flattened, part
from norface.report.html import Markup, card, element, join, note, page, table
from norface.report.many_runs import counted, header
from norface.report.protocol_table import Cell
from norface.report.protocol_trust import shown_table
from norface.report.study_figures import Point, face_rows, loss_panels, people_curves
from norface.report.study_table import FIGURE_NAMES, cell_of, study_table
from norface.runs.record import Record
from norface.study.record import read_record
from norface.study.settings import PICTURE

_MOST_LINES = 18
"""Of a panel: more cannot be told apart."""


def build_study_report(folder: Path) -> Path:
    """Write ``table.md``, ``table.csv``, ``table.tex`` and ``report/index.html`` of a study; nothing is computed.

    Args:
        folder: Of the study, with its ``study.json``.

    Returns:
        Path of the page.

    Raises:
        ResultsError: There are no results, or they are damaged.
        OutputError: The report cannot be written.
    """
    record = read_record(folder)
    tabled = study_table(record)
    for suffix, text in (("md", tabled.markdown()), ("csv", tabled.csv()), ("tex", tabled.latex())):
        write_atomically(folder / f"table.{suffix}", text.encode("utf-8"))
    album = Album(folder / "report")
    files = note("The same as ", element("code", "table.md"), ", ", element("code", "table.csv"), " and ",
                 element("code", "table.tex"), ".")  # fmt: skip
    sections = [("Table", "Results", join([shown_table(tabled), files]))]
    if record["people"] is not None and len(record["people"]) > 1:
        sections.append(("People", "How many people must it have seen?", _people(record, album)))
    if record["differences"]:
        sections.append(("Differences", f"Differences to {record['baseline']}", _differences(record)))
    if faces := _faces(record, folder, album):
        sections.append(("Faces", "The same faces, normalized by each", faces))
    if losses := _losses(record, album):
        sections.append(("Losses", "Losses and validation figures", losses))
    sections += [("Runs", "Runs", _runs(record)), ("Study", "Study, versions", _study(record))]
    path = folder / "report" / "index.html"
    write_atomically(path, page(f"norface study: {record['name']}", sections, _header(record)).encode("utf-8"))
    return path


def _header(record: Record) -> Markup:
    facts = counted(record, "variants", "seeds")
    if record["people"]:
        facts.append(f"{', '.join(map(str, record['people']))} training people")
    return header(record, what="norface study of normalizers", facts=facts, cards=_cards(record))


def _cards(record: Record) -> list[Markup]:
    """R² of each variant, with the most people."""
    most = max(record["people"]) if record["people"] else None
    blocks = [block for block in record["summary"] if block["people"] == most]
    shown = [
        (block, cell_of(block["figures"]["expression_r2"], "expression_r2", len(block["seeds"]) > 1))
        for block in blocks
    ]
    return [card(block["variant"], cell.text(), "R², unseen people") for block, cell in shown]


def _people(record: Record, album: Album) -> Markup:
    curves: dict[str, dict[str, list[Point]]] = {"expression_r2": {}, "seen_expression_r2": {}}
    for block in record["summary"]:
        for name, lines in curves.items():
            found = block["figures"].get(name) or {}
            if found.get("mean") is not None:
                point = (block["people"], found["mean"], found.get("std") or 0.0)
                lines.setdefault(block["variant"], []).append(point)
    unseen, seen = curves.values()
    if not unseen:
        return note("The true normalized faces are not known, and so no R².")
    alt = "; ".join(f"{name}: " + ", ".join(f"{n} people {y:.3g}" for n, y, _ in line) for name, line in unseen.items())
    caption = "Bands: standard deviation over seeds." if len(record["seeds"]) > 1 else ""
    return album.add("people", partial(people_curves, unseen, seen), alt=alt, caption=caption)


def _differences(record: Record) -> Markup:
    several = len(record["seeds"]) > 1
    with_people = record["people"] is not None
    rows = []
    for block in record["differences"]:
        for name in record["figures"]:
            found = block["figures"].get(name) or {}
            if found.get("difference") is None:
                continue
            spread = Cell(name, found["std"], None).text() if several and found.get("std") is not None else ""
            seeds = ", ".join(f"{value:+.3f}" for value in found["by_seed"] if value is not None)
            key = [block["variant"], *([str(block["people"])] if with_people else [])]
            rows.append([*key, FIGURE_NAMES[name], f"{found['difference']:+.3f}", spread, seeds])
    keys = ("variant", "people") if with_people else ("variant",)
    head = (*keys, "figure", "difference", "std over seeds", "by seed")
    first = len(keys) + 1
    return join(
        [element("p", "With the same seed and people."), table(head, rows, numbers=(first, first + 1, first + 2))]
    )


def _faces(record: Record, folder: Path, album: Album) -> Markup | None:
    """Originals, normalized faces and truth: of every variant with the most people, of each with all numbers."""
    most = max(record["people"]) if record["people"] else None
    pieces = []
    shown: dict[str, dict[str, Pixels]] = {}
    for run in record["runs"]:
        if run["seed"] != record["seeds"][0] or run["state"] != "finished":
            continue
        found = _picture(folder / run["folder"] / PICTURE)
        if found is None:
            continue
        if run["people"] == most:
            _add(shown.setdefault("variants", {}), run["variant"], found)
        if record["people"] is not None and len(record["people"]) > 1:
            _add(shown.setdefault(run["variant"], {}), f"{run['people']} people", found)
    for name, rows in shown.items():
        ordered = {key: rows[key] for key in sorted(rows, key=lambda key: key == "truth")}
        heading = "" if name == "variants" else f"{name}, by number of training people. "
        caption = f"{heading}People whom nobody has trained on; first seed."
        pieces.append(album.add(f"faces-{name}", partial(face_rows, ordered), alt=", ".join(ordered), caption=caption))
    return join(pieces) if pieces else None


def _add(rows: dict[str, Pixels], name: str, found: list[Pixels]) -> None:
    """Add a run's normalized faces, if they are of the same originals as the others."""
    if "original" not in rows:
        rows["original"] = found[0]
        if len(found) > 2:
            rows["truth"] = found[2]
    if np.array_equal(rows["original"], found[0]):
        rows[name] = found[1]


def _picture(path: Path) -> list[Pixels] | None:
    """The rows of a gate's picture of faces: original, normalized and, where known, truth; None where there is none."""
    if not path.is_file():
        return None
    try:
        pixels = decode_image(path.read_bytes(), where=str(path))
    except (OSError, ImageError):
        return None
    for count in (3, 2):  # rows are as high as a column is wide
        side = pixels.shape[0] // count
        if pixels.shape[0] % count == 0 and pixels.shape[1] % side == 0:
            return [pixels[row * side : (row + 1) * side] for row in range(count)]
    return None


def _losses(record: Record, album: Album) -> Markup | None:
    """Curves of the first seed: of all runs, or with the most people where these are too many."""
    runs = [run for run in record["runs"] if run["seed"] == record["seeds"][0] and run.get("curves")]
    if len(runs) > _MOST_LINES and record["people"]:
        runs = [run for run in runs if run["people"] == max(record["people"])]
    panels: dict[str, dict[str, Any]] = {}
    for run in runs:
        several = record["people"] is not None and len(record["people"]) > 1
        line = f"{run['variant']}, {run['people']} people" if several else run["variant"]
        for name, points in run["curves"].items():
            panels.setdefault(_panel(name), {})[line] = points
    if not panels:
        return None
    ordered = {name: panels[name] for name in sorted(panels, key=lambda name: (not name.startswith("val"), name))}
    return album.add(
        "losses",
        partial(loss_panels, ordered),
        alt="Losses and validation figures by epoch",
        caption="Means over each epoch, as weighted; validation figures with the averaged generator. First seed.",
    )


def _panel(name: str) -> str:
    kind, _, figure = name.partition("/")
    words = figure.replace("_", " ").replace("/", " / ")
    return f"val / {words}" if kind == "val" else words


def _runs(record: Record) -> Markup:
    rows, failed = [], []
    for run in record["runs"]:
        name = [run["variant"], "all" if run["people"] is None else str(run["people"]), str(run["seed"])]
        figures: Mapping[str, Any] = run.get("figures", {})
        shown = Cell("expression_r2", figures.get("expression_r2"), None).text()
        gate = {True: "passed", False: "not passed"}.get(run.get("passed"), "")
        steps = "" if run.get("steps") is None else f"{run['steps']:,}"
        rows.append([*name, run["state"], shown, gate, steps, duration(run.get("seconds") or 0.0)])
        if run["error"]:
            failed += [element("h3", " / ".join(name)), element("pre", run["error"])]
    head = ("variant", "people", "seed", "state", "R²", "gate", "steps", "time")
    folded = element("details", element("summary", f"All {len(rows)} runs"), table(head, rows, numbers=(4, 6, 7)))
    return join([*([element("p", "These runs failed:"), *failed] if failed else []), folded])


def _study(record: Record) -> Markup:
    pieces = [element("h3", "Study"), table((), list(flattened(record["facts"])))]
    for key, heading in (("versions", "Versions"), ("fingerprints", "Fingerprints")):
        if rows := list(flattened(part(record, key))):
            pieces += [element("h3", heading), table((), [(name, element("code", value)) for name, value in rows])]
    return join(pieces)
