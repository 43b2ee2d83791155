"""The head of a page that sums up many runs."""

from __future__ import annotations

from collections.abc import Sequence

from norface.report.html import Markup, element, join
from norface.runs.record import Record


def counted(record: Record, *keys: str) -> list[str]:
    """How many there are of each key, a plural: ``3 variants``, ``1 seed``."""
    return [f"{len(record[key])} {key if len(record[key]) != 1 else key[:-1]}" for key in keys]


def header(record: Record, *, what: str, facts: Sequence[str], cards: Sequence[Markup]) -> Markup:
    """Name, facts, what to be warned of, and the figures that matter most.

    Args:
        record: With `name`, `runs` and `remarks`.
        what: Above the name.
        facts: Below it.
        cards: One for each figure.
    """
    missing = [run for run in record["runs"] if run["state"] != "finished"]
    warnings = list(record["remarks"])
    if missing:
        warnings.insert(0, f"{len(missing)} of {len(record['runs'])} runs are not finished; figures are of the others.")
    pieces: list[str] = [
        element("div", what, class_="eyebrow"),
        element("h1", record["name"]),
        element("p", "  ·  ".join(facts), class_="subtitle"),
    ]
    if warnings:
        lines = join(element("p", warning) for warning in warnings)
        pieces.append(element("div", lines, class_=f"verdict {'bad' if missing else ''}".strip()))
    return join([*pieces, element("div", join(cards), class_="cards")])
