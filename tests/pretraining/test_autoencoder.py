from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from norface.backbones import TimmEncoder, load_encoder
from norface.errors import CheckpointError, ConfigError
from norface.imaging.alignment import Alignment
from norface.imaging.files import read_image
from norface.pretraining import (
    MaskedAutoencoder,
    MaskedAutoencoderTask,
    ReconstructionGrid,
    masked_patch_loss,
    random_mask,
)
from norface.specs import build, describe
from norface.teachers import IdentityTask
from toy_world import SIZE, draw

timm = pytest.importorskip("timm")

VIT = "vit_tiny_patch16_224"
PATCH = 8
Fit = Callable[..., lightning.Trainer]


def make_encoder(**options: Any) -> TimmEncoder:
    return TimmEncoder(VIT, **{"image_size": SIZE, "patch_size": PATCH, **options})


def make_network(**options: Any) -> MaskedAutoencoder:
    torch.manual_seed(0)
    return MaskedAutoencoder(make_encoder(), **{"dim": 32, "blocks": 1, "heads": 2, **options})


class Faces(Dataset[dict[str, Tensor]]):
    """Bars on colours; an index or (epoch, index)."""

    def __init__(self, count: int) -> None:
        generator = torch.Generator().manual_seed(0)
        height, colour = torch.rand(count, generator=generator), torch.rand(count, 3, generator=generator) * 2 - 1
        self.images = draw(height, colour)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Tensor]:
        return {"original": self.images[key if isinstance(key, int) else key[1]]}


class ToyFaces(lightning.LightningDataModule):
    subjects = ("ada", "bob")
    alignment = Alignment(SIZE)

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(Faces(8), batch_size=4)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(Faces(6), batch_size=4)


def make_task(**options: Any) -> MaskedAutoencoderTask:
    torch.manual_seed(0)
    return MaskedAutoencoderTask(make_encoder(), **{"dim": 32, "blocks": 1, "heads": 2, **options})


@pytest.fixture
def fit(tmp_path: Path) -> Fit:
    def run(task: MaskedAutoencoderTask, *, ckpt: str | None = None, **options: Any) -> lightning.Trainer:
        trainer = lightning.Trainer(
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            num_sanity_val_steps=0,
            default_root_dir=tmp_path,
            **{"max_epochs": 1, **options},
        )
        trainer.fit(task, datamodule=ToyFaces(), ckpt_path=ckpt, weights_only=True)
        return trainer

    return run


@torch.no_grad()
def test_the_encoder_sees_what_is_visible_and_nothing_else() -> None:
    network = make_network().eval()
    image = torch.rand(2, 3, SIZE, SIZE) * 2 - 1
    mask = random_mask(2, network.count, 0.75, device=image.device)
    encoded = network.encode(image, mask.visible)
    assert encoded.shape == (2, 1 + 4, 192)
    hidden = mask.masked.view(2, 1, 4, 4).repeat_interleave(PATCH, 2).repeat_interleave(PATCH, 3)
    assert torch.equal(network.encode(image.masked_fill(hidden, 0.7), mask.visible), encoded)
    assert not torch.allclose(network.encode(image.masked_fill(~hidden, 0.7), mask.visible), encoded)


