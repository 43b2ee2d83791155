"""Torch datasets over the rows of one split: single faces and pairs."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, default_collate, get_worker_info

from norface.data.batches import to_batch
from norface.data.images import ImageReader
from norface.data.pairs import PairDraw
from norface.data.sampling import PADDING, Key, mix
from norface.data.table import FaceTable
from norface.data.texts import Texts
from norface.errors import AlignmentError, ImageError, NorfaceError
from norface.imaging.augment import UNTURNED, Augmentation, Turn
from norface.imaging.convert import to_tensor
from norface.imaging.pixels import Pixels
from norface.samples import FaceBatch, FaceSample, PairSample

_log = logging.getLogger(__name__)
_MIRROR = 0x3122  # its own stream of random numbers


@dataclass(frozen=True)
class FaceRows:
    """What is known of the rows of a split, as arrays, one entry per position.

    Args:
        face_ids: Identifiers.
        subjects: ``(N,)`` subject codes.
        emotions: ``(N,)`` emotion codes, -1 = unknown.
        occurrence, intensity: ``(N, K)``, NaN = unknown.
        head_pose: ``(N, 3)`` yaw, pitch and roll in degrees, NaN = unknown.
    """

    face_ids: Sequence[str]
    subjects: NDArray[np.int64]
    emotions: NDArray[np.int64]
    occurrence: NDArray[np.float32]
    intensity: NDArray[np.float32]
    head_pose: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.face_ids)


def face_rows(table: FaceTable, rows: NDArray[np.int64], people: pd.Index) -> FaceRows:
    """What a table knows of some of its rows; a subject's code is its place in `people`."""
    frame = table.frame
    return FaceRows(
        face_ids=Texts(frame["face_id"]).take(rows),
        subjects=people.get_indexer(pd.Index(frame["subject"].iloc[rows])).astype(np.int64),
        emotions=table.emotion_codes()[rows],
        occurrence=table.occurrence()[rows],
        intensity=table.intensity()[rows],
        head_pose=table.head_pose()[rows],
    )


class _Faces(ABC):
    """Shared by both datasets: rows, readers, augmentation, and what happens at an unreadable image."""

    def __init__(self, rows: FaceRows, original: ImageReader, augment: Augmentation | None, seed: int) -> None:
        self.rows, self.original, self.augment, self.seed = rows, original, augment, seed
        self.skipped: list[str] = []
        self._labels = (
            torch.from_numpy(rows.subjects),
            torch.from_numpy(rows.emotions),
            torch.from_numpy(rows.occurrence),
            torch.from_numpy(rows.intensity),
        )

    def __len__(self) -> int:
        return len(self.rows)

    @abstractmethod
    def batch(self, keys: Sequence[Key]) -> FaceBatch | PairSample:
        """The samples at several (epoch, position), collated."""

    def __getitems__(self, keys: Sequence[Key]) -> FaceBatch | PairSample | NorfaceError:
        """What torch's loader asks for: `batch`; in a worker an error is returned, and `FaceLoader` raises it."""
        try:
            return self.batch(keys)
        except NorfaceError as error:
            if get_worker_info() is None:
                raise
            return error

    def _readable(self, index: int, *reads: ImageReader) -> tuple[int, list[Pixels]]:
        """The images at `index`, or at the next position whose images can be read."""
        for step in range(len(self.rows)):
            position = (index + step) % len(self.rows)
            try:
                return position, [read(position) for read in reads]
            except (ImageError, AlignmentError) as error:
                self._skip(position, error)
        raise ImageError(
            expected="at least one readable face",
            found=f"none of {len(self.rows)}",
            where="face table",
            action="Check the images of the table with `norface data check`.",
        )

    def _skip(self, position: int, error: Exception) -> None:
        face_id = self.rows.face_ids[position]
        if face_id not in self.skipped:
            _log.warning("Face %s is skipped, its neighbour takes its place. %s", face_id, error)
            self.skipped.append(face_id)


