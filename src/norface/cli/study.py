"""``norface study run``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from norface.cli.many_runs import all_finished, compute
from norface.runs.variants import Nested, Variant
from norface.study.plan import Run, Study

if TYPE_CHECKING:
    from norface.runs.planned import Planned


def run(
    *,
    name: str,
    configs: list[str],
    table: str,
    variants: dict[str, Variant],
    settings: Nested | None = None,
    files: dict[str, str] | None = None,
    baseline: str | None = None,
    seeds: list[int] | None = None,
    people: list[int] | None = None,
    split: str = "normalizer",
    steps: int | None = None,
    epochs: int = 6,
    evaluator: str | None = None,
    probe_epochs: int = 30,
    out: Path | None = None,
) -> bool:
    """Train normalizers that differ in some settings, judge each on people nobody has trained on; table and page.

    A study is a file: `norface study run --config configs/study/losses.yaml`. Options after it replace single
    settings, such as --seeds "[0]". Run again, it goes on where it stopped; a run that fails is listed, the others go
    on.

    Args:
        name: Of the study.
        configs: Configurations of all runs, merged from left to right.
        table: Folder with faces.parquet, or a CSV or Parquet file; with a column `split`.
        variants: Name of each normalizer that is compared: `configs` and `settings` on top of those of all runs.
        settings: Settings of all runs, nested as in a configuration.
        files: Checkpoints that settings name in braces, such as {identity: runs/demo/...} for "{identity}".
        baseline: Variant that the others are compared with.
        seeds: Of weights, order, pairs and augmentation; without it 0, 1 and 2.
        people: Numbers of training people, such as [10, 100]; without it, all of them.
        split: That is trained on.
        steps: Steps of the generator in each training, whatever the number of people; without it, as the
            configurations say.
        epochs: With `steps`: into how many epochs they are cut; after each, it is validated and saved.
        evaluator: Identity network that was in no loss; without it, identity is not measured.
        probe_epochs: Passes of the gate's probes over their training faces; 0: the gap closed is not measured.
        out: Folder of the study; without it, runs/study/ and its name.
    """
    study = Study(
        name=name,
        configs=configs,
        table=table,
        variants=variants,
        settings=settings or Nested(),
        files=files or {},
        baseline=baseline,
        seeds=[0, 1, 2] if seeds is None else seeds,
        people=people,
        split=split,
        steps=steps,
        epochs=epochs,
        evaluator=evaluator,
        probe_epochs=probe_epochs,
    )
    return _run(study, out if out is not None else Path("runs/study") / name)


def _run(study: Study, out: Path) -> bool:
    from norface.report.study_page import build_study_report
    from norface.runs.running import check_folders
    from norface.study.record import write_record
    from norface.study.settings import open_table, plan_runs
    from norface.study.summing_up import sum_up

    table = open_table(study)
    planned = plan_runs(study, table, out)
    check_folders(planned)
    _check_settings(planned)
    outcomes = compute(planned)
    write_record(out, sum_up(study, outcomes, table))
    page = build_study_report(out)
    print((out / "table.md").read_text(encoding="utf-8"))
    print(f"tables: {out}/table.md, .csv, .tex; numbers: {out}/study.json\nreport: {page}")
    return all_finished(outcomes, "study")


def _check_settings(planned: Sequence[Planned[Run]]) -> None:
    """Read the settings of each variant as `norface fit` will: a wrong name should not show after days."""
    from norface.cli.training import parsed_model
    from norface.errors import ConfigError
    from norface.normalizer import NormalizerTask

    first = {one.run.variant: one for one in reversed(planned)}
    for variant, one in first.items():
        model = parsed_model(one.words())
        if not issubclass(model, NormalizerTask):
            raise ConfigError(
                expected="a normalizer, norface.normalizer.NormalizerTask",
                found=model.__name__,
                where=f"study: variant {variant}",
                action="Correct the configurations; classifiers are compared by `norface protocol run`.",
            )
