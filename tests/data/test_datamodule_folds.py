from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import pandas as pd
import pytest
import torch
from torch import Tensor

from norface.cache import NormalizedBatch
from norface.data import EveryNth, FaceDataModule, OfficialSplit, OrderedFold, PairPolicy, PublishedFold, SeededFold
from norface.errors import ConfigError, LeakageError, SplitError
from norface.imaging import Augmentation
from norface.imaging.alignment import Alignment

Write = Callable[[pd.DataFrame], Path]


@pytest.fixture
def plain(frame: pd.DataFrame, write_table: Write) -> Path:
    """Eight people, three faces each, no splits."""
    return write_table(frame.drop(columns="split"))


def set_provenance(path: Path, provenance: dict[str, object]) -> None:
    file = path.parent / "faces.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "provenance": provenance}))


def module(path: Path, stage: str | None = "fit", **options: Any) -> FaceDataModule:
    data = FaceDataModule(str(path), **{"image_size": 32, "batch_size": 4, **options})
    data.prepare_data()
    data.setup(stage)
    return data


def people(data: FaceDataModule, split: str) -> set[str]:
    return set(data.table.frame.loc[data.table.in_split(split), "subject"])


@pytest.mark.parametrize("has_splits", [True, False])
def test_folds_say_who_trains_and_who_is_tested(table_path: Path, frame: pd.DataFrame, has_splits: bool) -> None:
    if not has_splits:
        frame.drop(columns="split").to_csv(table_path, index=False)
    tested: set[str] = set()
    for number in (1, 2, 3, 4):
        data = module(table_path, None, folds=SeededFold(number, folds=4, val=1, normalizer_share=0.34))
        sides = {split: people(data, split) for split in ("normalizer", "train", "val", "test")}
        assert [len(side) for side in sides.values()] == [2, 3, 1, 2]
        assert set.union(*sides.values()) == {f"s{k}" for k in range(8)}
        assert set(data.subjects) == sides["train"]
        tested |= sides["test"]
    assert len(tested) == 8


def test_published_folds_need_the_published_people(plain: Path) -> None:
    set_provenance(plain, {"dataset": "disfa"})
    with pytest.raises(SplitError, match="8 others: s0, s1"):
        module(plain, folds=PublishedFold("part1"))


def test_official_split_reads_the_column(table_path: Path) -> None:
    data = module(table_path, "test", folds=OfficialSplit())
    assert people(data, "test") == {"s6", "s7"} and people(data, "val") == {"s4", "s5"}
    assert people(data, "normalizer") == set()  # the owner's parts are train, val and test


def test_folds_or_splits(plain: Path) -> None:
    with pytest.raises(ConfigError, match="splits or folds, found both"):
        FaceDataModule(str(plain), folds=SeededFold(1), splits={"train": 4})


def test_counts_and_weights_come_from_training_people_alone(frame: pd.DataFrame, write_table: Write) -> None:
    path = write_table(frame.drop(columns="split"))
    fold = OrderedFold(1, groups=2, val=1)
    before = module(path, folds=fold)
    tested = frame["subject"].isin(people(before, "test"))
    frame.drop(columns="split").assign(
        emotion=frame["emotion"].mask(tested, "happy"), AU12_c=frame["AU12_c"].mask(tested, 1.0)
    ).to_csv(path, index=False)
    after = module(path, folds=fold)
    assert after.subjects == before.subjects
    assert after.class_counts() == before.class_counts() == (3, 3, 3)
    assert after.occurrence_rates() == before.occurrence_rates() == pytest.approx((1 / 3, 1 / 3))
    assert after.known_counts("c") == before.known_counts("c") == (9, 9)
    assert before.known_counts("r") == (9, 9)


