"""The gate's figures on people whom the normalizer was trained on: how much better is it on them?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from norface.data.datamodule import FaceDataModule
from norface.data.few import FewSubjects
from norface.errors import SplitError
from norface.evaluation.figures import Embed, Faces, background_error, expression_r2, identity_figures
from norface.normalizer.inference import Normalizer
from norface.people import common_people


@dataclass(frozen=True)
class SeenPeople:
    """Some of those whom a normalizer was trained on.

    They are drawn as `norface.data.FewSubjects` draws, so those of a normalizer that was trained on few people of the
    split are among these few, if `seed` is the same and `count` is not larger.

    Args:
        split: That it was trained on.
        count: How many; None: as many as are tested.
        seed: Which.
    """

    split: str = "normalizer"
    count: int | None = None
    seed: int = 0


def measure_seen(
    normalizer: Normalizer, table: str, seen: SeenPeople, *, tested: int, embed: Embed | None
) -> dict[str, Any]:
    """Figures on people whom it was trained on; not from a cache, which such people have no place in.

    Args:
        normalizer: The normalizer.
        table: Face table.
        seen: Which people.
        tested: How many people the gate tests.
        embed: As for the gate.

    Returns:
        The gate's figures without the probe, and ``split``, ``subjects`` and ``faces``.

    Raises:
        SplitError: There are fewer such people, or it was not trained on one of them.
    """
    everybody = _open(table, normalizer, seen.split, None)
    there = everybody.table.frame["subject"].iloc[everybody.usable_rows(seen.split)].nunique()
    count = min(tested, there) if seen.count is None else seen.count
    data = _open(table, normalizer, seen.split, FewSubjects(count, seen.seed))
    _check_trained_on(data.subjects, normalizer.subjects, seen.split)
    batches = list(data.test_dataloader())
    with torch.inference_mode():
        normalized = torch.cat([normalizer(batch["original"]) for batch in batches])
    faces = Faces(
        original=torch.cat([batch["original"] for batch in batches]),
        normalized=normalized,
        truth=torch.cat([batch["normalized"] for batch in batches]) if data.knows_truth else None,
        target=normalizer.target,
        subject=torch.cat([batch["subject"] for batch in batches]),
    )
    about = {"split": seen.split, "subjects": len(data.subjects), "faces": len(faces.subject)}
    figures = {"expression_r2": expression_r2(faces), "background_error": background_error(faces)}
    return {**about, **figures, **({} if embed is None else identity_figures(faces, embed))}


def _open(table: str, normalizer: Normalizer, split: str, few: FewSubjects | None) -> FaceDataModule:
    crop = normalizer.alignment

    def opened(truth: bool) -> FaceDataModule:
        data = FaceDataModule(
            table,
            image_size=crop.size,
            margin=crop.margin,
            drop=crop.drop,
            train_split=split,
            val_split=split,
            test_split=split,
            few_subjects=few,
            source="truth" if truth else "none",
        )
        data.setup()
        return data

    data = opened(truth=False)
    known = data.table.knows_normalized[data.usable_rows(split)]
    return opened(truth=True) if bool(known.all()) else data


def _check_trained_on(people: tuple[str, ...], trained: tuple[str, ...], split: str) -> None:
    strangers = sorted({*people} - {*common_people(people, trained)})
    if strangers:
        raise SplitError(
            expected=f"people of split {split} whom the normalizer was trained on",
            found=f"{len(strangers)} whom it was not: {', '.join(strangers[:5])}",
            where="seen people of the gate",
            action="Name the split and the seed that it was trained with, or fewer people.",
        )
