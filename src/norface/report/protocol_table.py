"""The table of a protocol in the literature's order, as Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from norface.protocol.comparing import Difference
from norface.report.fields import NOT_AVAILABLE, Block

MEAN = "mean"
"""Head of the column that sums up action units."""

PERCENT = ("accuracy", "mean_class_accuracy", "macro_f1", "f1", "recall", "ece", "ece_scaled", "aurc")
"""Figures that the literature gives in percent."""

NAMES: Mapping[str, str] = {
    "accuracy": "accuracy",
    "mean_class_accuracy": "mean-class acc.",
    "macro_f1": "macro F1",
    "f1": "F1",
    "icc": "ICC(3,1)",
    "mae": "MAE",
    "mse": "MSE",
    "pcc": "PCC",
    "temperature": "temperature",
    "nll": "NLL",
    "nll_scaled": "NLL, scaled",
    "ece": "ECE, %",
    "ece_scaled": "ECE, scaled, %",
    "aurc": "error over coverage, %",
}
_TABLED: Mapping[str, tuple[str, ...]] = {"au": ("f1",), "au-intensity": ("icc", "mae", "mse")}
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "_": r"\_",
        "#": r"\#",
        "$": r"\$",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)


@dataclass(frozen=True)
class Cell:
    """One number of the table.

    Args:
        name: Of the figure, such as ``f1.AU01``.
        mean: None = cannot be known.
        spread: Standard deviation, None where there is nothing to spread.
    """

    name: str
    mean: float | None
    spread: float | None

    def text(self, between: str = " ± ") -> str:
        """Mean and spread; percent with one decimal, others with three."""
        if self.mean is None:
            return NOT_AVAILABLE
        scale, digits = (100.0, 1) if self.name.partition(".")[0] in PERCENT else (1.0, 3)
        spread = "" if self.spread is None else f"{between}{self.spread * scale:.{digits}f}"
        return f"{self.mean * scale:.{digits}f}{spread}"


@dataclass(frozen=True)
class ProtocolTable:
    """The table.

    Args:
        caption: What stands in it, and what the spread is.
        keys: Heads of the columns that say what a row is.
        head: Heads of the columns of numbers.
        rows: What a row is, and its numbers.
    """

    caption: str
    keys: tuple[str, ...]
    head: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[Cell, ...]], ...]

    @property
    def summed(self) -> bool:
        """Whether the last column is the mean of the others."""
        return self.head[-1:] == (MEAN,)

    def markdown(self) -> str:
        """With the caption above."""
        lines = [[*self.keys, *self.head], ["---"] * len(self.keys) + ["---:"] * len(self.head)]
        lines += [[*key, *(cell.text() for cell in cells)] for key, cells in self.rows]
        body = ["| " + " | ".join(text.replace("|", r"\|") for text in line) + " |" for line in lines]
        return "\n".join([self.caption, "", *body]) + "\n"

    def csv(self) -> str:
        """Whole numbers, as in the results; a column for each mean and one for its spread."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*self.keys, *(word for head in self.head for word in (head, f"{head} std"))])
        for key, cells in self.rows:
            numbers = [value for cell in cells for value in (cell.mean, cell.spread)]
            writer.writerow([*key, *("" if value is None else f"{value:.6g}" for value in numbers)])
        return text.getvalue()

    def latex(self) -> str:
        """A tabular with booktabs' rules."""
        columns = "l" * len(self.keys) + "r" * len(self.head)
        lines = [" & ".join(word.translate(_LATEX) for word in (*self.keys, *self.head))]
        for key, cells in self.rows:
            lines.append(" & ".join([*(word.translate(_LATEX) for word in key), *map(_latex, cells)]))
        head, *body = [f"{line} \\\\" for line in lines]
        caption = f"% {self.caption}"
        parts = [caption, f"\\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule"]
        return "\n".join([*parts, r"\end{tabular}"]) + "\n"


