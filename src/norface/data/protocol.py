"""What a report must say of how faces were chosen."""

from __future__ import annotations

from collections.abc import Mapping

from norface.data.few import FewSubjects
from norface.data.leave_out import LeaveOut
from norface.data.stride import EveryNth
from norface.data.subjects import FOLD, MIXED
from norface.data.weighting import Sampling
from norface.people import dataset_of


def describe_protocol(
    provenance: Mapping[str, object],
    *,
    stride: EveryNth | None,
    few: FewSubjects | None,
    left_out: LeaveOut | None,
    sampling: Sampling,
    leaked: tuple[str, ...],
) -> dict[str, object]:
    """Plain data; only what is not the default, so nothing for a plain table with splits of its own."""
    mixed = provenance.get(MIXED)
    dataset = " + ".join(str(name) for name in mixed) if isinstance(mixed, Mapping) else dataset_of(provenance)
    said: dict[str, object] = {"dataset": dataset} if dataset is not None else {}
    if FOLD in provenance:
        said[FOLD] = provenance[FOLD]
    facts = provenance.get("facts")  # of the reader: label rule, threshold, bad frames
    if isinstance(facts, Mapping) and facts:
        said["facts"] = dict(facts)
    if stride is not None:
        said["stride"] = {"every": stride.every, "where": stride.where}
    if few is not None:
        said["few_subjects"] = {"count": few.count, "seed": few.seed}
    if left_out is not None:
        said["leave_out"] = {"part": left_out.part, "parts": left_out.parts, "seed": left_out.seed}
    if sampling != "uniform":
        said["sampling"] = sampling
    if leaked:
        said["leaked_subjects"] = list(leaked)
    return said
