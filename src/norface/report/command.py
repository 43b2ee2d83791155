"""``norface report``: results of a run folder as a table in the terminal, an HTML page and PNG figures."""

from __future__ import annotations

from pathlib import Path


def report(run: str, out: str | None = None) -> None:
    """Make the report of a run folder: a self-contained HTML page, PNG figures and a short table in the terminal.

    Args:
        run: Run folder with a results.json, such as runs/demo.
        out: Folder of the report; report/ in the run folder unless given.

    Raises:
        ResultsError: There is no results file, or it is damaged.
        OutputError: The report cannot be written.
    """
    from norface.results import read_results

    folder = Path(run)
    results = read_results(folder / "results.json")  # before matplotlib and torch load: a wrong path answers at once

    from norface.report.build import build_report
    from norface.report.summary import terminal_table

    page = build_report(folder, Path(out) if out is not None else folder / "report")
    print(terminal_table(results, page))
