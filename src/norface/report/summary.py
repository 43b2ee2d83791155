"""The top of the page: what was run, whether the gate let it pass, and the key figures; and the terminal's table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from norface.report.fields import (
    HEADLINE_METRIC,
    INPUT_LABELS,
    Block,
    duration,
    figure,
    gap_closed,
    names,
    number,
    part,
    scored,
    task,
    total_time,
)
from norface.report.html import Markup, card, element, join
from norface.results import MULTI_SECTION, SECTIONS

TASK_NAMES: dict[str, str] = {
    "fer": "Emotion recognition",
    "au": "Action unit detection",
    "au-intensity": "Action unit intensity",
}

FIGURE_NAMES: dict[str, str] = {
    "expression_r2": "expression kept (R²)",
    "identity_to_target": "identity: similarity to the target",
    "identity_to_original": "identity: similarity to the original",
    "subject_accuracy": "subject recognised from the normalized face",
    "subject_chance": "subject recognised by chance",
    "subject_accuracy_original": "subject recognised from the original",
    "subject_accuracy_trained": "subject, network trained on normalized faces",
    "subject_accuracy_trained_original": "subject, network trained on originals",
    "background_error": "background: difference to the target",
    "gap_closed": "gap closed by the probe",
}
"""Plain words for the gate's figures; a check of another name is shown by its name."""


def section_name(key: str, section: Block) -> str:
    """Task of a classifier's section, in plain words."""
    return TASK_NAMES[task(section)] + (", one of several tasks" if key.startswith(MULTI_SECTION) else "")


def verdict(gate: Block) -> tuple[str, str, str]:
    """(state, short answer, one plain sentence) on whether the normalizer can be trusted."""
    if not gate:
        return "", "Gate not run", "Whether the normalizer keeps expressions and removes identity is not known yet."
    r2, found, chance = (number(gate, key) for key in ("expression_r2", "subject_accuracy", "subject_chance"))
    kept = "" if r2 is None else f"explain {r2:.0%} of the variance of the true normalized faces"
    known = found is not None and chance is not None
    hidden = f"give the right subject away in {found:.1%} of cases (chance {chance:.1%})" if known else ""
    facts = " and ".join(filter(None, (kept, hidden)))
    sentence = f"On people nobody trained on, the normalized faces {facts}." if facts else ""
    if gate.get("passed") is True:
        return "good", "Gate passed: the normalizer keeps the expression and removes the person", sentence
    failed = [check_name(check) for check in checks(gate) if check.get("passed") is False]
    reasons = f" Not reached: {', '.join(failed)}." if failed else ""
    return "bad", "Gate failed: do not build on these normalized faces", f"{sentence}{reasons}".strip()


def checks(gate: Block) -> list[Block]:
    """The gate's checks."""
    found = gate.get("checks")
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def check_name(check: Block) -> str:
    """What a check looks at, in plain words."""
    name = str(check.get("name", "check"))
    return FIGURE_NAMES.get(name, name.replace("_", " "))


def check_limit(check: Block) -> str:
    """The limit of a check, such as ``≥ 0.750``."""
    sign = "≥" if check.get("direction") == "min" else "≤"
    return f"{sign} {figure(number(check, 'limit'))}"


def header(results: Block, name: str) -> Markup:
    """Title, verdict and key figures."""
    protocol = part(results, "protocol")
    facts = [f"run {name}"]
    facts += [f"{label} {results[key]}" for key, label in (("seed", "seed"),) if key in results]
    facts += [f"{key} {protocol[key]}" for key in ("dataset", "data") if isinstance(protocol.get(key), str)]
    facts += [f"norface {version}" for version in [part(results, "versions").get("norface")] if version]
    state, short, sentence = verdict(part(results, "gate"))
    return join(
        [
            element("div", "norface report", class_="eyebrow"),
            element("h1", "Does removing what is not expression help?"),
            element("p", "  ·  ".join(facts), class_="subtitle"),
            element("div", element("p", element("strong", short), sentence), class_=f"verdict {state}".strip()),
            _warnings(protocol),
            element("div", join(_cards(results)), class_="cards"),
        ]
    )


