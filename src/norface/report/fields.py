"""Take values out of the results file: nothing here fails, a missing figure is None and a missing part is empty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from norface.labels import AU_NAMES

Block = Mapping[str, object]
Matrix = list[list[float]]

INPUT_LABELS: dict[str, str] = {
    "raw": "originals",
    "raw_pretrained": "originals, pretrained",
    "normalized": "normalized alone",
    "both": "originals + normalized",
    "oracle": "oracle (true normalized)",
}
"""What a probe or classifier reads, in the order and the words of all tables and figures."""

NOT_AVAILABLE = "n/a"
"""A figure that could not be computed, such as the score of an action unit that no face has a label of."""

HEADLINE_METRIC: dict[str, tuple[str, str]] = {
    "fer": ("accuracy", "accuracy"),
    "au": ("f1", "mean F1"),
    "au-intensity": ("icc", "mean ICC(3,1)"),
}
"""Per task: the key of the figure that is compared first, and its name."""


def part(block: Block, *path: str) -> Block:
    """The object at this path, empty where there is none."""
    for key in path:
        value = block.get(key)
        block = value if isinstance(value, Mapping) else {}
    return block


def number(block: Block, key: str) -> float | None:
    """The number of this name; None where it is missing or null."""
    value = block.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def names(block: Block, key: str) -> list[str]:
    """The list of names under this key, empty where there is none."""
    value = block.get(key)
    return [str(item) for item in value] if isinstance(value, list) else []


def matrix(value: object, *, null: float = 0.0) -> Matrix:
    """Rows of numbers (a list, or an object of named rows), empty where there are none.

    Args:
        value: What the results file holds.
        null: What stands for null: 0 where cells are counted, NaN where they are shown.
    """
    rows = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list) else []
    return [[null if cell is None else float(cell) for cell in row] for row in rows]


def task(section: Block) -> str:
    """Task of a section's blocks; emotion recognition unless they say otherwise."""
    return next((str(block["task"]) for _, block in scored(section) if "task" in block), "fer")


def scored(section: Block) -> Iterator[tuple[str, Block]]:
    """(input, block of scores) of a section, in the order of `INPUT_LABELS`."""
    for name in INPUT_LABELS:
        if part(section, name):
            yield name, part(section, name)


def classes(results: Block, section: Block, block: Block, count: int) -> list[str]:
    """Names of `count` outputs: the block's, its section's or the protocol's, else their numbers."""
    stated = (names(block, "classes"), names(block, "labels"), names(section, "classes"))
    for found in (*stated, names(part(results, "protocol"), "emotions")):
        if len(found) == count:
            return found
    return [str(index) for index in range(count)]


def gap_closed(section: Block) -> float | None:
    """Share of the way from originals to oracle that the normalized faces go; None where there is no gap to close."""
    if "gap_closed" in section:
        return number(section, "gap_closed")
    metric, _ = HEADLINE_METRIC[task(section)]
    helped = "both" if part(section, "both") else "normalized"
    raw, normalized, oracle = (number(part(section, name), metric) for name in ("raw", helped, "oracle"))
    if raw is None or normalized is None or oracle is None or oracle - raw <= 0.01:
        return None
    return (normalized - raw) / (oracle - raw)


def constant_score(section: Block) -> float | None:
    """Score of a predictor that ignores the face: as the run computed it, else the share of the most frequent class."""
    metric, _ = HEADLINE_METRIC[task(section)]
    for _, block in scored(section):
        if (stated := number(part(block, "constant"), metric)) is not None:
            return stated
    for _, block in scored(section):
        totals = [sum(row) for row in matrix(block.get("confusion"))]
        if metric == "accuracy" and sum(totals) > 0:
            return max(totals) / sum(totals)
    return None


def faces_tested(section: Block) -> int | None:
    """How many faces were tested: as the run says, else what the confusion counts stand for."""
    for _, block in scored(section):
        if (stated := number(block, "n_faces")) is not None:
            return round(stated)
        if counts := matrix(block.get("confusion")):
            return round(sum(map(sum, counts)))
    return None


def au_label(name: str) -> str:
    """``AU12`` as ``AU12 lip corner puller``."""
    digits = "".join(character for character in name if character.isdigit())
    meaning = AU_NAMES.get(int(digits), "") if digits else ""
    return f"{name} {meaning}".strip()


def flattened(block: Block, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(dotted name, value as text) of everything in a nested object."""
    for key, value in block.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", as_text(value)


def as_text(value: object) -> str:
    """A value as a reader wants it: no quotes, no braces, four digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(as_text(item) for item in value) or "none"
    return "not known" if value is None else str(value)


def figure(value: float | None, digits: int = 3) -> str:
    """A score as text; n/a where it could not be computed."""
    return NOT_AVAILABLE if value is None else f"{value:.{digits}f}"


def duration(seconds: float) -> str:
    """Seconds as ``42 s``, ``3 min 20 s`` or ``1 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def timings(results: Block) -> dict[str, float]:
    """Seconds of each stage, in the order in which they ran; the total is left out."""
    found = {key: number(part(results, "timing"), key) for key in part(results, "timing")}
    return {key.removesuffix("_s"): value for key, value in found.items() if value is not None and key != "total_s"}


def total_time(results: Block) -> float | None:
    """Seconds of all stages together."""
    stated = number(part(results, "timing"), "total_s")
    stages = timings(results)
    return stated if stated is not None else (sum(stages.values()) if stages else None)
