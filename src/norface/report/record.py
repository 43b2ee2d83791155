"""The sections on how the run was made: pictures, training curves, protocol, times, versions."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from norface.report import figures
from norface.report.curves import MAX_PANELS, curves_figure, find_curves
from norface.report.drawn import Album
from norface.report.fields import Block, duration, flattened, part, timings, total_time
from norface.report.html import Markup, element, figure, join, missing, picture, table

_PNG = b"\x89PNG\r\n\x1a\n"


def grid_section(run: Path, album: Album) -> Markup:
    """Original, normalized and true normalized faces of every emotion, as the gate drew them."""
    content = _read_png(run / "gate" / "grid.png")
    if content is None:
        return missing("No picture of normalized faces.", "make gate")
    album.keep("grid", content)
    caption = "Faces of people whom the normalizer has not seen: original, normalized, and true where it is known."
    return figure(picture(content, alt=caption), caption)


def curves_section(run: Path, album: Album) -> Markup:
    """Small multiples of every stage's training curves."""
    stages = find_curves(run)
    if not stages:
        return missing("No training curves (metrics.csv) in the run folder.", "make demo")
    pieces = []
    for stage in sorted(stages, key=_pipeline_order):
        curves = stages[stage]
        panels = len({curve.panel for curve in curves})
        remarks = ["Solid: validation, dashed: training."] if any(curve.run for curve in curves) else []
        remarks += [f"{panels - MAX_PANELS} more metrics are in metrics.csv."] if panels > MAX_PANELS else []
        draw = partial(curves_figure, curves)
        pieces.append(element("h3", f"{stage[:1].upper()}{stage[1:]}".replace("/", " / ")))
        pieces.append(album.add(f"curves-{stage}", draw, alt=f"Training curves of {stage}", caption=" ".join(remarks)))
    return join(pieces)


def previews_section(run: Path, album: Album) -> Markup:
    """What the normalizer drew at the start, in the middle and at the end of its training."""
    found = sorted((run / "normalizer" / "previews").glob("*.png"), key=lambda path: _numbers_in(path.name))
    chosen = list(dict.fromkeys(found[index] for index in (0, len(found) // 2, -1))) if found else []
    pieces = []
    for moment, path in zip(_moments(len(chosen)), chosen, strict=True):
        content = _read_png(path)
        if content is not None:
            album.keep(f"preview-{moment}", content)
            words = path.stem.replace("-", " ").replace("_", " ").replace("=", " ")
            pieces.append(figure(picture(content, alt=f"Preview, {words}"), f"{moment.capitalize()}: {words}"))
    if not pieces:
        return missing("No previews of the normalizer's training.", "make train-normalizer")
    return element("div", join(pieces), class_="previews")


def protocol_section(results: Block, album: Album) -> Markup:
    """Protocol, times, versions and fingerprints as tables, the times as one bar."""
    protocol = dict(part(results, "protocol"))
    if "seed" in results:
        protocol.setdefault("seed", results["seed"])
    pieces = [
        element("h3", "Protocol"),
        table((), list(flattened(protocol))) if protocol else missing("No protocol was recorded.", "make gate"),
        element("h3", "Times"),
    ]
    seconds = timings(results)
    if seconds:
        alt = "Time of each stage: " + ", ".join(f"{stage} {duration(value)}" for stage, value in seconds.items())
        pieces.append(album.add("timing", partial(figures.timing_bars, seconds), alt=alt))
        rows = [(stage.replace("_", " "), duration(value)) for stage, value in seconds.items()]
        rows.append(("total", duration(total_time(results) or 0.0)))
        pieces.append(table(("stage", "time"), rows, numbers=(1,)))
    else:
        pieces.append(missing("No times were recorded.", "make demo"))
    for key, heading in (("versions", "Versions"), ("fingerprints", "Fingerprints and provenance")):
        if rows := list(flattened(part(results, key))):
            pieces += [element("h3", heading), table((), [(name, element("code", value)) for name, value in rows])]
    return join(pieces)


def _moments(count: int) -> tuple[str, ...]:
    return {0: (), 1: ("last",), 2: ("first", "last")}.get(count, ("first", "middle", "last"))


def _numbers_in(name: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", name)]


def _pipeline_order(stage: str) -> tuple[int, str]:
    order = ("teacher", "normalizer", "cache", "probe", "gate", "classifier")
    return next((index for index, name in enumerate(order) if stage.startswith(name)), len(order)), stage


def _read_png(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    # A half-written or foreign file is left out rather than shown as a broken picture.
    return content if content.startswith(_PNG) and b"IEND" in content[-16:] else None
