from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils.data import default_collate

from norface.data.dataset import FaceDataset, FaceRows, PairDataset
from norface.data.memory import InMemory, OnDemand
from norface.data.pairs import PairDraw, PairPolicy
from norface.errors import ImageError
from norface.imaging.augment import Augmentation
from norface.imaging.convert import to_tensor
from norface.imaging.pixels import Pixels

N, SIZE = 12, 24
RNG = np.random.default_rng(0)
ORIGINALS = RNG.integers(0, 255, (N, SIZE, SIZE, 3), dtype=np.uint8)
TRUTHS = RNG.integers(0, 255, (N, SIZE, SIZE, 3), dtype=np.uint8)
TARGET = RNG.integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)


def rows() -> FaceRows:
    return FaceRows(
        face_ids=[f"f{k}" for k in range(N)],
        subjects=np.arange(N) // 3,
        emotions=np.arange(N) % 4 - 1,
        occurrence=np.full((N, 2), np.nan, np.float32),
        intensity=np.arange(2 * N, dtype=np.float32).reshape(N, 2) / np.float32(10),
        head_pose=np.array([[k, 2 * k, np.nan if k == 2 else 3 * k] for k in range(N)], np.float32),
    )


class Broken(InMemory):
    def __call__(self, position: int) -> Pixels:
        if position in (4, 5):
            raise ImageError(expected="an image", found="rubbish", where=f"{position}.png", action="Repair it.")
        return super().__call__(position)

    def many(self, positions: NDArray[np.int64]) -> Pixels:
        return np.stack([self(int(position)) for position in positions])


def test_faces_carry_images_and_labels_unchanged() -> None:
    face = FaceDataset(rows(), InMemory(ORIGINALS), normalized=InMemory(TRUTHS))[(0, 7)]
    assert face["face_id"] == "f7"
    assert face["subject"].item() == 2
    assert face["emotion"].item() == 2
    assert face["emotion"].dtype == torch.int64
    assert torch.equal(face["original"], to_tensor(ORIGINALS[7]))
    assert torch.equal(face["normalized"], to_tensor(TRUTHS[7]))
    assert torch.isnan(face["au"]).all()
    assert face["au_intensity"].tolist() == pytest.approx([1.4, 1.5])
    assert face["head_pose"].tolist() == [7.0, 14.0, 21.0]


@pytest.mark.parametrize(("flip", "geometric"), [(False, 0.0), (True, 0.0), (True, 1.0)])
def test_head_poses_are_those_of_the_pictures(flip: bool, geometric: float) -> None:
    augment = Augmentation(flip=flip, geometric=geometric, photometric=0.0, dropout=0.0)
    dataset = FaceDataset(rows(), InMemory(ORIGINALS), augment=augment)
    mirrored = 0
    for epoch in range(20):
        batch = dataset.batch([(epoch, 1), (epoch, 2), (epoch, 7)])
        yaw, pitch, roll = batch["head_pose"].T
        assert yaw.abs().tolist() == [1.0, 2.0, 7.0] and pitch.tolist() == [2.0, 4.0, 14.0]
        assert torch.isnan(roll).tolist() == [False, True, False]  # what is unknown stays unknown
        turned = roll[2] - 3 * yaw[2]  # yaw and roll change sign together
        assert (abs(turned) > 1e-6) == (geometric > 0) and abs(turned) <= 8.0
        mirrored += int((yaw < 0).sum())
        if geometric == 0:
            seen = to_tensor(ORIGINALS[7]).flip(-1) if yaw[2] < 0 else to_tensor(ORIGINALS[7])
            assert torch.equal(batch["original"][2], seen)
    assert (15 < mirrored < 45) if flip else mirrored == 0


def test_original_stands_in_for_the_normalized_face() -> None:
    plain = FaceDataset(rows(), InMemory(ORIGINALS))[(0, 3)]
    assert torch.equal(plain["original"], plain["normalized"])
    changed = FaceDataset(rows(), InMemory(ORIGINALS), augment=Augmentation())[(0, 3)]
    assert torch.equal(changed["original"], changed["normalized"])


