"""What commands that make many runs share: their settings' type, the progress bar, the list of what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jsonargparse.typing import register_type

from norface.runs.variants import Nested

if TYPE_CHECKING:
    from norface.runs.planned import Planned, R
    from norface.runs.running import Outcome


def _nested(value: object) -> Nested:
    if not isinstance(value, dict):
        raise ValueError("expected settings nested as in a configuration")
    return Nested(value)


register_type(Nested, serializer=lambda settings: settings.plain, deserializer=_nested)


def compute(planned: Sequence[Planned[R]]) -> list[Outcome[R]]:
    """Compute what is missing, with a progress bar.

    Raises:
        KeyboardInterrupt: A run was interrupted; how many are finished has been said.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from norface.cli.child import launch
    from norface.cli.versions import run_versions
    from norface.runs.running import run_all

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    console = Console(stderr=True)
    done = 0
    try:
        with Progress(*columns, console=console, speed_estimate_period=7 * 24 * 3600) as bar:
            task = bar.add_task("", total=len(planned))

            def began(one: Planned[R]) -> None:
                bar.update(task, description=str(one.run))

            def ended(outcome: Outcome[R]) -> None:
                nonlocal done
                done += outcome.state == "finished"
                bar.advance(task)
                if outcome.state == "failed":
                    console.print(f"{outcome.planned.run}: failed, see {outcome.planned.folder}/log.txt", markup=False)

            return run_all(planned, launch, versions=run_versions(), began=began, ended=ended)
    except KeyboardInterrupt:
        console.print(f"{done} of {len(planned)} runs are finished and will not be computed again", markup=False)
        raise


def all_finished(outcomes: Sequence[Outcome[R]], what: str) -> bool:
    """Whether all runs are finished; those that are not are listed.

    Args:
        outcomes: What became of the runs.
        what: Of what they are, such as ``protocol``.
    """
    missing = [outcome for outcome in outcomes if outcome.state != "finished"]
    for outcome in missing:
        reason = outcome.error or f"another process is computing it; run the {what} again when it is done"
        print(f"\nnot finished: {outcome.planned.run} ({outcome.planned.folder})\n{reason}")
    if missing:
        print(f"\n{len(missing)} of {len(outcomes)} runs are not finished; the same command computes what is missing")
    return not missing