def test_stride_thins_training_frames_or_all(table_path: Path) -> None:
    train = module(table_path, None, stride=EveryNth(2))
    assert train.table.frame.loc[train.usable_rows("train"), "face_id"].tolist() == ["s2_0", "s2_2", "s3_0", "s3_2"]
    assert len(train.usable_rows("test")) == 6
    assert train.class_counts() == (0, 2, 2)  # what is trained on is counted
    everything = module(table_path, None, stride=EveryNth(3, where="all"))
    assert everything.table.frame.loc[everything.usable_rows("test"), "face_id"].tolist() == ["s6_0", "s7_0"]
    assert [len(batch["face_id"]) for batch in everything.val_dataloader()] == [2]
    assert len(everything.usable_rows(None)) == 24  # predicting leaves no face out


def test_balanced_sampling_draws_every_emotion_equally_often(frame: pd.DataFrame, write_table: Write) -> None:
    rare = frame.assign(emotion=["happy" if k % 3 else "sad" for k in range(len(frame))])
    rare.loc[6:7, "emotion"] = None  # the first two training faces
    path = write_table(rare)
    data = module(path, None, sampling="balanced", epoch_faces=60, batch_size=6)
    drawn: Counter[int] = Counter()
    for batch in data.train_dataloader():
        drawn.update(batch["emotion"].tolist())
    assert set(drawn) == {0, 1} and sum(drawn.values()) == 60
    assert abs(drawn[0] - drawn[1]) <= 10  # one face more or less in each of ten passes
    assert data.class_counts() == (3, 1)  # the true counts, not those of the draws
    plain = module(path, None, epoch_faces=60, batch_size=6)
    assert Counter(e for batch in plain.train_dataloader() for e in batch["emotion"].tolist()) == {-1: 20, 0: 30, 1: 10}
    assert [e for batch in data.test_dataloader() for e in batch["emotion"].tolist()] == [1, 0, 0, 1, 0, 0]


def test_sampling_cannot_be_balanced_without_emotions(frame: pd.DataFrame, write_table: Write) -> None:
    data = module(write_table(frame.drop(columns="emotion")), sampling="balanced")
    with pytest.raises(ConfigError, match="action units are balanced by weights in the loss"):
        data.train_dataloader()


class Recorder(L.LightningModule):
    """Writes down what it is fed in each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: dict[int, list[Tensor]] = {}

    def training_step(self, batch: dict[str, Tensor], index: int) -> Tensor:
        self.seen.setdefault(self.current_epoch, []).append(batch["original"])
        return self.weight.sum()

    def validation_step(self, batch: dict[str, Tensor], index: int) -> None:
        """Lightning warns where there is none."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(path: Path, folder: Path, epochs: int, *, resume: bool = False, **options: Any) -> Recorder:
    recorder = Recorder()
    quiet: Any = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing"), False)
    trainer = L.Trainer(max_epochs=epochs, accelerator="cpu", default_root_dir=folder, num_sanity_val_steps=0, **quiet)
    last = folder / "last.ckpt"
    data = FaceDataModule(str(path), image_size=32, batch_size=3, augment=Augmentation(), epoch_faces=20, **options)
    trainer.fit(recorder, data, ckpt_path=str(last) if resume else None, weights_only=True)
    trainer.save_checkpoint(last)
    return recorder