def _warnings(protocol: Block) -> Markup:
    lines = []
    if leaked := names(protocol, "leaked_subjects"):
        people = ", ".join(leaked[:10]) + (" and others" if len(leaked) > 10 else "")
        lines.append(("Leakage was allowed", f"A network was trained on people who are tested here: {people}."))
    return join(
        element("div", element("p", element("strong", short), long), class_="verdict bad") for short, long in lines
    )


def _cards(results: Block) -> list[Markup]:
    gate, probe = part(results, "gate"), part(results, "probe")
    cards = []
    if (r2 := number(gate, "expression_r2")) is not None:
        state = _state(gate, "expression_r2")
        cards.append(card("Expression kept", f"{r2:.3f}", "R² against the true normalized face", state=state))
    if (found := number(gate, "subject_accuracy")) is not None:
        chance = number(gate, "subject_chance")
        note = f"subject recognised; chance is {chance:.1%}" if chance is not None else "subject recognised"
        cards.append(card("Identity left", f"{found:.1%}", note, state=_state(gate, "subject_accuracy")))
    if (gap := gap_closed(probe)) is not None:
        scores = {name: number(block, "accuracy") for name, block in scored(probe)}
        raw, normalized, oracle = (figure(scores.get(name)) for name in ("raw", "normalized", "oracle"))
        note = f"{raw} → {normalized}, oracle {oracle}"
        cards.append(card("Gap closed by the probe", f"{gap:.0%}", note))
    for key in SECTIONS[1:]:
        section = part(results, key)
        metric, words = HEADLINE_METRIC[task(section)]
        both, alone = number(part(section, "both"), metric), number(part(section, "raw"), metric)
        if both is not None:
            note = words if alone is None else f"{words}; originals alone {alone:.3f} ({both - alone:+.3f})"
            cards.append(card(f"{section_name(key, section)}, both streams", f"{both:.3f}", note))
    if (seconds := total_time(results)) is not None:
        cards.append(card("Time in total", duration(seconds), "all stages of this run"))
    return cards


def _state(gate: Block, name: str) -> str:
    for check in checks(gate):
        if check.get("name") == name:
            return "good" if check.get("passed") else "bad"
    return ""


def terminal_table(results: Block, page: Path | None = None) -> str:
    """The key figures as a few lines of plain text.

    Args:
        results: Contents of a results file.
        page: The report, named in the last line.
    """
    gate = part(results, "gate")
    lines = [verdict(gate)[1]]
    for check in checks(gate)[:7]:
        mark = {True: "pass", False: "FAIL"}.get(bool(check.get("passed")), "")
        lines.append(f"  {check_name(check):<46} {figure(number(check, 'value')):>7}  {check_limit(check):<8} {mark}")
    for key in SECTIONS:
        section = part(results, key)
        metric, words = HEADLINE_METRIC[task(section)]
        shown = [(name, figure(number(block, metric))) for name, block in scored(section) if metric in block]
        if not shown:
            continue
        name = "Probe" if key == "probe" else section_name(key, section)
        if key in SECTIONS[2:]:  # the further tasks in one line each: the table fits on a screen
            lines.append(f"{name} ({words}): " + ", ".join(f"{name} {value}" for name, value in shown))
            continue
        lines.append(f"{name} ({words})")
        lines += [f"  {INPUT_LABELS[name]:<46} {value:>7}" for name, value in shown]
        if (gap := gap_closed(section)) is not None:
            lines.append(f"  {'gap closed':<46} {gap:>7.3f}")
    if (seconds := total_time(results)) is not None:
        lines.append(f"{'Time in total':<48} {duration(seconds):>7}")
    if page is not None:
        lines.append(f"Report: {page}")
    return "\n".join(lines)
