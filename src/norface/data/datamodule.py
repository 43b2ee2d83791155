"""One data module for every stage: pairs for the normalizer, labelled faces for teachers and classifiers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import lightning as L
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.trainer.states import TrainerFn
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, default_convert

from norface.cache import DEFAULT_ENCODING, Encoding, NormalizedCache, NormalizerSource
from norface.data.asked import asked_for, with_labels
from norface.data.batches import FaceLoader
from norface.data.caching import Alone, build_cache, cached_rows, find_cache
from norface.data.dataset import FaceDataset, PairDataset, face_rows
from norface.data.few import FewSubjects
from norface.data.folds import Fold
from norface.data.images import FaceReader, ImageReader
from norface.data.label_counts import class_counts, known_counts, occurrence_rates
from norface.data.leave_out import LeaveOut
from norface.data.memory import FromCache, load_split
from norface.data.options import check_options
from norface.data.pairing import pair_dataset
from norface.data.pairs import PairPolicy
from norface.data.protocol import describe_protocol
from norface.data.sampling import EpochSampler, WeightedEpochSampler
from norface.data.splits import DEFAULT_SHARES, assign_splits, check_not_empty, check_subject_exclusive
from norface.data.stride import EveryNth
from norface.data.subjects import check_unseen, people_in, shares_people
from norface.data.table import FaceTable
from norface.data.triplets import read_triplets
from norface.data.weighting import Sampling, balanced_weights
from norface.errors import ConfigError
from norface.imaging.alignment import Alignment
from norface.imaging.augment import Augmentation
from norface.imaging.convert import to_tensor
from norface.samples import Triplets

_log = logging.getLogger(__name__)


class FaceDataModule(L.LightningDataModule):
    """Faces of one table, split by subject.

    After `setup`: `table`, `emotions`, `aus`, `alignment`, `subjects` (of the training split), `bad_faces`.

    Args:
        table: Folder with faces.parquet and faces.json, or a .csv or .parquet file.
        image_size: Side of the aligned faces in pixels; None: the table's own, 64 where its images are not aligned.
        margin: Border around ArcFace's crop, as a share of its side; None: the table's own, else 0.1.
        drop: How far the crop is moved down, likewise; None: the table's own, else 0.1.
        batch_size: Faces in a batch.
        epoch_faces: About how many faces make an epoch of training: a smaller split is passed several times, so that
            the length of a run does not depend on the table. None: every face once.
        num_workers: Processes that read and augment; 0: the main process does.
        seed: Order, augmentation and pairs; these depend on (seed, epoch, index) only.
        splits: Subjects of each split (int) or share of them (float), where the table has no column `split`;
            None: 60 % normalizer, 15 % train, 5 % val, 20 % test. Not for predicting, which is for all of them.
        split_seed: Which people stand in which split; stages that follow each other need the same.
        folds: Who trains and who is tested, in place of `splits` and of a column `split`: a `PublishedFold`,
            `OfficialSplit`, `OrderedFold` or `SeededFold`.
        stride: Every n-th frame of the sequences of a video set; None: all.
        few_subjects: So many of the training subjects; None: all.
        leave_out: Train without one part of these people, for cross-fitted normalizers; None: with all.
        sampling: Training faces are drawn uniformly, or so that all emotions come up equally often (balanced).
        train_split: Split to train on.
        val_split: Split to validate on.
        test_split: Split to test on.
        pairs: Given: loaders yield pairs for the normalizer, else single faces. Validation and test pair every face
            with the common target, if the policy ever does.
        source: Where normalized faces come from: none (the original stands in), a normalizer's cache, or the truth
            that the table knows.
        normalizer: Normalizer of the cache; a missing cache is made with it.
        cache_dir: Folder of caches, or one finished cache.
        cache_encoding: How a cache that is made stores its images: raw is the fastest to read, png the smallest.
        augment: Random changes in training; None: none.
        allow_leakage: Use a cache although its normalizer was trained on subjects of these splits, and test a
            classifier on subjects it was trained on. Reports say so.
    """

    table: FaceTable
    emotions: tuple[str, ...]
    aus: tuple[int, ...]
    alignment: Alignment
    subjects: tuple[str, ...]
    bad_faces: dict[str, str]
    leaked_subjects: tuple[str, ...]

    def __init__(
        self,
        table: str,
        *,
        image_size: int | None = None,
        margin: float | None = None,
        drop: float | None = None,
        batch_size: int = 32,
        epoch_faces: int | None = None,
        num_workers: int = 0,
        seed: int = 0,
        splits: dict[str, int | float] | None = None,
        split_seed: int = 0,
        folds: Fold | None = None,
        stride: EveryNth | None = None,
        few_subjects: FewSubjects | None = None,
        leave_out: LeaveOut | None = None,
        sampling: Sampling = "uniform",
        train_split: str = "train",
        val_split: str = "val",
        test_split: str = "test",
        pairs: PairPolicy | None = None,
        source: Literal["none", "cache", "truth"] = "none",
        normalizer: NormalizerSource | None = None,
        cache_dir: str | None = None,
        cache_encoding: Encoding = DEFAULT_ENCODING,
        augment: Augmentation | None = None,
        allow_leakage: bool = False,
    ) -> None:
        super().__init__()
        check_options(cached=source == "cache", cache_dir=cache_dir, folds=folds, splits=splits)
        self.path = table
        self._size, self._margin, self._drop = image_size, margin, drop
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self.epoch_faces = epoch_faces
        self.shares: Mapping[str, int | float] = splits or DEFAULT_SHARES
        self.split_seed, self.folds, self.sampling = split_seed, folds, sampling
        self.stride, self.few_subjects, self.leave_out = stride, few_subjects, leave_out
        self.train_split, self.val_split, self.test_split = train_split, val_split, test_split
        self.pairs, self.source, self.augment = pairs, source, augment
        self.normalizer, self.cache_dir, self.cache_encoding = normalizer, cache_dir, cache_encoding
        self.allow_leakage = allow_leakage
        self.bad_faces, self.leaked_subjects = {}, ()
        self._ready = False
        self._cache: NormalizedCache | None = None
        self._datasets: dict[str, FaceDataset | PairDataset] = {}

    @property
    def classifier_splits(self) -> tuple[str, ...]:
        """Splits whose normalized faces are wanted."""
        return tuple(dict.fromkeys((self.train_split, self.val_split, self.test_split)))

    @property
    def knows_truth(self) -> bool:
        """Whether the loaders yield true normalized faces."""
        return self.source == "truth"

    @property
    def knows_head_pose(self) -> bool:
        """Whether yaw, pitch or roll of any face of the training split is known, after `setup`."""
        return not bool(np.isnan(self.table.head_pose()[self.usable_rows(self.train_split)]).all())

    @property
    def cache_folder(self) -> Path:
        """Folder of the cache in use, after `setup`.

        Raises:
            ConfigError: No cache is in use.
        """
        if self._cache is None:
            raise ConfigError(
                expected="source: cache, and `setup` called",
                found=f"source: {self.source}",
                where="data module",
                action="Set data.init_args.source to cache.",
            )
        return self._cache.folder

    @property
    def target(self) -> Tensor:
        """The common target ``(3, H, W)`` in [-1, 1], after `setup`: target.png, or the calmest true normalized face.

        Raises:
            ConfigError: The table has neither.
        """
        return to_tensor(self._reader.target())

    def prepare_data(self) -> None:
        """Make the missing cache, in one process."""
        if self.source == "cache" and self.normalizer is not None:
            self._prepare_table()
            build_cache(
                self.table,
                self.normalizer.load(),
                Path(self.cache_dir or ""),
                alignment=self.alignment,
                batch_size=self.batch_size,
                splits=self.classifier_splits,
                encoding=self.cache_encoding,
                processes=Alone(self.trainer.strategy.root_device) if self.trainer is not None else None,
            )

    def setup(self, stage: str | None = None) -> None:
        """Read the table and check that the splits of this stage can be used.

        Raises:
            TableError: The table breaks its contract.
            SplitError: A split is empty, or a subject stands in two.
            LeakageError: The cache's normalizer was trained on subjects of these splits.
            CacheError: The cache is missing or belongs to others.
        """
        self._prepare_table()
        needed = {
            "fit": (self.train_split, self.val_split),
            "validate": (self.val_split,),
            "test": (self.test_split,),
            "predict": (),
        }.get(stage or "", self.classifier_splits)
        check_not_empty(self.table, needed)
        if self.source == "cache" and self._cache is None:
            self._cache = find_cache(
                self.table,
                self.normalizer.load().fingerprint if self.normalizer is not None else None,
                Path(self.cache_dir or ""),
                alignment=self.alignment,
                splits=self.classifier_splits,
            )
            cross_fitted = bool(self._cache.manifest.normalizers)  # made without the face's own person
            shared = (self.train_split,) if cross_fitted or shares_people(self.table) else ()
            people = people_in(self.table, set(self.classifier_splits) - set(shared))
            self.leaked_subjects = self._cache.check_subjects(people, allow=self.allow_leakage)

    def check_unseen(self, trained_on: Iterable[str]) -> None:
        """Refuse to test a classifier on people that it was trained on, unless `allow_leakage` says otherwise.

        Raises:
            LeakageError: It was trained on some of the test subjects.
        """
        tested = people_in(self.table, (self.test_split,))
        leaked = check_unseen(tested, trained_on, what="classifier", allow=self.allow_leakage)
        self.leaked_subjects = tuple(sorted({*self.leaked_subjects, *leaked}))

    @property
    def protocol(self) -> dict[str, object]:
        """What a report must say of how these faces were chosen, as plain data; only what is not the default."""
        return describe_protocol(
            self.table.meta.provenance,
            stride=self.stride,
            few=self.few_subjects,
            left_out=self.leave_out,
            sampling=self.sampling,
            leaked=self.leaked_subjects,
        )

    def _prepare_table(self) -> None:
        if self._ready:
            return
        table = FaceTable.load(Path(self.path))
        if self.folds is not None:
            table = self.folds.assign(table)
        elif "split" not in table.frame.columns:
            # Prediction is for every face: dealing them out would leave most of them without a normalized face.
            shares = {self.test_split: 1.0} if self._predicting else self.shares
            table = assign_splits(table, shares, seed=self.split_seed)
        check_subject_exclusive(table)
        self.table, self.emotions, self.aus = table, table.meta.emotions, table.meta.aus
        own = table.meta.alignment or Alignment()
        self.alignment = Alignment(
            size=own.size if self._size is None else self._size,
            margin=own.margin if self._margin is None else self._margin,
            drop=own.drop if self._drop is None else self._drop,
            frame=own.frame,
        )
        self._reader = FaceReader(table, self.alignment)
        self._kept = np.ones(len(table), np.bool_) if self.stride is None else self.stride.kept(table.frame)
        self._learned = self._kept
        self.subjects = people_in(table, (self.train_split,))
        trained = set(table.frame["subject"].iloc[table.in_split(self.train_split)].unique())
        others = set(table.frame["subject"].unique()) - trained
        self._people = pd.Index((*sorted(trained), *sorted(others)), dtype="str")  # a subject's code is its place
        for some in (self.leave_out, self.few_subjects):
            if some is not None:
                kept = some.kept(table.frame["subject"], self.usable_rows(self.train_split))
                self._learned = self._learned & kept
                staying = set(people_in(table.with_frame(table.frame[kept]), (self.train_split,)))
                self.subjects = tuple(name for name in self.subjects if name in staying)
        self._ready = True

    @property
    def _predicting(self) -> bool:
        return self.trainer is not None and self.trainer.state.fn == TrainerFn.PREDICTING

    def usable_rows(self, split: str | None) -> NDArray[np.int64]:
        """Rows of a split (None = of the table) with success 1 that are wanted, in the table's order."""
        rows = np.arange(len(self.table), dtype=np.int64) if split is None else self.table.in_split(split)
        rows = rows[(self.table.frame["success"] != 0).to_numpy(bool)[rows]]
        if split == self.train_split:
            return rows[self._learned[rows]]
        everywhere = self.stride is not None and self.stride.where == "all" and split is not None
        return rows[self._kept[rows]] if everywhere else rows

    def triplets(self, path: str) -> dict[str, Triplets]:
        """Comparisons of faces of the training (train) and the validation split (val); see `read_triplets`."""
        splits = {"train": self.train_split, "val": self.val_split}
        return read_triplets(Path(path), self.table, {role: self.usable_rows(name) for role, name in splits.items()})

    def occurrence_rates(self) -> tuple[float, ...]:
        """Share of faces of the training split that show each AU, among those labelled; NaN = none is."""
        return occurrence_rates(self.table, self.usable_rows(self.train_split))

    def known_counts(self, kind: Literal["c", "r"]) -> tuple[int, ...]:
        """Faces of the training split whose occurrence (c) or intensity (r) of each AU is known."""
        return known_counts(self.table, self.usable_rows(self.train_split), kind)

    def class_counts(self) -> tuple[int, ...]:
        """Faces of the training split that show each emotion."""
        return class_counts(self.table, self.usable_rows(self.train_split))

    def asked_for(self) -> pd.DataFrame:
        """Faces that `predict_dataloader` is for, those that it had to leave out included; see `asked_for`."""
        splits = None if self._cache is None else self.classifier_splits
        return asked_for(self.table, self.bad_faces, cache=self._cache, splits=splits)

    def labelled_faces(self, role: Literal["val", "test"]) -> pd.DataFrame:
        """Faces that a loader is for, those that cannot be read included, with labels and attributes."""
        split = self.test_split if role == "test" else self.val_split
        asked = asked_for(self.table, self.bad_faces, cache=self._cache, splits=(split,))
        return with_labels(asked, self.table, self.usable_rows(split))

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled, augmented faces or pairs."""
        return self._loader("train", self.train_split, training=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """Faces, or the same pairs in every epoch, in the table's order."""
        return self._loader("val", self.val_split)

    def test_dataloader(self) -> DataLoader[Any]:
        """Faces in the table's order."""
        return self._loader("test", self.test_split)

    def predict_dataloader(self) -> DataLoader[Any]:
        """All usable faces of the table in its order; with a cache, those of the classifier's splits."""
        return self._loader("predict", None)

    def _loader(self, role: str, split: str | None, *, training: bool = False) -> DataLoader[Any]:
        if role not in self._datasets:
            self._datasets[role] = self._dataset(role, split)
        dataset = self._datasets[role]
        rank = self.trainer.global_rank if self.trainer is not None else 0
        world_size = self.trainer.world_size if self.trainer is not None else 1
        passes = max(1, round((self.epoch_faces or 0) / len(dataset))) if training else 1
        place: dict[str, int] = {"seed": self.seed, "passes": passes, "rank": rank, "world_size": world_size}
        if training and self.sampling == "balanced":
            weights = balanced_weights(dataset.rows.emotions)
            sampler: EpochSampler = WeightedEpochSampler(dataset, weights=weights, **place)
        else:
            sampler = EpochSampler(dataset, shuffle=training, **place)
        return FaceLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self.num_workers,
            collate_fn=default_convert,  # the data sets give whole batches
            drop_last=training and len(dataset) >= self.batch_size * world_size,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
            generator=torch.Generator().manual_seed(self.seed),  # so that iterating leaves the global state alone
        )

    def _dataset(self, role: str, split: str | None) -> FaceDataset | PairDataset:
        augment = self.augment if role == "train" else None
        if augment is not None:
            augment.prepare()
        if self.pairs is not None and role != "predict":
            # Evaluation asks for what is used later: the common target, where there is one.
            common = role != "train" and self.pairs.fixed_target > 0
            policy = PairPolicy(1.0, 0.0, 0.0) if common else self.pairs
            pairs, bad = pair_dataset(
                self._reader, self.usable_rows(split), self._people, policy, augment=augment, seed=self.seed
            )
            self._note_bad(bad)
            return pairs
        rows = self.usable_rows(split)
        reads: tuple[ImageReader, ...] = (self._reader.originals,)
        if self.source == "truth":
            reads = (*reads, self._reader.truths_of(rows))
        elif self._cache is not None:
            held = cached_rows(self.table, self.classifier_splits)
            rows = rows[np.isin(rows, held)]
            reads = (*reads, FromCache(self._cache, held))
        images = load_split(reads, rows, self.alignment.size)
        self._note_bad(images.bad)
        normalized = images.readers[1] if len(reads) > 1 else None
        known = face_rows(self.table, images.rows, self._people)
        return FaceDataset(known, images.readers[0], normalized=normalized, augment=augment, seed=self.seed)

    def _note_bad(self, bad: dict[int, str]) -> None:
        if bad:
            self.bad_faces.update({str(self.table.frame.loc[row, "face_id"]): error for row, error in bad.items()})
            _log.warning("%d faces cannot be read and are left out, the first: %s", len(bad), next(iter(bad.values())))
