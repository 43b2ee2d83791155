"""Make the report of a run folder: one self-contained page and its figures as PNG files."""

from __future__ import annotations

from pathlib import Path

from norface.imaging.files import write_atomically
from norface.report.drawn import Album
from norface.report.evidence import benefit_section, confusion_section, expert_section, gate_section, per_au_section
from norface.report.fields import part
from norface.report.html import page
from norface.report.record import curves_section, grid_section, previews_section, protocol_section
from norface.report.summary import header
from norface.results import read_results


def build_report(run: Path, out: Path) -> Path:
    """Write ``index.html`` and the figures of a run; nothing is computed and nothing is loaded from a network.

    Reads from the run folder ``results.json``, and where they exist ``gate/grid.png``, ``normalizer/previews/*.png``
    and ``<stage>/**/metrics.csv``. What is missing is left out, with a remark on which command makes it.

    Args:
        run: Run folder.
        out: Folder of the report; made when missing.

    Returns:
        Path of the page.

    Raises:
        ResultsError: There is no results file, or it is damaged.
        OutputError: The report cannot be written.
    """
    results = read_results(run / "results.json")
    album = Album(out)
    sections = [
        ("Faces", "Original, normalized, true", grid_section(run, album)),
        ("Gate", "How good is the normalization?", gate_section(part(results, "gate"))),
        ("Benefit", "Does it help?", benefit_section(results, album)),
        ("Confusion", "Which expressions are confused?", confusion_section(results, album)),
        ("Action units", "Action units", per_au_section(results, album)),
        ("Experts", "What do the experts do?", expert_section(results, album)),
        ("Training", "Training curves", curves_section(run, album)),
        ("Previews", "How the normalizer learned", previews_section(run, album)),
        ("Protocol", "Protocol, times, versions", protocol_section(results, album)),
    ]
    name = run.resolve().name
    path = out / "index.html"
    write_atomically(path, page(f"norface report: {name}", sections, header(results, name)).encode("utf-8"))
    return path
