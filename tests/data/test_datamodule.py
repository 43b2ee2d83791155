from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from norface.data import EveryNth, FaceDataModule, FaceTable, FewSubjects, PairPolicy, memory
from norface.errors import AlignmentError, ConfigError, ImageError, SplitError
from norface.imaging import Augmentation
from norface.imaging.alignment import Alignment
from norface.imaging.files import write_png

Write = Callable[[pd.DataFrame], Path]
MIX = PairPolicy(0.4, 0.2, 0.2)


def module(path: Path, stage: str | None = "fit", **options: Any) -> FaceDataModule:
    data = FaceDataModule(str(path), **{"image_size": 32, "batch_size": 4, **options})
    data.prepare_data()
    data.setup(stage)
    return data


def red(batch: dict[str, Tensor], key: str = "original", channel: int = 0) -> list[int]:
    """Row numbers, as the pictures tell them."""
    values = (batch[key][:, channel, 0, 0] + 1) * 127.5
    return [round((float(value) - 10) / 8) for value in values]


def test_attributes_after_setup(table_path: Path) -> None:
    data = module(table_path)
    assert data.emotions == ("neutral", "happy", "anger")
    assert data.aus == (1, 12)
    assert data.subjects == ("s2", "s3")
    assert data.class_counts() == (2, 2, 2)
    assert data.occurrence_rates() == pytest.approx((1 / 3, 1 / 3))
    assert data.alignment.size == 32


def test_alignment_is_the_tables_unless_asked_for(table_path: Path, facekit: Path) -> None:
    own = FaceDataModule(str(table_path))
    own.setup("fit")
    assert own.alignment == own.table.meta.alignment
    with pytest.raises(AlignmentError, match=r"found Alignment\(size=32"):
        FaceDataModule(str(table_path), image_size=64).setup("fit")
    free = FaceDataModule(str(facekit), image_size=96, drop=0.0)
    free.setup("fit")
    assert free.alignment == Alignment(96, drop=0.0)
    assert next(iter(free.val_dataloader()))["original"].shape[-1] == 96


def test_rates_of_unlabelled_aus_are_unknown(frame: pd.DataFrame, write_table: Write) -> None:
    some = frame["AU12_c"].where(frame.index != 6)  # the first training face
    data = module(write_table(frame.assign(AU12_c=some, AU01_r=np.nan)))
    rates = data.occurrence_rates()
    assert np.isnan(rates[0])
    assert rates[1] == pytest.approx(1 / 5)


@pytest.mark.parametrize(("columns", "known"), [((), False), (("pitch",), True), (("yaw", "pitch", "roll"), True)])
def test_head_poses_are_known_where_the_table_has_some(
    frame: pd.DataFrame, write_table: Write, columns: tuple[str, ...], known: bool
) -> None:
    there = frame["split"] != "normalizer"
    angles = {axis: (frame.index * (1.0 + place)).where(there) for place, axis in enumerate(columns)}
    path = write_table(frame.assign(**angles))
    data = module(path)
    assert data.knows_head_pose == known
    poses = next(iter(data.val_dataloader()))["head_pose"]
    for place, axis in enumerate(("yaw", "pitch", "roll")):
        wanted = [angles[axis][row] for row in range(12, 16)] if axis in columns else [np.nan] * 4
        np.testing.assert_array_equal(poses[:, place], wanted)
    assert not module(path, train_split="normalizer").knows_head_pose  # faces of other splits teach nothing


def test_batches_hold_images_labels_and_subjects(table_path: Path) -> None:
    data = module(table_path, source="truth")
    batch = next(iter(data.val_dataloader()))
    assert batch["face_id"] == ["s4_0", "s4_1", "s4_2", "s5_0"]
    assert red(batch) == [12, 13, 14, 15]
    assert red(batch, "normalized", 1) == [12, 13, 14, 15]
    assert batch["emotion"].tolist() == [1, 0, 2, 1]
    assert batch["au"].tolist()[:2] == [[0.0, 1.0], [0.0, 0.0]]
    assert batch["original"].shape == (4, 3, 32, 32)
    assert batch["original"].dtype == torch.float32
    # Codes count on behind the training subjects: s0, s1 are 2, 3, then s4, s5.
    assert batch["subject"].tolist() == [4, 4, 4, 5]
    train = torch.cat([b["subject"] for b in data.train_dataloader()])
    assert set(train.tolist()) == {0, 1}


