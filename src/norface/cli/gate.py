"""``norface gate``: may the normalized faces be trusted?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from norface.evaluation.seen import SeenPeople

if TYPE_CHECKING:
    from norface.evaluation.figures import Embed


def gate(
    *,
    normalizer: Path,
    table: Path,
    cache: Path,
    out: Path,
    evaluator: Path | None = None,
    evaluator_mean: float = 127.5,
    evaluator_scale: float = 127.5,
    results: Path | None = None,
    epochs: int = 30,
    seed: int = 0,
    seen: SeenPeople | None = None,
    require: bool = False,
) -> bool:
    """Measure a normalizer on people that nobody trained on: is the expression kept, is the identity removed?

    The verdict is also noted in the cache, and every report of what is made from it says so.

    Args:
        normalizer: Checkpoint of the normalizer.
        table: Folder with faces.parquet, or a CSV or Parquet file; with splits.
        cache: Folder of caches; a missing cache is made.
        out: Folder for pictures.
        evaluator: Identity network that was in no loss of the normalizer, a stage-0 checkpoint or an ArcFace-type .onnx
            file; without it, identity is not measured.
        evaluator_mean, evaluator_scale: What an .onnx evaluator wants subtracted from pixels in 0..255, and divided by.
        results: Results file that the figures go into.
        epochs: Passes of each probe over its training faces; 0: no probes.
        seed: Of the probes.
        seen: People whom it was trained on, whose figures stand beside the others: `--seen.split normalizer`.
        require: Exit with 1 where the gate is not passed.
    """
    from norface.evaluation import run_gate
    from norface.evaluation.onnx_identity import OnnxIdentity
    from norface.normalizer import TrainedNormalizer
    from norface.results import update_results
    from norface.teachers import TrainedIdentity

    source = TrainedNormalizer(str(normalizer))
    embed: Embed | None = None
    if evaluator is not None and evaluator.suffix == ".onnx":
        alignment = source.load().alignment
        embed = OnnxIdentity(evaluator, alignment=alignment, mean=evaluator_mean, scale=evaluator_scale)
    elif evaluator is not None:
        embed = TrainedIdentity(str(evaluator))
    figures = run_gate(
        source,
        table=str(table),
        cache=cache,
        out=out,
        embed=embed,
        epochs=epochs,
        seed=seed,
        seen=seen,
    )
    if results is not None:
        update_results(results, figures)
    _print_checks(figures["gate"])
    return bool(figures["gate"]["passed"]) or not require


def _print_checks(judged: Mapping[str, object]) -> None:
    checks = judged["checks"]
    assert isinstance(checks, list)
    for check in checks:
        sign = ">=" if check["direction"] == "min" else "<="
        mark = "pass" if check["passed"] else "FAIL"
        print(f"{mark}  {check['name']:<22} {check['value']:.3f}  (must be {sign} {check['limit']:.3f})")
    print("the gate is passed" if judged["passed"] else "the gate is NOT passed: do not trust these normalized faces")