@pytest.mark.parametrize("kind", ["faces", "pairs"])
def test_samples_depend_on_seed_epoch_and_index_only(kind: str) -> None:
    def image(seed: int, epoch: int, index: int, *, others_first: bool = False) -> torch.Tensor:
        augment = Augmentation()
        if kind == "faces":
            dataset: FaceDataset | PairDataset = FaceDataset(rows(), InMemory(ORIGINALS), augment=augment, seed=seed)
        else:
            draw = PairDraw(PairPolicy(), rows().subjects, seed=seed)
            dataset = PairDataset(rows(), InMemory(ORIGINALS), draw, target=TARGET, augment=augment, seed=seed)
        if others_first:
            for other in range(5):
                _ = dataset[(epoch, other)]
            np.random.default_rng()
            torch.rand(3)
        return dataset[(epoch, index)]["original"]

    assert torch.equal(image(0, 2, 8), image(0, 2, 8, others_first=True))
    assert not torch.equal(image(0, 2, 8), image(0, 3, 8))
    assert not torch.equal(image(0, 2, 8), image(1, 2, 8))


def pair_dataset(policy: PairPolicy, augment: Augmentation | None = None, *, truth: bool = True) -> PairDataset:
    draw = PairDraw(policy, rows().subjects, seed=0)
    known = InMemory(TRUTHS) if truth else None
    return PairDataset(rows(), InMemory(ORIGINALS), draw, truth=known, target=TARGET, augment=augment)


def test_fixed_target_pairs_have_the_true_normalized_face() -> None:
    pair = pair_dataset(PairPolicy(1, 0, 0))[(0, 5)]
    assert torch.equal(pair["target"], to_tensor(TARGET))
    assert torch.equal(pair["truth"], to_tensor(TRUTHS[5]))
    assert pair["has_truth"].item()
    assert not pair["same_image"].item()
    assert not pair["same_subject"].item()
    unknown = pair_dataset(PairPolicy(1, 0, 0), truth=False)[(0, 5)]
    assert not unknown["has_truth"].item()
    assert (unknown["truth"] == 0).all()


def test_only_known_answers_are_given() -> None:
    draw, known = PairDraw(PairPolicy(1, 0, 0), rows().subjects, seed=0), np.arange(N) % 2 == 1
    dataset = PairDataset(
        rows(), InMemory(ORIGINALS), draw, truth=InMemory(TRUTHS), known=known, target=TARGET, augment=None
    )
    for index in range(N):
        pair = dataset[(0, index)]
        assert pair["has_truth"].item() == known[index]
        wanted = to_tensor(TRUTHS[index]) if known[index] else torch.zeros(3, SIZE, SIZE)
        assert torch.equal(pair["truth"], wanted)


def test_same_image_pairs_know_their_answer() -> None:
    pair = pair_dataset(PairPolicy(0, 1, 0))[(0, 5)]
    for key in ("original", "target", "truth"):
        assert torch.equal(pair[key], to_tensor(ORIGINALS[5]))
    assert pair["has_truth"].item()
    assert pair["same_image"].item()
    assert pair["same_subject"].item()


@pytest.mark.parametrize("same_subject", [0.0, 1.0])
def test_other_pairs_have_no_answer(same_subject: float) -> None:
    dataset = pair_dataset(PairPolicy(0, 0, same_subject))
    for index in range(N):
        pair = dataset[(1, index)]
        assert bool(pair["same_subject"]) == bool(same_subject)
        assert not pair["has_truth"].item()
        assert not pair["same_image"].item()
        assert (pair["truth"] == 0).all()
        assert pair["emotion"].item() == index % 4 - 1


def test_augmentation_of_pairs_leaves_target_and_truth_alone() -> None:
    for policy, target in ((PairPolicy(1, 0, 0), TARGET), (PairPolicy(0, 1, 0), ORIGINALS[5])):
        pair = pair_dataset(policy, Augmentation(flip=False))[(0, 5)]
        assert torch.equal(pair["target"], to_tensor(target))
        assert not torch.equal(pair["original"], to_tensor(ORIGINALS[5]))
    assert torch.equal(pair["truth"], to_tensor(ORIGINALS[5]))


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("policy", [PairPolicy(1, 0, 0), PairPolicy(0, 1, 0), PairPolicy(0, 0, 0)])
def test_half_of_the_pairs_are_mirrored_as_a_whole(policy: PairPolicy, flip: bool) -> None:
    plain = pair_dataset(policy)
    dataset = pair_dataset(policy, Augmentation(flip=flip, geometric=0.0, photometric=0.0, dropout=0.0))
    mirrored = 0
    for epoch in range(20):
        pair, wanted = dataset[(epoch, 5)], plain[(epoch, 5)]
        turned = torch.equal(pair["original"], wanted["original"].flip(-1))
        mirrored += turned
        for key in ("original", "target", "truth"):
            assert torch.equal(pair[key], wanted[key].flip(-1) if turned else wanted[key])
        assert (pair["target_key"] == wanted["target_key"]) != turned
    assert 3 <= mirrored <= 17 if flip else mirrored == 0