def test_loaders_keep_the_tables_order_except_training(table_path: Path) -> None:
    data = module(table_path, None)
    assert [i for b in data.test_dataloader() for i in red(b)] == list(range(18, 24))
    assert [i for b in data.predict_dataloader() for i in red(b)] == list(range(24))
    loader = data.train_dataloader()
    loader.sampler.set_epoch(0)  # type: ignore[attr-defined]
    first = [i for b in loader for i in red(b)]
    loader.sampler.set_epoch(1)  # type: ignore[attr-defined]
    second = [i for b in loader for i in red(b)]
    assert set(first) <= set(range(6, 12))
    assert len(first) == 4  # the last, smaller batch is dropped
    assert first != second


def test_iterating_leaves_the_global_random_state_alone(table_path: Path) -> None:
    data = module(table_path, pairs=MIX, augment=Augmentation(), train_split="normalizer")
    state = torch.get_rng_state()
    for loader in (data.train_dataloader(), data.val_dataloader()):
        list(loader)
    assert torch.equal(torch.get_rng_state(), state)


class Recorder(L.LightningModule):
    """Writes down what it is fed in each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: dict[int, list[Tensor]] = {}
        self.validated: dict[int, list[Tensor]] = {}

    def training_step(self, batch: dict[str, Tensor], index: int) -> Tensor:
        self.seen.setdefault(self.current_epoch, []).extend((batch["original"], batch["target"]))
        return self.weight.sum()

    def validation_step(self, batch: dict[str, Tensor], index: int) -> None:
        self.validated.setdefault(self.current_epoch, []).extend((batch["original"], batch["target"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(path: Path, folder: Path, epochs: int, *, resume: bool = False, workers: int = 0) -> Recorder:
    recorder = Recorder()
    trainer = L.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    data = FaceDataModule(
        str(path),
        image_size=32,
        batch_size=3,
        train_split="normalizer",
        pairs=MIX,
        augment=Augmentation(),
        num_workers=workers,
    )
    last = folder / "last.ckpt"
    trainer.fit(recorder, data, ckpt_path=str(last) if resume else None, weights_only=True)
    trainer.save_checkpoint(last)
    return recorder


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_resumed_training_sees_what_uninterrupted_training_sees(table_path: Path, tmp_path: Path) -> None:
    whole = fit(table_path, tmp_path / "a", 3)
    assert not same(whole.seen[0], whole.seen[1])
    assert same(whole.validated[0], whole.validated[2])  # validation pairs never change
    torch.manual_seed(99)
    fit(table_path, tmp_path / "b", 2)
    torch.manual_seed(7)
    resumed = fit(table_path, tmp_path / "b", 3, resume=True)
    assert list(resumed.seen) == [2]
    assert same(resumed.seen[2], whole.seen[2])


def test_worker_processes_change_nothing(table_path: Path, tmp_path: Path) -> None:
    alone, many = (fit(table_path, tmp_path / str(n), 2, workers=n) for n in (0, 2))
    for epoch in (0, 1):
        assert same(alone.seen[epoch], many.seen[epoch])


def test_validation_and_test_pair_every_face_with_the_common_target(table_path: Path) -> None:
    data = module(table_path, None, pairs=PairPolicy(1, 0, 0), train_split="normalizer")
    for loader in (data.train_dataloader(), data.val_dataloader()):
        batch = next(iter(loader))
        assert red(batch, "truth", 1) == red(batch)
        assert set(red(batch, "target", 1)) == {1}  # the calmest neutral face of the table
        assert batch["has_truth"].all()
        assert torch.equal(batch["target"][0], data.target)
    mixed = module(table_path, None, pairs=PairPolicy(0.1, 0.5, 0.4), train_split="normalizer")
    for loader in (mixed.val_dataloader(), mixed.test_dataloader()):
        assert not any(batch["same_image"].any() for batch in loader)
    free = module(table_path, None, pairs=PairPolicy(0, 1, 0), train_split="normalizer")
    assert next(iter(free.val_dataloader()))["same_image"].all()  # no common target: what the policy says


def test_small_split_is_passed_several_times(table_path: Path) -> None:
    once, often = module(table_path, None), module(table_path, None, epoch_faces=60)
    rows = len(once.usable_rows("train"))
    assert len(often.train_dataloader().sampler) == rows * round(60 / rows)  # type: ignore[arg-type]
    assert len(once.train_dataloader().sampler) == rows  # type: ignore[arg-type]
    assert len(often.test_dataloader()) == len(once.test_dataloader())


def test_only_training_faces_are_augmented(table_path: Path) -> None:
    data = module(table_path, None, augment=Augmentation(dropout=1.0), source="truth")
    plain = module(table_path, None, source="truth")
    for changed, same_ in (
        (data.val_dataloader(), plain.val_dataloader()),
        (data.test_dataloader(), plain.test_dataloader()),
    ):
        for a, b in zip(changed, same_, strict=True):
            assert torch.equal(a["original"], b["original"])
    a, b = next(iter(data.train_dataloader())), next(iter(plain.train_dataloader()))
    assert a["face_id"] == b["face_id"]
    assert not torch.equal(a["original"], b["original"])


def test_fixed_target_needs_a_target(frame: pd.DataFrame, write_table: Write) -> None:
    path = write_table(frame)
    frame.drop(columns="normalized").to_csv(path, index=False)
    with pytest.raises(ConfigError, match=r"set data.init_args.pairs.fixed_target to 0"):
        module(path, pairs=PairPolicy(1, 0, 0)).train_dataloader()
    batch = next(iter(module(path, pairs=PairPolicy(0, 0.5, 0.5)).train_dataloader()))
    assert batch["target"].shape == (4, 3, 32, 32)
    write_png(path.parent / "target.png", np.full((32, 32, 3), 200, np.uint8))
    batch = next(iter(module(path, pairs=PairPolicy(1, 0, 0)).train_dataloader()))
    assert not batch["has_truth"].any()
    with pytest.raises(ConfigError, match="a column `normalized`"):
        next(iter(module(path, source="truth").train_dataloader()))


def test_truncated_images_are_left_out_counted_and_listed(table_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("images/s6_1", "normalized/s6_2"):
        file = table_path.parent / f"{name}.png"
        file.write_bytes(file.read_bytes()[:50])
    data = module(table_path, "test", source="truth")
    with caplog.at_level(logging.WARNING):
        shown = [i for b in data.test_dataloader() for i in red(b)]
    assert shown == [18, 21, 22, 23]
    assert list(data.bad_faces) == ["s6_1", "s6_2"]
    assert "2 faces cannot be read" in caplog.text
    assert "truncated" in caplog.text


def test_large_tables_are_read_when_needed(table_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_memory = module(table_path, None)
    expected = [(b["face_id"], b["original"]) for b in in_memory.test_dataloader()]
    monkeypatch.setattr(memory, "MEMORY_LIMIT", 1000)
    on_demand = module(table_path, None)
    found = [(b["face_id"], b["original"]) for b in on_demand.test_dataloader()]
    for a, b in zip(expected, found, strict=True):
        assert a[0] == b[0]
        assert torch.equal(a[1], b[1])
    file = table_path.parent / "images/s6_1.png"
    file.write_bytes(b"")
    dataset = on_demand.test_dataloader().dataset
    assert dataset[(0, 1)]["face_id"] == "s6_2"
    assert dataset.skipped == ["s6_1"]  # type: ignore[attr-defined]


def test_nothing_readable(table_path: Path) -> None:
    for name in ("s6", "s7"):
        for k in range(3):
            (table_path.parent / f"images/{name}_{k}.png").write_bytes(b"")
    with pytest.raises(ImageError, match="none of 6"):
        module(table_path, "test").test_dataloader()


def test_rows_without_success_are_not_used(frame: pd.DataFrame, write_table: Write) -> None:
    path = write_table(frame.assign(success=[0] * 20 + [1] * 4))
    assert [i for b in module(path, "test").test_dataloader() for i in red(b)] == [20, 21, 22, 23]
    with pytest.raises(SplitError, match="usable faces in the split 'train'"):
        module(path, "fit")


def test_empty_split_and_subject_on_both_sides(frame: pd.DataFrame, write_table: Write) -> None:
    path = write_table(frame)
    with pytest.raises(SplitError, match="'validation'"):
        module(path, val_split="validation")
    module(path, "test", val_split="validation")  # not needed there
    frame.assign(split=["train" if k == 23 else name for k, name in enumerate(frame["split"])]).to_csv(
        path, index=False
    )
    with pytest.raises(SplitError, match="the first 's7' in test and train"):
        module(path)


def test_splits_are_assigned_where_the_table_has_none(frame: pd.DataFrame, write_table: Write) -> None:
    path = write_table(frame.drop(columns="split"))
    shares: dict[str, int | float] = {"normalizer": 4, "train": 2, "val": 1, "test": 1}
    data, again = (module(path, None, splits=shares, train_split=split) for split in ("train", "normalizer"))
    assert data.table.frame["split"].tolist() == again.table.frame["split"].tolist()
    assert (len(data.subjects), len(again.subjects)) == (2, 4)
    assert not set(data.subjects) & set(again.subjects)
    other = module(path, None, splits=shares, split_seed=1)
    assert other.table.frame["split"].tolist() != data.table.frame["split"].tolist()


def test_cache_needs_a_folder(table_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data.init_args.cache_dir"):
        FaceDataModule(str(table_path), source="cache")
    with pytest.raises(ConfigError, match="source: none"):
        _ = module(table_path).cache_folder


def test_public_names_are_imported_late() -> None:
    assert FaceTable.__module__ == "norface.data.table"
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = __import__("norface.data").data.Nothing


def test_facekit_pairs(facekit: Path) -> None:
    data = FaceDataModule(str(facekit), pairs=PairPolicy(1, 0, 0), splits={"train": 3, "val": 2, "test": 2})
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    assert batch["original"].shape == (32, 3, 64, 64)
    assert batch["has_truth"].all()
    # Registered truths are alike around the eyes' template, whatever the expression; originals are not.
    spread = {key: float(batch[key][:, :, 40:44, 8:56].std(dim=0).mean()) for key in ("truth", "original")}
    assert spread["truth"] < 0.5 * spread["original"]


def test_few_subjects_train_and_nothing_else_changes(table_path: Path) -> None:
    data = module(table_path, None, few_subjects=FewSubjects(1, seed=0))
    (person,) = data.subjects
    assert person in {"s2", "s3"} and data.class_counts() == (1, 1, 1)
    everybody = module(table_path, None)
    for split, count in (("train", 3), ("val", 6), ("test", 6)):
        assert len(data.usable_rows(split)) == count
        assert len(everybody.usable_rows(split)) == 6
    assert {data.table.frame["subject"].iloc[row] for row in data.usable_rows("train")} == {person}
    assert data.protocol["few_subjects"] == {"count": 1, "seed": 0}
    both = module(table_path, None, few_subjects=FewSubjects(1, seed=0), stride=EveryNth(2))
    assert len(both.usable_rows("train")) == 2  # the first and third of three frames


def test_faces_of_a_test_have_their_labels(frame: pd.DataFrame, write_table: Write) -> None:
    frame.loc[frame["face_id"] == "s6_1", "success"] = 0.0
    frame["success"] = frame["success"].fillna(1.0)
    frame.loc[frame["face_id"] == "s6_2", ["emotion", "AU12_c"]] = None
    faces = module(write_table(frame), "test").labelled_faces("test")
    assert faces["face_id"].tolist() == ["s6_0", "s6_2", "s7_0", "s7_1", "s7_2"]
    assert faces["true_emotion"].isna().tolist() == [False, True, False, False, False]
    assert faces["true_AU12_c"].isna().tolist() == [False, True, False, False, False]
    assert {"subject", "split", "success", "error", "true_AU01_r", "true_AU01_c"} <= set(faces.columns)


def test_what_tests_are_sliced_by_comes_with_them(frame: pd.DataFrame, write_table: Write) -> None:
    frame["yaw"] = np.arange(len(frame), dtype=float)
    frame["id_nose_width"] = 1.0  # known, but nothing is sliced by it
    data = module(write_table(frame), "test")
    for role, split in (("test", data.test_split), ("val", data.val_split)):
        faces = data.labelled_faces(role)  # type: ignore[arg-type]
        rows = frame[frame["split"] == split] if "split" in frame else data.table.frame.iloc[data.usable_rows(split)]
        assert faces["yaw"].tolist() == rows["yaw"].tolist() and "id_nose_width" not in faces