class FaceDataset(_Faces, Dataset[FaceSample]):
    """Single faces with labels.

    Args:
        rows: Identifiers and labels.
        original: Reads the original at a position.
        normalized: Reads its normalized face; None: the original stands in.
        augment: Random changes; None: none.
        seed: Which random changes.
    """

    def __init__(
        self,
        rows: FaceRows,
        original: ImageReader,
        *,
        normalized: ImageReader | None = None,
        augment: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(rows, original, augment, seed)
        self.normalized = normalized

    def __getitem__(self, key: Key) -> FaceSample:
        """The face at (epoch, position)."""
        batch: dict[str, Any] = {**self.batch([key])}
        return cast(FaceSample, {name: values[0] for name, values in batch.items()})

    def batch(self, keys: Sequence[Key]) -> FaceBatch:
        """The faces at several (epoch, position): read, converted and labelled together.

        For one that cannot be read the next stands in, and is listed in `skipped`; a repeat that gives each process
        equally many stands in for nothing. Either has no labels and counts nowhere, neither in a loss nor in a test.
        """
        wanted = np.array([index for _, index in keys], np.int64)
        positions, originals, normalized = self._read(wanted)
        turns = [UNTURNED] * len(keys)
        if self.augment is not None:
            seeds = [mix(self.seed, *key) for key in keys]
            pairs = zip(originals, normalized, seeds, strict=True)
            changed = [self.augment.together(original, face, seed=seed) for original, face, seed in pairs]
            originals, normalized = (np.stack([images[side] for images in changed]) for side in (0, 1))
            turns = [turn for *_, turn in changed]
        images = to_batch(originals)
        subjects, emotions, occurrence, intensity = (labels[torch.from_numpy(positions)] for labels in self._labels)
        repeated = np.array([epoch == PADDING for epoch, _ in keys], np.bool_)
        replaced = torch.from_numpy((positions != wanted) | repeated)
        return FaceBatch(
            face_id=[self.rows.face_ids[position] for position in positions.tolist()],
            subject=subjects,
            original=images,
            normalized=images if self.normalized is None else to_batch(normalized),
            emotion=emotions.masked_fill_(replaced, -1),
            au=occurrence.masked_fill_(replaced[:, None], torch.nan),
            au_intensity=intensity.masked_fill_(replaced[:, None], torch.nan),
            head_pose=turned(self.rows.head_pose[positions], turns).masked_fill_(replaced[:, None], torch.nan),
            counts=~replaced,
        )

    def has(self, face_id: str) -> bool:
        """Whether a face is among these."""
        return face_id in self._positions

    def named(self, face_ids: Sequence[str], *, epoch: int) -> FaceBatch:
        """Faces of these names, changed at random as in that epoch."""
        return self.batch([(epoch, self._positions[name]) for name in face_ids])

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.rows.face_ids)}

    def _read(self, wanted: NDArray[np.int64]) -> tuple[NDArray[np.int64], Pixels, Pixels]:
        """Positions that could be read, originals and normalized faces; the originals twice where there are no such."""
        reads = (self.original,) if self.normalized is None else (self.original, self.normalized)
        try:
            images = [read.many(wanted) for read in reads]
            return wanted, images[0], images[-1]
        except (ImageError, AlignmentError):  # which one it is shows when they are read one by one
            found = [self._readable(index, *reads) for index in wanted.tolist()]
            originals, normalized = (np.stack([images[side] for _, images in found]) for side in (0, -1))
            return np.array([position for position, _ in found], np.int64), originals, normalized


def turned(head_pose: NDArray[np.float32], turns: Sequence[Turn]) -> Tensor:
    """Head poses ``(B, 3)`` in degrees in pictures that were mirrored and turned: a mirror swaps left and right."""
    signs = np.array([(-1, 1, -1) if turn.mirrored else (1, 1, 1) for turn in turns], np.float32)
    degrees = np.array([(0, 0, turn.degrees) for turn in turns], np.float32)
    return torch.from_numpy(head_pose * signs + degrees)


class PairDataset(_Faces, Dataset[PairSample]):
    """Originals with targets, for the normalizer.

    Args:
        rows: Identifiers and labels.
        original: Reads the original at a position.
        draw: Draws the targets.
        truth: Reads the true normalized face at a position; None: unknown.
        known: bool ``(N,)``: at which positions `truth` knows it; None: at all.
        target: The common target; None: there is none, and `draw` never draws it.
        augment: Random changes of the original; targets and right answers stay as they are. Only a flip mirrors all
            three: a mirrored pair is a pair again, so half of the pairs of every epoch are new for nothing.
        seed: Which random changes.
    """

    def __init__(
        self,
        rows: FaceRows,
        original: ImageReader,
        draw: PairDraw,
        *,
        truth: ImageReader | None = None,
        known: NDArray[np.bool_] | None = None,
        target: Pixels | None = None,
        augment: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(rows, original, augment, seed)
        self.draw, self.truth = draw, truth
        self.known = np.full(len(rows), truth is not None) if known is None else known
        self._target = None if target is None else to_tensor(target)

    def batch(self, keys: Sequence[Key]) -> PairSample:
        """The pairs of the originals at several (epoch, position)."""
        return cast(PairSample, default_collate([self[key] for key in keys]))

    def __getitem__(self, key: Key) -> PairSample:
        """The pair of the original at (epoch, position)."""
        epoch, index = key
        pair = self.draw(epoch, index)
        reads = (self.original,) if self.truth is None or pair.kind != "fixed" else (self.original, self.truth)
        position, images = self._readable(index, *reads)
        knows_truth = pair.kind == "fixed" and bool(self.known[position])
        if pair.kind == "fixed":
            assert self._target is not None  # the data module refuses such a policy for a table without target
            target, of = self._target, -1
            truth = to_tensor(images[1]) if knows_truth else torch.zeros_like(target)
        elif pair.kind == "same_image":
            target, of = to_tensor(images[0]), position
            truth = target
        else:
            of, (pixels,) = self._readable(pair.target, self.original)
            target = to_tensor(pixels)
            truth = target if of == position else torch.zeros_like(target)
        original = images[0]
        if self.augment is not None:
            original = self.augment.alone(original, seed=mix(self.seed, epoch, index))
        mirrored = self.augment is not None and self.augment.flip and mix(self.seed, _MIRROR, epoch, index) % 2 == 1
        face, target, truth = (image.flip(-1) if mirrored else image for image in (to_tensor(original), target, truth))
        same_subject = of >= 0 and bool(self.rows.subjects[of] == self.rows.subjects[position])
        _, emotions, _, intensity = self._labels
        return PairSample(
            face_id=self.rows.face_ids[position],
            original=face,
            target=target,
            target_key=torch.tensor(2 * of + int(mirrored)),
            truth=truth,
            has_truth=torch.tensor(knows_truth or of == position),
            same_image=torch.tensor(of == position),
            same_subject=torch.tensor(same_subject),
            emotion=emotions[position],
            au_intensity=intensity[position],
        )