def test_unreadable_face_is_replaced_warned_of_once_and_listed(caplog: pytest.LogCaptureFixture) -> None:
    dataset = FaceDataset(rows(), Broken(ORIGINALS), normalized=InMemory(TRUTHS))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            face = dataset[(0, 4)]
            assert face["face_id"] == "f6"
            assert face["emotion"] == -1  # or f6 would count twice
            assert face["au_intensity"].isnan().all()
            assert face["au"].isnan().all()
            assert face["head_pose"].isnan().all()
            assert torch.equal(face["normalized"], to_tensor(TRUTHS[6]))
    assert dataset.skipped == ["f4", "f5"]
    assert len(caplog.records) == 2
    assert "rubbish" in caplog.text


def test_unreadable_face_in_pairs() -> None:
    draw = PairDraw(PairPolicy(0, 1, 0), rows().subjects, seed=0)
    pair = PairDataset(rows(), Broken(ORIGINALS), draw)[(0, 4)]
    assert pair["face_id"] == "f6"
    assert torch.equal(pair["truth"], to_tensor(ORIGINALS[6]))
    draw = PairDraw(PairPolicy(0, 0, 1), rows().subjects, seed=0)
    other = PairDataset(rows(), Broken(ORIGINALS), draw)[(0, 3)]  # its target, 4 or 5, cannot be read either
    assert torch.equal(other["target"], to_tensor(ORIGINALS[6]))
    assert not other["same_subject"].item()


def test_nothing_readable_is_an_error() -> None:
    one = FaceRows(
        ["f4"], *(getattr(rows(), k)[4:5] for k in ("subjects", "emotions", "occurrence", "intensity", "head_pose"))
    )
    with pytest.raises(ImageError, match="none of 1"):
        _ = FaceDataset(one, OnDemand(Broken(ORIGINALS), np.array([4])))[(0, 0)]


@pytest.mark.parametrize("augment", [None, Augmentation()])
@pytest.mark.parametrize("normalized", [None, InMemory(TRUTHS)])
def test_a_batch_is_its_faces_one_by_one(augment: Augmentation | None, normalized: InMemory | None) -> None:
    dataset = FaceDataset(rows(), InMemory(ORIGINALS), normalized=normalized, augment=augment, seed=3)
    keys = [(2, 7), (2, 0), (2, 7), (3, 7), (2, 11)]
    batch = dataset.batch(keys)
    same_as = default_collate([dataset[key] for key in keys])
    assert list(batch) == list(same_as)
    assert batch["face_id"] == same_as["face_id"] == ["f7", "f0", "f7", "f7", "f11"]
    for name in ("subject", "original", "normalized", "emotion", "au", "au_intensity", "head_pose"):
        torch.testing.assert_close(batch[name], same_as[name], rtol=0, atol=0, equal_nan=True)
    assert torch.equal(batch["original"][0], batch["original"][2])
    assert torch.equal(batch["original"][0], batch["original"][3]) == (augment is None)


def test_an_unreadable_face_within_a_batch_is_replaced_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    dataset = FaceDataset(rows(), Broken(ORIGINALS), normalized=InMemory(TRUTHS))
    with caplog.at_level(logging.WARNING):
        batch = dataset.batch([(0, 3), (0, 5), (0, 7), (0, 6)])
    assert batch["face_id"] == ["f3", "f6", "f7", "f6"]
    assert batch["emotion"].tolist() == [2, -1, 2, 1]
    assert batch["au_intensity"].isnan().all(1).tolist() == [False, True, False, False]
    assert torch.equal(batch["normalized"], to_tensor(TRUTHS[[3, 6, 7, 6]]))
    assert dataset.skipped == ["f5"]
    known = dataset.batch([(0, 6)])
    assert known["emotion"].tolist() == [1]  # what is hidden in one batch is hidden there only
