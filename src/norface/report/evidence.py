"""The sections on scores: is the normalizer good, and does it help a classifier."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

from norface.report import figures
from norface.report.drawn import Album
from norface.report.fields import (
    HEADLINE_METRIC,
    INPUT_LABELS,
    NOT_AVAILABLE,
    Block,
    au_label,
    classes,
    constant_score,
    faces_tested,
    figure,
    gap_closed,
    matrix,
    number,
    part,
    scored,
    task,
)
from norface.report.html import Markup, badge, element, join, missing, note, table
from norface.report.summary import FIGURE_NAMES, check_limit, check_name, checks, section_name
from norface.results import SECTIONS, multi_section

_COLUMNS: tuple[tuple[str, str], ...] = (
    ("accuracy", "accuracy"),
    ("mean_class_accuracy", "mean-class acc."),
    ("macro_f1", "macro F1"),
    ("f1", "mean F1"),
    ("auroc", "mean AUROC"),
    ("icc", "mean ICC(3,1)"),
    ("pcc", "mean correlation"),
    ("mae", "mean MAE"),
    ("mse", "mean MSE"),
)

_KINDS: dict[str, str] = {
    "classifier": "Classifier",
    multi_section("fer"): "Classifier of several tasks",
    "probe": "Probe",
}
"""Sections with a confusion matrix."""

_MIXTURES: dict[str, str] = {
    "input": "Input experts",
    "output": "Output experts",
    "input_by_stream": "Input experts per stream",
}


def gate_section(gate: Block) -> Markup:
    """The gate's figures with their limits."""
    if not gate:
        return missing("The gate has not been run.", "make gate")
    seen = part(gate, "seen")

    def row(key: str, words: str, value: float | None, limit: str, mark: Markup) -> list[str]:
        known = number(seen, key)
        return [words, figure(value), *([figure(known) if known is not None else ""] if seen else []), limit, mark]

    rows = [
        row(
            str(check.get("name")), check_name(check), number(check, "value"), check_limit(check), badge(_passed(check))
        )
        for check in checks(gate)
    ]
    judged = {str(check.get("name")) for check in checks(gate)}
    rows += [
        row(key, words, number(gate, key), "", Markup(""))
        for key, words in FIGURE_NAMES.items()
        if key not in judged and number(gate, key) is not None
    ]
    head = ("figure", "value", *(("on people of the training",) if seen else ()), "limit", "")
    explanation = (
        "Measured on faces of people whom neither the normalizer nor its teachers have seen. R² is the share of the "
        "variance of the true normalized faces, on the face region, that the output explains; a normalizer that "
        "collapsed to one constant face scores 0. Similarities are cosines of identity embeddings."
    )
    return join([element("p", explanation), table(head, rows, numbers=range(1, len(head) - 1))])


def _passed(check: Block) -> bool | None:
    if number(check, "value") is None:
        return None
    return check.get("passed") is True


def benefit_section(results: Block, album: Album) -> Markup:
    """Probe and classifiers: bars, tables, gap closed."""
    pieces = [
        element(
            "p",
            "In each chart every bar is the same network with the same steps and augmentation; only the images differ. "
            "Gap closed = (with normalized faces − originals) / (oracle − originals): 0 = no help, 1 = as good as true "
            "normalized faces. “Originals, pretrained” starts from the normalizer's own encoder: it sets "
            "apart what the images add from what the extra supervision adds.",
        )
    ]
    bars, tables = [], []
    for key in SECTIONS:
        section = part(results, key)
        if not any(True for _ in scored(section)):
            continue
        name = "Probe: a small network on one kind of face"
        if key != "probe":
            name = f"Classifier: {section_name(key, section)}"
        bars.append(_bars(key, name, section, album))
        tables.append(element("div", element("h3", name), _scores_table(section), _tested(section)))
    pieces.append(element("div", join(bars), class_="pair"))
    pieces.append(element("div", join(tables), class_="pair"))
    if not part(results, "probe"):
        pieces.append(missing("The probe has not been run.", "make gate"))
    if not any(part(results, key) for key in SECTIONS[1:]):
        pieces.append(missing("No classifier has been trained.", "make train-classifier TASK=fer"))
    return join(pieces)


def _bars(key: str, name: str, section: Block, album: Album) -> Markup:
    metric, words = HEADLINE_METRIC[task(section)]
    scores = {kind: value for kind, block in scored(section) if (value := number(block, metric)) is not None}
    if not scores:
        return note(f"{name}: no {words}.")
    gap = gap_closed(section)
    caption = "" if gap is None else f"Gap closed: {gap:.0%}."
    draw = partial(figures.score_bars, scores, name, words, constant_score(section))
    alt = f"{name}: " + ", ".join(f"{INPUT_LABELS[kind]} {value:.3f}" for kind, value in scores.items())
    return album.add(f"scores-{key}", draw, alt=alt, caption=caption)


