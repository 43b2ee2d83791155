"""``--timing FILE:STAGE``, which every command takes: its wall time goes into a results file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from norface.cli.usage import UsageError

OPTION = "--timing"


@dataclass(frozen=True)
class Timing:
    """Where the wall time of a command goes: ``timing.<stage>_s`` of a results file."""

    results: Path
    stage: str

    def record(self, seconds: float) -> None:
        """Merge the time into the results file."""
        from norface.results import update_results

        update_results(self.results, {"timing": {f"{self.stage}_s": round(seconds, 2)}})


def take_timing(args: list[str]) -> tuple[list[str], Timing | None]:
    """Take the option out of a command line.

    Returns:
        The other arguments, and where to record the time (None = nowhere).

    Raises:
        UsageError: The option has no value, or one without a file or a stage.
    """
    rest: list[str] = []
    value: str | None = None
    remaining = iter(args)
    for arg in remaining:
        if arg == OPTION:
            value = next(remaining, "")
        elif arg.startswith(f"{OPTION}="):
            value = arg.partition("=")[2]
        else:
            rest.append(arg)
    if value is None:
        return rest, None
    file, _, stage = value.rpartition(":")
    if not (file and stage.isidentifier()):
        raise UsageError(
            expected="FILE:STAGE, such as runs/demo/results.json:cache",
            found=repr(value),
            where=OPTION,
            action="Give a results file and a stage name of letters, digits and underscores.",
        )
    return rest, Timing(Path(file), stage)