def protocol_table(record: Block) -> ProtocolTable:
    """The table of a protocol's results: emotions by their figures, action units in numeric order and their mean."""
    task = str(record["task"])
    summary: Sequence[Any] = [*record["summary"], *record["extra"]]  # type: ignore[misc]
    spread = spread_of(record)
    with_people = record["people"] is not None
    tabled = _TABLED.get(task, ())
    with_figure = len(tabled) > 1
    labels = sorted(str(label) for label in record["labels"])  # type: ignore[attr-defined]
    groups = [(figure, [*(f"{figure}.{label}" for label in labels), figure]) for figure in tabled]
    if task == "fer":
        figures = [str(figure) for figure in record["figures"]]  # type: ignore[attr-defined]
        groups = [("", figures)]
    rows = []
    for figure, names in groups:
        for block in summary:
            key = [NAMES[figure]] if with_figure else []
            key += [_row_name(block)] + ([str(block["people"])] if with_people else [])
            cells = tuple(_cell(block["figures"].get(name, {}), name, spread) for name in names)
            rows.append((tuple(key), cells))
    keys = (["figure"] if with_figure else []) + ["variant"] + (["people"] if with_people else [])
    head = tuple(NAMES[name] for name in groups[0][1]) if task == "fer" else (*labels, MEAN)
    return ProtocolTable(_caption(record, spread), tuple(keys), head, tuple(rows))


def _row_name(block: Block) -> str:
    return f"{block['variant']} ({block['rule']})" if "rule" in block else str(block["variant"])


def shown_figures(record: Block, found: Mapping[str, Difference]) -> list[tuple[str, str, str, str, str]]:
    """Rows of a comparison: figure, first, second, difference, interval; the means first, then single labels.

    Args:
        record: Of the protocol.
        found: Differences by figure; those that cannot be known are left out.
    """
    means = [str(figure) for figure in record["figures"]]  # type: ignore[attr-defined]
    merit = str(record["merit"])
    per_label = [name for name in found if name.partition(".")[0] in (merit, "recall") and name not in means]
    rows = []
    for name in [*means, *sorted(per_label)]:
        one = found[name]
        if not math.isnan(one.difference):
            kind, _, label = name.partition(".")
            words = NAMES[kind] if not label else label if kind == merit else f"recall, {label}"
            low, high = (signed(name, value) for value in (one.low, one.high))
            interval = NOT_AVAILABLE if math.isnan(one.low) else f"{low} to {high}"
            first, second = (Cell(name, value, None).text() for value in (one.first, one.second))
            rows.append((words, first, second, signed(name, one.difference), interval))
    return rows


def signed(name: str, value: float) -> str:
    """A difference as text, in the unit of `Cell`."""
    scale, digits = (100.0, 1) if name.partition(".")[0] in PERCENT else (1.0, 3)
    return f"{value * scale:+.{digits}f}"


def spread_of(record: Block) -> str:
    """Over what the spread is taken: seeds, else folds, else nothing."""
    seeds, folds = (len(record[key]) for key in ("seeds", "folds"))  # type: ignore[arg-type]
    return "seeds" if seeds > 1 else "folds" if folds > 1 else ""


def _cell(found: Mapping[str, Any], name: str, spread: str) -> Cell:
    return Cell(name, found.get("mean"), found.get(f"std_{spread}") if spread else None)


def _caption(record: Block, spread: str) -> str:
    task = str(record["task"])
    what = {"fer": "figures in percent", "au": "F1 in percent, threshold 0.5", "au-intensity": "intensities 0 to 5"}[
        task
    ]
    folds = len(record["folds"])  # type: ignore[arg-type]
    how = {"mean": f"mean of {folds} folds", "pooled": f"all faces of {folds} folds"}[str(record["over_folds"])]
    words = [f"{record['name']}: {what}"] + ([how] if folds > 1 else [])
    caption = ", ".join(words) + (f"; ± standard deviation over {spread}." if spread else ".")
    if record["extra"]:
        caption += " Rows named 'on test' have chosen an epoch or thresholds on test faces: no results."
    return caption


def _latex(cell: Cell) -> str:
    text = cell.text(r" \pm ")
    return text if cell.mean is None else f"${text}$"