@pytest.mark.parametrize("pairs", [None, PairPolicy(0.2, 0.2, 0.2)])
def test_resumed_training_sees_what_uninterrupted_training_sees(
    plain: Path, tmp_path: Path, pairs: PairPolicy | None
) -> None:
    def options() -> dict[str, Any]:
        fold = SeededFold(1, folds=4, val=1, seed=5)
        return {"folds": fold, "stride": EveryNth(2), "sampling": "balanced", "pairs": pairs}

    whole = fit(plain, tmp_path / "a", 3, **options())
    torch.manual_seed(99)
    fit(plain, tmp_path / "b", 2, **options())
    torch.manual_seed(7)
    resumed = fit(plain, tmp_path / "b", 3, resume=True, **options())
    assert list(resumed.seen) == [2]
    assert all(torch.equal(a, b) for a, b in zip(resumed.seen[2], whole.seen[2], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(whole.seen[1], whole.seen[2], strict=True))


@dataclass
class Copying:
    """A normalizer that changes nothing."""

    subjects: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(" ".join(self.subjects).encode()).hexdigest()

    @property
    def alignment(self) -> Alignment:
        return Alignment(32)

    def normalize(self, original: Tensor) -> NormalizedBatch:
        return NormalizedBatch(original, torch.zeros(len(original)), torch.zeros(len(original)))

    def load(self) -> Copying:
        return self


def cached(path: Path, normalizer: Copying, **options: Any) -> FaceDataModule:
    cache = {"source": "cache", "normalizer": normalizer, "cache_dir": str(path.parent / "cache")}
    return module(path, "test", **cache, **options)


def test_a_shared_fold_lets_the_normalizer_see_training_people_but_no_others(plain: Path) -> None:
    shared = SeededFold(1, folds=2, val=1)
    sides = module(plain, None, folds=shared)
    train, val, test = (sorted(people(sides, split)) for split in ("train", "val", "test"))
    assert cached(plain, Copying(tuple(train)), folds=shared).leaked_subjects == ()
    for others in (val, test):
        with pytest.raises(LeakageError, match=f"trained on: {others[0]}"):
            cached(plain, Copying((train[0], others[0])), folds=shared)
    apart = SeededFold(1, folds=2, val=1, normalizer_share=0.3)
    train = sorted(people(module(plain, None, folds=apart), "train"))
    with pytest.raises(LeakageError, match=train[0]):
        cached(plain, Copying((train[0],)), folds=apart)


def test_one_cache_serves_all_folds(plain: Path) -> None:
    normalizer = Copying(("somebody else",))
    one, two = (cached(plain, normalizer, folds=SeededFold(k, folds=2)) for k in (1, 2))
    assert one.cache_folder == two.cache_folder
    assert people(one, "test") != people(two, "test")


def test_people_are_known_across_data_sets(frame: pd.DataFrame, write_table: Write) -> None:
    """DISFA+ shows people of DISFA; BP4D+ shows others than BP4D under the same names."""
    path = write_table(frame)
    set_provenance(path, {"dataset": "disfa_plus"})
    assert module(path, None).subjects == ("disfa:s2", "disfa:s3")
    with pytest.raises(LeakageError, match="1 that it was trained on: disfa:s6"):
        cached(path, Copying(("disfa:s6",)))
    with pytest.raises(LeakageError, match="1 that it was trained on: disfa:s6"):
        cached(path, Copying(("s6",)))  # trained on a table that named no data set
    assert cached(path, Copying(("bp4d:s6",))).leaked_subjects == ()


def test_a_classifier_is_not_tested_on_people_it_was_trained_on(table_path: Path) -> None:
    data = module(table_path, "test")
    data.check_unseen(["s2", "s3", "s0"])
    with pytest.raises(LeakageError, match=r"classifier was not trained on, found 1 .*: s7\..*another fold"):
        data.check_unseen(["s7", "s2"])
    allowed = module(table_path, "test", allow_leakage=True)
    allowed.check_unseen(["s7"])
    assert allowed.leaked_subjects == ("s7",)
    assert allowed.protocol == {"leaked_subjects": ["s7"]}


def test_the_protocol_says_what_is_not_the_default(plain: Path, table_path: Path) -> None:
    set_provenance(plain, {"dataset": "disfa"})
    data = module(plain, folds=SeededFold(2, folds=4), stride=EveryNth(2), sampling="balanced")
    said = data.protocol
    assert said["dataset"] == "disfa" and said["stride"] == {"every": 2, "where": "train"}
    fold = said["fold"]
    assert isinstance(fold, dict) and fold["kind"] == "SeededFold" and fold["fold"] == 2
    assert said["sampling"] == "balanced" and json.dumps(said)


def test_a_plain_table_has_no_protocol_of_its_own(table_path: Path) -> None:
    assert module(table_path).protocol == {}
