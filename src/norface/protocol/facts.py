"""What a reader must know of a protocol before believing its figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from norface.labels import PROBABILITY_THRESHOLD
from norface.protocol.comparing import RESAMPLES
from norface.protocol.divisions import Division
from norface.protocol.plan import Protocol


def facts_of(protocol: Protocol, found: Sequence[Division]) -> dict[str, Any]:
    """Facts by name.

    Args:
        protocol: The protocol.
        found: Its folds.
    """
    table = found[0].assigned
    facts: dict[str, Any] = {
        "table": protocol.table,
        "configurations": list(protocol.configs),
        "folds": [division.folds or division.name for division in found] if found[0].name else "the table's own split",
        "over folds": "mean of the folds' figures" if protocol.over_folds == "mean" else "all faces of all folds",
        "normalizer": protocol.normalizer,
        "cache": protocol.cache,
        "people": "labelled training subjects, drawn by seed; fewer are among more" if protocol.people else "all",
        "interval": f"95 %, {RESAMPLES} draws of the test subjects of each fold",
    }
    if protocol.task == "au":
        facts["threshold"] = PROBABILITY_THRESHOLD
    for key in ("dataset", "facts", "occurrence"):
        facts[key] = table.meta.provenance.get(key)
    return {name: fact for name, fact in facts.items() if fact is not None}