def _scores_table(section: Block) -> Markup:
    blocks = list(scored(section))
    columns = [item for item in _COLUMNS if any(number(block, item[0]) is not None for _, block in blocks)]
    rows = [[INPUT_LABELS[name], *(figure(number(block, key)) for key, _ in columns)] for name, block in blocks]
    constant = next((found for _, block in blocks if (found := part(block, "constant"))), None)
    if constant is not None:
        rows.append(["nothing (constant)", *(figure(number(constant, key)) for key, _ in columns)])
    return table(("network reads", *(words for _, words in columns)), rows, numbers=range(1, len(columns) + 1))


def _tested(section: Block) -> Markup:
    faces = faces_tested(section)
    subjects = next((found for _, block in scored(section) if (found := number(block, "n_subjects")) is not None), None)
    of_whom = "" if subjects is None else f" of {subjects:.0f} people"
    labelled = next((found for _, block in scored(section) if (found := number(block, "n_labels")) is not None), None)
    known = "" if labelled is None or labelled == faces else f", {labelled:,.0f} of them with a label"
    return note(f"{faces:,} test faces{of_whom}{known}.") if faces else Markup("")


def confusion_section(results: Block, album: Album) -> Markup:
    """Confusion matrices of originals, normalized, both and oracle side by side, the others folded away."""
    first: list[tuple[int, Markup]] = []
    rest: list[tuple[int, Markup]] = []
    taken: set[str] = set()
    for key, kind in _KINDS.items():
        section = part(results, key)
        for name, block in scored(section):
            counts = matrix(block.get("confusion"))
            if not counts:
                continue
            heading = f"{kind}: {INPUT_LABELS[name]}"
            labels = classes(results, section, block, len(counts))
            draw = partial(figures.confusion, counts, labels, heading)
            picture = album.add(f"confusion-{key}-{name}", draw, alt=f"Confusion matrix. {heading}")
            main = name in ("raw", "normalized", "both", "oracle") and name not in taken
            (first if main else rest).append((list(INPUT_LABELS).index(name), picture))
            taken |= {name} if main else set()
    if not first and not rest:
        return missing("No confusion matrices.", "make gate")
    ordered = [picture for _, picture in sorted(first, key=lambda pair: pair[0])]
    content = [
        element("p", "Percent of the faces of each true class (rows) that got each answer (columns)."),
        element("div", join(ordered), class_="pair"),
    ]
    if rest:
        folded = element("div", join(picture for _, picture in rest), class_="pair")
        content.append(element("details", element("summary", "The other matrices"), folded))
    return join(content)


def per_au_section(results: Block, album: Album) -> Markup:
    """Bars for each action unit, where a task has action units."""
    pieces = []
    for key in SECTIONS[1:]:
        section = part(results, key)
        metric, words = {"au": ("f1", "F1"), "au-intensity": ("icc", "ICC(3,1)")}.get(task(section), ("", ""))
        scores = {}
        for name, block in scored(section):
            per_au = part(block, f"{metric}_per_au")
            if per_au:
                scores[name] = {au: number(per_au, au) for au in per_au}
        if scores:
            heading = f"{section_name(key, section)}: {words} of each action unit"
            draw = partial(figures.per_au_bars, scores, words, heading)
            pieces.append(album.add(f"per-au-{key}", draw, alt=heading, caption=_never_scored(scores)))
    if not pieces:
        return missing("No action unit task has been tested.", "make train-classifier TASK=au")
    return join(pieces)


def _never_scored(scores: Mapping[str, Mapping[str, float | None]]) -> str:
    aus = sorted({au for values in scores.values() for au in values})
    nowhere = [au for au in aus if all(values.get(au) is None for values in scores.values())]
    if not nowhere:
        return ""
    return f"{NOT_AVAILABLE}: {', '.join(nowhere)} {'has' if len(nowhere) == 1 else 'have'} no labels."


def expert_section(results: Block, album: Album) -> Markup:
    """Heat maps of the gates of the classifier that reads both streams, per class or action unit."""
    pieces = []
    for key in SECTIONS[1:]:
        section = part(results, key)
        maps = []
        for mixture, heading in _MIXTURES.items():
            if use := matrix(part(section, "both", "expert_use").get(mixture), null=math.nan):
                rows = _row_names(results, section, mixture, len(use))
                draw = partial(figures.expert_use, use, rows, heading)
                maps.append(album.add(f"experts-{key}-{mixture}", draw, alt=f"{heading}: share of the gate"))
        if maps:
            pieces += [element("h3", section_name(key, section)), element("div", join(maps), class_="row")]
    if not pieces:
        return missing("The use of the experts has not been recorded.", "make train-classifier TASK=fer")
    explanation = (
        "Percent of the gate that each expert gets in the classifier with both streams, averaged over the test faces. "
        "Equal columns mean that the experts do not specialise; a column of zeros is an expert that is never asked."
    )
    return join([element("p", explanation), *pieces])


def _row_names(results: Block, section: Block, mixture: str, count: int) -> list[str]:
    block = part(section, "both")
    streams = list(part(block, "expert_use", mixture))
    if streams:
        return streams
    found = classes(results, section, block, count)
    return found if task(section) == "fer" else [au_label(au) for au in found]
