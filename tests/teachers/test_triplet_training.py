from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from norface.backbones import ConvEncoder, load_encoder
from norface.errors import ConfigError, TrainingError
from norface.samples import FaceBatch, Triplets
from norface.teachers import ExpressionTask, IdentityTask, TrainedExpression, TrainedIdentity
from norface.teachers.networks import DeviationNetwork
from norface.teachers.triplets import TripletDraw, agreement, triplet_loss
from teachers.test_teachers import SIZE, Faces, encoder, faces, trainer


def unit(*shape: int, seed: int = 0) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_the_loss_matches_a_loop_with_both_terms() -> None:
    embedding, margins = unit(6, 3, 4).requires_grad_(), torch.tensor([0.1, 0.2, 0.2, math.nan, 0.1, 0.2])
    wanted = []
    for (a, b, odd), margin in zip(embedding.tolist(), margins.tolist(), strict=True):
        apart = [sum((x - y) ** 2 for x, y in zip(p, q, strict=True)) for p, q in ((a, b), (a, odd), (b, odd))]
        if not math.isnan(margin):
            wanted.append(max(0.0, apart[0] - apart[1] + margin) + max(0.0, apart[0] - apart[2] + margin))
    loss = triplet_loss(embedding, margins)
    assert float(loss.detach()) == pytest.approx(sum(wanted) / 5, rel=1e-5) and min(wanted) < max(wanted)
    loss.backward()
    assert embedding.grad is not None and torch.isfinite(embedding.grad).all()
    assert not embedding.grad[3].any()  # one that does not count pulls nowhere
    assert triplet_loss(unit(2, 3, 4), torch.full((2,), math.nan)) == 0


def test_agreement_asks_for_the_closest_pair() -> None:
    a, b, far, near_b = (torch.tensor(p) for p in ([1.0, 0.0], [0.8, 0.6], [-1.0, 0.0], [0.6, 0.8]))
    right, wrong = torch.stack([a, b, far]), torch.stack([a, b, near_b])  # there b and the odd one are closer
    assert agreement(torch.stack([right, wrong, right, right])) == 0.75
    assert agreement(torch.stack([torch.stack([b, a, near_b])])) == 0  # whichever of the two it is close to
    assert agreement(torch.ones(4, 3, 2)) == 0  # a constant embedding is no answer


def listed(rows: Sequence[Mapping[str, Any]], count: int, seed: int) -> list[tuple[str, str, str]]:
    """Triplets by the first action unit, clear cases only."""
    generator, out = torch.Generator().manual_seed(seed), list[tuple[str, str, str]]()
    while len(out) < count:
        three = torch.randperm(len(rows), generator=generator)[:3].tolist()
        a, b, c = sorted(three, key=lambda k: float(rows[k]["au_intensity"][0]))
        low, mid, high = (float(rows[k]["au_intensity"][0]) for k in (a, b, c))
        if mid - low < 0.6 * (high - mid):
            out.append((str(a), str(b), str(c)))
        elif high - mid < 0.6 * (mid - low):
            out.append((str(b), str(c), str(a)))
    return out


class Shown(Dataset[Any]):
    """Faces by name; `broken` cannot be read, so another stands in; `absent` are not among them."""

    def __init__(self, rows: list[dict[str, Any]], *, broken: str = "", absent: str = "") -> None:
        self.rows, self.broken, self.absent = rows, broken, absent

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        return self.rows[index]

    def has(self, face_id: str) -> bool:
        return face_id != self.absent

    def named(self, face_ids: Sequence[str], *, epoch: int) -> FaceBatch:
        batch: FaceBatch = default_collate([self.rows[int(name)] for name in face_ids])
        batch["counts"] = torch.tensor([name != self.broken for name in face_ids])
        return batch