@torch.no_grad()
def test_with_everything_visible_it_is_the_transformer_itself() -> None:
    network = make_network().eval()
    image = torch.rand(1, 3, SIZE, SIZE) * 2 - 1
    order = torch.randperm(16)[None]
    encoded = network.encode(image, order)
    whole = network.encoder(image).flatten(2).transpose(1, 2)  # (1, 16, 192)
    torch.testing.assert_close(encoded[0, 1:], whole[0, order[0]], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_predictions_stand_where_their_patches_are() -> None:
    """Without decoder blocks a visible patch's prediction depends on that patch's token and place alone."""
    network = make_network(blocks=0).eval()
    image = torch.rand(1, 3, SIZE, SIZE)
    mask = random_mask(1, 16, 0.75, device=image.device)
    encoded = network.encode(image, mask.visible)
    predicted = network.decode(encoded, mask)
    for token, place in zip(encoded[0, 1:], mask.visible[0], strict=True):
        alone = network.predict(network.norm(network.embed(token) + network.positions[place]))
        torch.testing.assert_close(predicted[0, place], alone)
    gap = int(mask.masked[0].nonzero()[0])
    torch.testing.assert_close(predicted[0, gap], network.predict(network.norm(network.gap + network.positions[gap])))


def test_the_cost_of_the_encoder_is_that_of_what_it_sees() -> None:
    network, costs = make_network().eval(), []
    image = torch.rand(1, 3, SIZE, SIZE)
    for ratio in (0.75, 0.5):
        mask = random_mask(1, 16, ratio, device=image.device)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network.encode(image, mask.visible)
        costs.append(counter.get_total_flops() - patches_cost(network, image))
    assert costs[1] / costs[0] == pytest.approx((1 + 8) / (1 + 4), rel=0.05)  # the class token counts too


def patches_cost(network: MaskedAutoencoder, image: Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.encoder.network.patch_embed(image)
    return int(counter.get_total_flops())


def test_one_batch_can_be_overfitted() -> None:
    torch.manual_seed(0)
    small = make_encoder()
    small.network.blocks = small.network.blocks[:2]  # of its twelve: the test shall be quick
    network = MaskedAutoencoder(small, dim=64, blocks=1, heads=2)
    images = Faces(4).images
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(160):
        found = network(images, generator=torch.Generator().manual_seed(0))
        loss = masked_patch_loss(found.patches, images, found.masked, patch=PATCH)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]
    assert all(p.grad is not None for name, p in network.named_parameters() if "fc_norm" not in name)


def test_resumed_run_equals_an_uninterrupted_one(fit: Fit, tmp_path: Path) -> None:
    whole = make_task()
    fit(whole, max_epochs=3)

    class Stop(lightning.Callback):
        def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
            if trainer.current_epoch == 0:
                trainer.save_checkpoint(tmp_path / "half.ckpt")

    fit(make_task(), max_epochs=3, callbacks=[Stop(), ReconstructionGrid(faces=2, every_n_epochs=1)])
    resumed = make_task()
    fit(resumed, max_epochs=3, ckpt=str(tmp_path / "half.ckpt"))
    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


def test_reconstructions_are_painted(fit: Fit, tmp_path: Path) -> None:
    metrics = fit(make_task(), max_epochs=3, callbacks=[ReconstructionGrid(faces=4, every_n_epochs=2)]).callback_metrics
    pictures = sorted((tmp_path / "reconstructions").iterdir())
    assert [path.stem for path in pictures] == ["epoch-000", "epoch-002", "epoch-003"]
    first, last = read_image(pictures[0]), read_image(pictures[-1])
    assert first.shape == (3 * SIZE, 4 * SIZE, 3)
    assert (first[: 2 * SIZE] == last[: 2 * SIZE]).all()  # the same faces and masks
    assert (first[2 * SIZE :] != last[2 * SIZE :]).any()
    assert "val/masked" in metrics and "train/masked" in metrics


@pytest.mark.parametrize("size", [SIZE, 2 * SIZE])
def test_others_start_from_its_encoder(size: int, fit: Fit, tmp_path: Path) -> None:
    task = make_task()
    fit(task).save_checkpoint(tmp_path / "mae.ckpt")
    trained, encoder = task.network.encoder.state_dict(), make_encoder(image_size=size)
    load_encoder(encoder, str(tmp_path / "mae.ckpt"))
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, trained[name]) == (size == SIZE or name != "network.pos_embed"), name
    started = make_encoder()
    teacher = IdentityTask(started, encoder_weights=str(tmp_path / "mae.ckpt"))
    assert torch.equal(started.network.norm.weight, trained["network.norm.weight"])
    assert teacher.encoder_people == ("ada", "bob")
    about = torch.load(tmp_path / "mae.ckpt", weights_only=True)["norface"]
    assert about["kind"] == "encoder"
    again = build(about["network"], where="here")
    assert isinstance(again, MaskedAutoencoder) and again.load_state_dict(task.network.state_dict())


def test_a_random_encoder_starts_with_places_and_a_trained_one_keeps_its_own(tmp_path: Path) -> None:
    from norface.pretraining.positions import sine_cosine

    torch.testing.assert_close(make_network().encoder.network.pos_embed[0, 1:], sine_cosine(4, 192))
    given = make_encoder()
    torch.save(given.network.state_dict(), tmp_path / "w.pth")
    network = MaskedAutoencoder(make_encoder(weights=str(tmp_path / "w.pth")), dim=32, heads=2)
    assert torch.equal(network.encoder.network.pos_embed, given.network.pos_embed)
    assert describe(network)["init_args"]["dim"] == 32


def test_faces_of_another_size_are_refused(fit: Fit) -> None:
    task = MaskedAutoencoderTask(make_encoder(image_size=64), dim=32, heads=2)
    with pytest.raises(ConfigError, match=r"faces of 64 pixels, .* found 32 pixels"):
        fit(task)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MaskedAutoencoder(TimmEncoder("resnet10t")), "a vision transformer"),
        (lambda: MaskedAutoencoder(TimmEncoder(VIT)), "encoder with a size of images"),
        (lambda: make_network(masked=1.0), "a share between 0 and 1"),
        (lambda: make_network(dim=30), "a multiple of 4"),
    ],
)
def test_what_cannot_be_masked_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_other_checkpoints_do_not_resume_it(fit: Fit, tmp_path: Path) -> None:
    fit(make_task()).save_checkpoint(tmp_path / "mae.ckpt")
    content = torch.load(tmp_path / "mae.ckpt", weights_only=True)
    content["norface"]["kind"] = "teacher"
    torch.save(content, tmp_path / "t.ckpt")
    with pytest.raises(CheckpointError, match="expected an encoder checkpoint"):
        fit(make_task(), ckpt=str(tmp_path / "t.ckpt"))
