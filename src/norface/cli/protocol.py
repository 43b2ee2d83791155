"""``norface protocol run`` and ``norface protocol compare``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from norface.cli.many_runs import all_finished, compute
from norface.protocol.plan import CrossPlan, FoldPlan, Protocol
from norface.runs.variants import Nested, Variant

if TYPE_CHECKING:
    from norface.protocol.comparing import Comparison
    from norface.protocol.plan import Run
    from norface.runs.planned import Planned


def run(
    *,
    name: str,
    task: Literal["fer", "au", "au-intensity"],
    configs: list[str],
    table: str,
    variants: dict[str, Variant],
    settings: Nested | None = None,
    baseline: str | None = None,
    seeds: list[int] | None = None,
    people: list[int] | None = None,
    folds: FoldPlan | None = None,
    cross: CrossPlan | None = None,
    over_folds: Literal["mean", "pooled"] = "mean",
    normalizer: str | None = None,
    cache: str | None = None,
    out: Path | None = None,
) -> bool:
    """Train and test every variant on every fold, with every seed and number of people; sum up in a table and a page.

    A protocol is a file: `norface protocol run --config configs/protocol/ablation.yaml`. Options after it replace
    single settings, such as --seeds "[0]". Run again, it goes on where it stopped; a run that fails is listed, the
    others go on.

    Args:
        name: Of the protocol.
        task: fer, au or au-intensity.
        configs: Configurations of all runs, merged from left to right.
        table: Folder with faces.parquet, or a CSV or Parquet file; with `cross`, the one that is trained on.
        variants: Name of each thing that is compared: `configs` and `settings` on top of those of all runs.
        settings: Settings of all runs, nested as in a configuration.
        baseline: Variant that the others are compared with.
        seeds: Of weights, order and dropout; without it 0, 1 and 2.
        people: Numbers of labelled training subjects, such as [5, 10, 20]; without it, all of them.
        folds: Folds of the table; without them and without `cross`, its column `split`.
        cross: Data sets to test on, in place of folds.
        over_folds: mean: the mean of the folds' figures; pooled: the figures of all faces of all folds.
        normalizer: Checkpoint of the normalizer; `{fold}` stands for the name of the fold.
        cache: Folder of caches; a missing cache is made; `{fold}` likewise.
        out: Folder of the protocol; without it, runs/protocol/ and its name.
    """
    protocol = Protocol(
        name=name,
        task=task,
        configs=configs,
        table=table,
        variants=variants,
        settings=settings or Nested(),
        baseline=baseline,
        seeds=[0, 1, 2] if seeds is None else seeds,
        people=people,
        folds=folds,
        cross=cross,
        over_folds=over_folds,
        normalizer=normalizer,
        cache=cache,
    )
    return _run(protocol, out if out is not None else Path("runs/protocol") / name)


def _run(protocol: Protocol, out: Path) -> bool:
    from norface.protocol.divisions import divisions
    from norface.protocol.record import write_record
    from norface.protocol.settings import plan_runs
    from norface.protocol.summing_up import sum_up
    from norface.report.protocol_page import build_protocol_report
    from norface.runs.running import check_folders

    found = divisions(protocol, out)
    planned = plan_runs(protocol, found, out)
    check_folders(planned)
    _check_settings(protocol, planned)
    outcomes = compute(planned)
    write_record(out, sum_up(protocol, outcomes, found))
    page = build_protocol_report(out)
    print((out / "table.md").read_text(encoding="utf-8"))
    print(f"tables: {out}/table.md, .csv, .tex; numbers: {out}/protocol.json\nreport: {page}")
    return all_finished(outcomes, "protocol")


def _check_settings(protocol: Protocol, planned: Sequence[Planned[Run]]) -> None:
    """Read the settings of each variant as `norface fit` will: a wrong name should not show after days."""
    from norface.cli.training import parsed_model
    from norface.errors import ConfigError

    first = {one.run.variant: one for one in reversed(planned)}
    for variant, one in first.items():
        model = parsed_model(one.words())
        if getattr(model, "task", None) != protocol.task:
            raise ConfigError(
                expected=f"a model for task {protocol.task}",
                found=model.__name__,
                where=f"protocol: variant {variant}",
                action="Correct `task`, or the configurations in `configs`.",
            )


def compare(first: str, second: str, *, out: Path | None = None) -> None:
    """Is the second better than the first? Paired differences on the same faces, with an interval over subjects.

    Each side is FOLDER:VARIANT, with @PEOPLE where a protocol has several numbers of people and only one is meant:
    `norface protocol compare runs/protocol/ablation:raw runs/protocol/ablation:full@20`.

    Args:
        first: What is compared with: FOLDER:VARIANT or FOLDER:VARIANT@PEOPLE.
        second: What is compared, likewise.
        out: JSON file for the numbers.
    """
    from norface.protocol.sides import compare_named, named

    one, other = named(first), named(second)
    compared = compare_named(one, other)
    for people, (found, seeds) in compared.items():
        _print_comparison(f"{first} to {second}", one.record, people, found, seeds)
    if out is not None:
        import json

        from norface.imaging.files import write_atomically
        from norface.protocol.summing_up import described
        from norface.runs.plain import plain

        blocks = [{"people": people, **described(found, seeds)} for people, (found, seeds) in compared.items()]
        content = plain({"first": first, "second": second, "differences": blocks})
        write_atomically(out, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def _print_comparison(
    heading: str, record: dict[str, Any], people: int | None, compared: Comparison, seeds: Sequence[int]
) -> None:
    from rich.console import Console
    from rich.table import Table

    from norface.report.protocol_table import shown_figures

    whom = "" if people is None else f", {people} labelled people"
    print(f"{heading}{whom}: {compared.faces:,} faces of {compared.subjects} people, seeds {_listed(seeds)}")
    shown = Table()
    for column in ("figure", "first", "second", "difference", "95 % interval"):
        shown.add_column(column, justify="left" if column == "figure" else "right")
    for row in shown_figures(record, compared.figures):
        shown.add_row(*row)
    Console().print(shown)
    if compared.unanswered:
        print(f"{compared.unanswered} faces are left out, because one of the two has no answer for them")


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