class Compared(Faces):
    """Faces without a label of any kind, and triplets."""

    emotions: tuple[str, ...] = ()
    aus: tuple[int, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.rows = {"train": faces(64, 0), "val": faces(32, 5)}

    def triplets(self, path: str) -> dict[str, Triplets]:
        counts = {"train": 200, "val": 100 if path == "all" else 0}
        drawn = {role: listed(self.rows[role], count, 3) for role, count in counts.items()}
        return {role: Triplets(some, torch.full((len(some),), 0.2)) for role, some in drawn.items()}

    def _loader(self, role: str) -> DataLoader[Any]:
        unknown = {"emotion": torch.tensor(-1), "au_intensity": torch.zeros(0)}
        rows = [row | unknown for row in self.rows[role]]
        return DataLoader(Shown(rows), batch_size=16, generator=torch.Generator())

    def train_dataloader(self) -> DataLoader[Any]:
        return self._loader("train")

    def val_dataloader(self) -> DataLoader[Any]:
        return self._loader("val")


def test_expressions_are_learned_from_triplets_alone(tmp_path: Path) -> None:
    run = trainer(tmp_path, 12)
    task = ExpressionTask(encoder(), dim=8, lr=1e-2, dropout=0.0, triplets="all")
    run.fit(task, datamodule=Compared())
    assert run.callback_metrics["val/triplet_accuracy"] > 0.8  # chance is a third
    assert run.callback_metrics["train/triplets"] < 0.2  # two margins, 0.4, and more where nothing is learned
    assert math.isnan(run.callback_metrics["val/emotion_accuracy"]) and math.isnan(run.callback_metrics["val/au_r2"])
    run.save_checkpoint(tmp_path / "expression.ckpt")
    reading = TrainedExpression(str(tmp_path / "expression.ckpt"))(torch.rand(2, 3, SIZE, SIZE))
    assert reading.outputs.shape == (2, 0)
    assert torch.allclose(reading.embedding.norm(dim=1), torch.ones(2), atol=1e-5)


@pytest.mark.parametrize("weight", [0.5, 2.0])
def test_triplets_count_with_their_weight_and_leave_the_labels_alone(tmp_path: Path, weight: float) -> None:
    task, data = ExpressionTask(encoder(), dim=8, dropout=0.0, triplets="few", triplet_weight=weight), Labelled()
    run = trainer(tmp_path, 1)
    run.fit(task, datamodule=data)
    assert math.isnan(run.callback_metrics["val/triplet_accuracy"])  # there are none of validation people
    task.eval()
    batch = next(iter(data.train_dataloader()))
    torch.manual_seed(5)
    parts = {name: value.detach() for name, value in task.loss(batch).items()}
    torch.manual_seed(5)
    assert task.draw is not None
    images, margins = task.draw(0)
    embedding = task.network(images)[0].embedding.unflatten(0, (-1, 3))
    assert len(margins) == 16
    assert float(parts["triplets"]) == pytest.approx(
        weight * float(triplet_loss(embedding, margins).detach()), rel=1e-4
    )
    task.draw = None
    alone = {name: value.detach() for name, value in task.loss(batch).items()}
    assert "triplets" not in alone
    for name, value in alone.items():
        assert float(parts[name]) == pytest.approx(float(value), rel=1e-4)


class Labelled(Compared):
    emotions = Faces.emotions
    aus = Faces.aus

    def _loader(self, role: str) -> DataLoader[Any]:
        return DataLoader(Shown(self.rows[role]), batch_size=16, generator=torch.Generator())


def test_a_face_that_stands_in_counts_in_no_triplet() -> None:
    rows = faces(4, 0)
    triplets = Triplets([("0", "1", "2"), ("1", "2", "3")], torch.tensor([0.1, 0.2]))
    images, margins = TripletDraw(triplets, Shown(rows, broken="0"), 8)(0)
    assert images.shape == (24, 3, SIZE, SIZE)
    first = [torch.equal(images[3 * k], rows[0]["original"]) for k in range(8)]
    assert margins.isnan().tolist() == first and 0 < sum(first) < 8
    assert margins[~margins.isnan()].tolist() == pytest.approx([0.2] * (8 - sum(first)))
    assert TripletDraw(triplets, Shown(rows, absent="0"), 8).places == [1]
    with pytest.raises(TrainingError, match="none whose faces can be read, of 1"):
        TripletDraw(Triplets([("0", "1", "2")], torch.ones(1)), Shown(rows, absent="1"), 8)


def test_without_labels_and_triplets_nothing_can_be_learned(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="or triplets, found neither"):
        trainer(tmp_path, 1).fit(ExpressionTask(encoder()), datamodule=Compared())


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("identity")
    run = trainer(folder, 2)
    run.fit(IdentityTask(encoder(), dim=8), datamodule=Faces())
    run.save_checkpoint(folder / "identity.ckpt")
    return folder / "identity.ckpt"


def test_identity_is_subtracted_frozen_and_travels_with_the_checkpoint(tmp_path: Path, identity: Path) -> None:
    teacher = TrainedIdentity(str(identity))
    before = {name: value.clone() for name, value in teacher.encoder.state_dict().items()}
    task = ExpressionTask(
        encoder(), encoder_weights=str(identity), dim=8, lr=1e-2, triplets="all", identity_teacher=teacher
    )
    run = trainer(tmp_path, 12)
    run.fit(task, datamodule=Compared())
    assert run.callback_metrics["val/triplet_accuracy"] > 0.7
    embed = task.network.embed
    assert isinstance(embed, DeviationNetwork)
    assert all(torch.equal(value, before[name]) for name, value in embed.identity.state_dict().items())
    assert not torch.equal(next(embed.encoder.parameters()), next(embed.identity.parameters()))
    image = torch.rand(2, 3, SIZE, SIZE)
    pools = [
        torch.nn.functional.adaptive_avg_pool2d(one(image), 4).flatten(1) for one in (embed.encoder, embed.identity)
    ]
    assert torch.allclose(embed.pooled(image), pools[0] - pools[1])
    run.save_checkpoint(tmp_path / "expression.ckpt")
    identity.rename(tmp_path / "elsewhere.ckpt")  # the expression teacher needs it no more
    trained = TrainedExpression(str(tmp_path / "expression.ckpt"))
    (tmp_path / "elsewhere.ckpt").rename(identity)
    task.eval()
    assert torch.allclose(trained(image).embedding, task.network(image)[0].embedding, atol=1e-6)
    image.requires_grad_()
    assert torch.autograd.grad(trained(image).embedding[:, 0].sum(), image)[0].abs().sum() > 0
    fresh = ConvEncoder(widths=(8, 16))
    load_encoder(fresh, str(tmp_path / "expression.ckpt"))  # the trained one, not the frozen one
    assert torch.equal(next(fresh.parameters()), next(embed.encoder.parameters()))


def test_identity_stays_in_evaluation_mode_and_its_people_are_remembered(tmp_path: Path, identity: Path) -> None:
    teacher = TrainedIdentity(str(identity))
    teacher.subjects = ("zoe",)
    task = ExpressionTask(encoder(), dim=8, identity_teacher=teacher)
    embed = DeviationNetwork(encoder(), teacher.encoder, dim=8).train()
    assert embed.training
    assert not any(module.training for module in embed.identity.modules())
    assert not any(p.requires_grad for p in embed.identity.parameters())
    assert task.encoder_people == ("zoe",)
    with pytest.raises(ConfigError, match="as many features as this one, 24, found 16"):
        DeviationNetwork(ConvEncoder(widths=(8, 24)), teacher.encoder)
