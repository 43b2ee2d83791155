"""Triplet comparisons of expressions: the loss, and how often an embedding agrees."""

from __future__ import annotations

import torch
from torch import Tensor

from norface.errors import TrainingError
from norface.samples import NamedFaces, Triplets


def triplet_loss(embedding: Tensor, margins: Tensor) -> Tensor:
    """The two that are alike shall be closer to each other than either is to the odd one.

        L = mean over triplets of  max(0, |a - b|^2 - |a - o|^2 + m) + max(0, |a - b|^2 - |b - o|^2 + m)

    Vemulapalli and Agarwala 2019, "A Compact Embedding for Facial Expression Similarity".

    Args:
        embedding: Unit norm ``(T, 3, D)``: a and b, which are alike, and the odd one o.
        margins: ``(T,)``; NaN = the triplet does not count.

    Returns:
        Scalar, at least 0; 0 where no triplet counts.
    """
    alike, first, second = _distances(embedding.float())
    error = (alike - first + margins).clamp_min(0) + (alike - second + margins).clamp_min(0)
    return error.nansum() / (~margins.isnan()).sum().clamp_min(1)


def agreement(embedding: Tensor) -> Tensor:
    """Share of triplets ``(T, 3, D)`` whose first two are closest together: triplet accuracy; chance is a third."""
    alike, first, second = _distances(embedding.float())
    return ((alike < first) & (alike < second)).float().mean()


def _distances(embedding: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    a, b, odd = embedding.unbind(1)
    return (a - b).square().sum(1), (a - odd).square().sum(1), (b - odd).square().sum(1)


class TripletDraw:
    """Triplets of training faces, some at a time; torch's random numbers say which.

    Args:
        triplets: All of them.
        shown: The training faces.
        count: How many at a time.

    Raises:
        TrainingError: There is none whose three faces can be read.
    """

    def __init__(self, triplets: Triplets, shown: NamedFaces, count: int) -> None:
        self.triplets, self.shown, self.count = triplets, shown, count
        self.places = [place for place, faces in enumerate(triplets.faces) if all(map(shown.has, faces))]
        if not self.places:
            raise TrainingError(
                expected="triplets of training faces",
                found=f"none whose faces can be read, of {len(triplets.faces)}",
                where="model.init_args.triplets",
                action="Add triplets whose three faces stand in the training split, or train without.",
            )

    def __call__(self, epoch: int) -> tuple[Tensor, Tensor]:
        """Images ``(3 count, 3, H, W)``, triplet by triplet, and margins ``(count,)``, NaN where a face stands in."""
        drawn = [self.places[k] for k in torch.randint(len(self.places), (self.count,)).tolist()]
        batch = self.shown.named([name for place in drawn for name in self.triplets.faces[place]], epoch=epoch)
        there = batch["counts"].view(-1, 3).all(1)
        return batch["original"], self.triplets.margins[drawn].masked_fill(~there, torch.nan)
