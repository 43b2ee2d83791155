"""The settings of each run of a protocol."""

from __future__ import annotations

from pathlib import Path

from norface.protocol.divisions import Division
from norface.protocol.plan import Protocol, Run
from norface.results import TEST_TABLE
from norface.runs.planned import Files, Planned, Settings, merged
from norface.runs.running import RESULTS


def plan_runs(protocol: Protocol, found: list[Division], out: Path) -> list[Planned[Run]]:
    """Every run of a protocol with its settings, in the order in which they are trained.

    Raises:
        ConfigError: A configuration or the normalizer is missing.
    """
    files = Files()
    by_name = {division.name: division for division in found}
    tables = {division.name: division.assigned.fingerprint() for division in found}
    planned: list[Planned[Run]] = []
    for run in protocol.runs(list(by_name)):
        division, variant = by_name[run.fold], protocol.variants[run.variant]
        checkpoint = _filled(protocol.normalizer, run.fold)
        folder = out / run.folder
        parents = {"table": tables[run.fold]} | ({"normalizer": files.sha256(checkpoint)} if checkpoint else {})
        planned.append(
            Planned(
                run=run,
                folder=folder,
                configs=(protocol.configs, variant.configs),
                contents=(files.contents(protocol.configs), files.contents(variant.configs)),
                base=_base(protocol, division),
                own=_own(protocol, run, division),
                parents=parents,
                more=("--test_after_fit", "true", "--results", str(folder / RESULTS)),
                leaves=TEST_TABLE,
            )
        )
    return planned


def _base(protocol: Protocol, division: Division) -> Settings:
    data: Settings = {"table": division.table}
    if division.folds is not None:
        data["folds"] = division.folds
    if protocol.normalizer is not None:
        data |= {
            "source": "cache",
            "cache_dir": _filled(protocol.cache, division.name),
            "normalizer": {
                "class_path": "norface.normalizer.TrainedNormalizer",
                "init_args": {"checkpoint": _filled(protocol.normalizer, division.name)},
            },
        }
    return merged(
        {"data": {"init_args": data}}, protocol.filled(protocol.settings.plain, division.name, division.table)
    )


def _own(protocol: Protocol, run: Run, division: Division) -> Settings:
    data: Settings = {"seed": run.seed}
    if run.people is not None:
        data["few_subjects"] = {"count": run.people, "seed": run.seed}
    own = {
        "seed_everything": run.seed,
        "data": {"init_args": data},
        "model": {"init_args": {"seed": run.seed}},
    }
    variant = protocol.filled(protocol.variants[run.variant].settings.plain, division.name, division.table)
    return merged(variant, own)


def _filled(path: str | None, fold: str) -> str | None:
    return None if path is None else path.replace("{fold}", fold)
