from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from bright_corners import NAN, SIZES, BrightCorners, make, make_trainer
from norface.backbones import ConvEncoder
from norface.classifier import ActionUnitTask, EmotionTask, IntensityTask, load_classifier
from norface.classifier.experts import MultiGateExperts
from norface.classifier.module import ClassifierTask
from norface.classifier.prediction_table import AnswerTable
from norface.classifier.streams import Streams
from norface.errors import AlignmentError, CheckpointError, ConfigError, LeakageError, TrainingError

TASKS: list[type[ClassifierTask]] = [EmotionTask, ActionUnitTask, IntensityTask]


def fitted(folder: Path, task: type[ClassifierTask] = EmotionTask, **options: Any) -> Path:
    trainer = make_trainer(folder)
    trainer.fit(make(task, **options), datamodule=BrightCorners())
    trainer.save_checkpoint(folder / "classifier.ckpt")
    return folder / "classifier.ckpt"


def is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)


@pytest.mark.parametrize(
    ("task", "score", "better"),
    [(EmotionTask, "accuracy", 0.95), (ActionUnitTask, "f1", 0.9), (IntensityTask, "icc", 0.8)],
)
def test_a_few_faces_are_learned_by_heart(
    tmp_path: Path, task: type[ClassifierTask], score: str, better: float
) -> None:
    trainer, module, data = make_trainer(tmp_path, epochs=12), make(task, dropout=0.0), BrightCorners()
    trainer.fit(module, datamodule=data)
    assert float(trainer.callback_metrics["val/score"]) == pytest.approx(
        float(trainer.callback_metrics[f"val/{score}"])
    )
    trainer.test(module, datamodule=data, verbose=False)
    results = module.test_results
    assert results[score] > better, results
    assert float(trainer.callback_metrics[f"test/{score}"]) == pytest.approx(results[score])
    assert results["task"] == task.task and results["streams"] == "both"
    assert results["n_faces"] == 24 and results["n_subjects"] == 2
    assert is_plain(results) and json.loads(json.dumps(results, allow_nan=False)) == results
    use = results["expert_use"]
    assert set(use["input_by_stream"]) == {"original", "normalized"}
    for row in [*use["input"], *use["output"], *use["input_by_stream"].values()]:
        assert len(row) == 4 and sum(row) == pytest.approx(1.0, abs=1e-5)


def test_emotion_results_name_the_constant_predictor(tmp_path: Path) -> None:
    module, data = make(), BrightCorners(faces=23)  # one face less of the last emotion
    make_trainer(tmp_path).fit(module, datamodule=data)
    make_trainer(tmp_path).test(module, datamodule=data, verbose=False)
    results = module.test_results
    assert results["classes"] == ["neutral", "happy", "sad"] and results["support"] == [8, 8, 7]
    assert results["constant"]["label"] == "neutral"
    assert results["constant"]["accuracy"] == pytest.approx(8 / 23)
    assert results["constant"]["mean_class_accuracy"] == pytest.approx(1 / 3)
    assert sum(map(sum, results["confusion"])) == 23


@pytest.mark.parametrize("streams", ["original", "normalized"])
def test_one_stream_alone_trains(tmp_path: Path, streams: Streams) -> None:
    module = make(streams=streams)
    make_trainer(tmp_path).fit(module, datamodule=BrightCorners(normalized=streams == "normalized"))
    assert module.network is not None and module.network.streams.names == (streams,)


def test_originals_in_place_of_normalized_faces_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="originals in their place"):
        make_trainer(tmp_path).fit(make(), datamodule=BrightCorners(normalized=False))


@pytest.mark.parametrize("weighting", [True, False])
def test_class_weighting(tmp_path: Path, weighting: bool) -> None:
    module = make(class_weighting=weighting)
    make_trainer(tmp_path).fit(module, datamodule=BrightCorners(faces=23))
    weights = module.loss.class_weights
    assert isinstance(weights, Tensor) and (float(weights[2]) > float(weights[0])) is weighting


@pytest.mark.parametrize(
    ("task", "unknown"), [(EmotionTask, "emotion"), (ActionUnitTask, "au"), (IntensityTask, "au_intensity")]
)
def test_nothing_to_learn_from_is_an_error(tmp_path: Path, task: type[ClassifierTask], unknown: str) -> None:
    with pytest.raises(TrainingError, match="every one is unknown"):
        make_trainer(tmp_path).fit(make(task), datamodule=BrightCorners(unknown=unknown))


def test_a_table_without_action_units_is_an_error(tmp_path: Path) -> None:
    data = BrightCorners()
    data.aus = ()
    with pytest.raises(TrainingError, match="at least one action unit for task au, found none"):
        make_trainer(tmp_path).fit(make(ActionUnitTask), datamodule=data)


def test_endless_training_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="max_epochs"):
        make_trainer(tmp_path, epochs=-1).fit(make(), datamodule=BrightCorners())


def test_impossible_top_k_is_an_error() -> None:
    with pytest.raises(ConfigError, match="from 1 to 4"):
        make(top_k=5)


def test_a_loss_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    data = BrightCorners()
    data.samples[0]["original"] = torch.full((3, 16, 16), NAN)
    with pytest.raises(TrainingError, match="finite losses"):
        make_trainer(tmp_path).fit(make(), datamodule=data)


def test_a_fully_missing_action_unit_is_not_available(tmp_path: Path) -> None:
    module, data = make(ActionUnitTask), BrightCorners()
    for sample in data.samples:
        sample["au"][1] = NAN
    make_trainer(tmp_path).fit(module, datamodule=data)
    make_trainer(tmp_path).test(module, datamodule=data, verbose=False)
    assert module.test_results["f1_per_au"]["AU04"] is None
    assert module.test_results["n_labels_per_au"]["AU04"] == 0 and module.test_results["scored_aus"] == 2
    assert module.test_results["expert_use"]["input"][1] == [None] * 4


@pytest.mark.parametrize(("task", "kind"), [(ActionUnitTask, "au"), (IntensityTask, "au_intensity")])
def test_a_fully_missing_action_unit_teaches_nothing(
    tmp_path: Path, task: type[ClassifierTask], kind: Literal["au", "au_intensity"]
) -> None:
    module, data = make(task, balance_weight=1.0, weight_decay=0.0), BrightCorners()
    for sample in data.samples:
        sample[kind][1] = NAN
    make_trainer(tmp_path).fit(module, datamodule=data)
    assert module.network is not None
    untrained = make(task, balance_weight=1.0, weight_decay=0.0)
    make_trainer(tmp_path, epochs=0).fit(untrained, datamodule=data)
    assert untrained.network is not None
    before, after = untrained.network, module.network
    assert isinstance(after.output_experts, MultiGateExperts) and isinstance(before.output_experts, MultiGateExperts)
    router, started = after.output_experts.router, before.output_experts.router
    for trained, start in (
        (after.head_weight, before.head_weight),
        (after.head_bias, before.head_bias),
        (router.gate_weight, started.gate_weight),
        (router.noise_weight, started.noise_weight),
    ):
        assert torch.equal(trained[1], start[1])  # neither by its labels nor by the balance of the experts
        assert not torch.equal(trained[0], start[0]) and not torch.equal(trained[2], start[2])


@pytest.mark.parametrize("task", [ActionUnitTask, IntensityTask])
def test_without_any_label_nothing_is_available(tmp_path: Path, task: type[ClassifierTask]) -> None:
    module = make(task)
    make_trainer(tmp_path).fit(module, datamodule=BrightCorners())
    blank = BrightCorners()
    for sample in blank.samples:
        sample["au"].fill_(NAN)
        sample["au_intensity"].fill_(NAN)
    make_trainer(tmp_path).test(module, datamodule=blank, verbose=False)
    results = module.test_results
    figures = ("f1", "auroc", "accuracy") if task is ActionUnitTask else ("icc", "pcc", "mae", "mse")
    for name in figures:
        assert results[name] is None
        assert set(results[f"{name}_per_au"].values()) == {None}
    assert results["scored_aus"] == 0 and set(results["n_labels_per_au"].values()) == {0}
    assert results["constant"]["f1" if task is ActionUnitTask else "icc"] is None


def test_faces_without_an_emotion_are_not_scored(tmp_path: Path) -> None:
    module, data = make(), BrightCorners()
    for sample in data.samples[:6]:
        sample["emotion"] = torch.tensor(-1)
    make_trainer(tmp_path).fit(module, datamodule=data)
    make_trainer(tmp_path).test(module, datamodule=data, verbose=False)
    assert module.test_results["n_faces"] == 24 and module.test_results["n_labels"] == 18
    assert sum(map(sum, module.test_results["confusion"])) == 18
    make_trainer(tmp_path).test(module, datamodule=BrightCorners(unknown="emotion"), verbose=False)
    for name in ("accuracy", "mean_class_accuracy", "macro_f1"):
        assert module.test_results[name] is None and module.test_results["constant"][name] is None


def test_imbalance_is_remedied_once_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = BrightCorners(faces=23)
    data.sampling = "balanced"
    with pytest.raises(ConfigError, match=r"one remedy for imbalanced emotions.*Set class_weighting to false"):
        make_trainer(tmp_path).fit(make(), datamodule=data)
    module = make(class_weighting=False)
    with caplog.at_level(logging.INFO, logger="norface"):
        make_trainer(tmp_path).fit(module, datamodule=data)
    assert "drawn by balanced sampling; loss weights: None" in caplog.text
    trainer = make_trainer(tmp_path)
    trainer.test(module, datamodule=BrightCorners(), verbose=False)  # says how it was trained, not how it is tested
    assert module.test_results["balancing"] == {"sampling": "balanced", "loss_weights": None}


def test_the_weights_of_the_loss_are_named_in_results_and_checkpoint(tmp_path: Path) -> None:
    path = fitted(tmp_path)
    balancing = torch.load(path, weights_only=True)["norface"]["balancing"]
    assert balancing["sampling"] == "uniform"
    assert balancing["loss_weights"] == pytest.approx({"neutral": 1.0, "happy": 1.0, "sad": 1.0})
    module, data = make(ActionUnitTask), BrightCorners()
    make_trainer(tmp_path).fit(module, datamodule=data)
    make_trainer(tmp_path).test(module, datamodule=data, verbose=False)
    weights = module.test_results["balancing"]["loss_weights"]
    rates = data.occurrence_rates()
    assert weights["AU01"] / weights["AU12"] == pytest.approx(rates[2] / rates[0])


def test_people_it_was_trained_on_are_not_tested(tmp_path: Path) -> None:
    path = fitted(tmp_path)
    data = BrightCorners()
    data.tested = ("b", "d")
    with pytest.raises(LeakageError, match=r"classifier was not trained on, found 1 .*: b\."):
        make_trainer(tmp_path).test(make(), datamodule=data, ckpt_path=str(path))


@pytest.mark.parametrize("after_validation", [True, False])
def test_resuming_equals_an_uninterrupted_run(tmp_path: Path, after_validation: bool) -> None:
    late = not after_validation
    keep = ModelCheckpoint(dirpath=tmp_path, filename="{epoch}", save_top_k=-1, save_on_train_epoch_end=late)
    whole = make()
    make_trainer(tmp_path, epochs=2, callbacks=[keep]).fit(whole, datamodule=BrightCorners())
    torch.manual_seed(99)
    resumed = EmotionTask(backbone=ConvEncoder(widths=(8, 16)), **SIZES)
    first = str(tmp_path / "epoch=0.ckpt")
    again = ModelCheckpoint(dirpath=tmp_path, filename="{epoch}", save_top_k=-1)
    make_trainer(tmp_path, epochs=2, callbacks=[again]).fit(resumed, datamodule=BrightCorners(), ckpt_path=first)
    expected, found = whole.state_dict(), resumed.state_dict()
    assert expected.keys() == found.keys() and len(expected) > 20
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.parametrize("task", TASKS)
def test_the_checkpoint_is_plain_and_complete(tmp_path: Path, task: type[ClassifierTask]) -> None:
    path = fitted(tmp_path, task)
    checkpoint = torch.load(path, weights_only=True)
    header = checkpoint["norface"]
    assert header["kind"] == "classifier" and header["task"] == task.task and header["version"]
    assert header["emotions"] == ["neutral", "happy", "sad"] and header["aus"] == [1, 4, 12]
    assert header["alignment"]["size"] == 16 and header["subjects"] == ["a", "b"]
    assert is_plain(header) and all(key.startswith("network.") for key in checkpoint["state_dict"])

    classifier = load_classifier(path, task=task.task)
    assert classifier.labels == (("neutral", "happy", "sad") if task is EmotionTask else ("AU01", "AU04", "AU12"))
    assert classifier.subjects == ("a", "b") and not classifier.network.training
    batches = make_trainer(tmp_path).predict(make(task), datamodule=BrightCorners(), ckpt_path=str(path))
    assert batches is not None
    predicted = torch.cat([batch["answers"] for batch in batches])  # type: ignore[call-overload]
    assert [name for batch in batches for name in batch["face_id"]][:2] == ["face0", "face1"]  # type: ignore[call-overload]
    samples = BrightCorners().samples
    direct = classifier.predict(
        torch.stack([s["original"] for s in samples]), torch.stack([s["normalized"] for s in samples])
    )
    torch.testing.assert_close(predicted, direct)
    assert direct.min() >= 0.0
    if task is EmotionTask:
        torch.testing.assert_close(direct.sum(1), torch.ones(24))
    assert direct.max() <= (5.0 if task is IntensityTask else 1.0)


def test_a_checkpoint_is_tested_in_a_new_process_like_module(tmp_path: Path) -> None:
    path, module = fitted(tmp_path), make()
    make_trainer(tmp_path).test(module, datamodule=BrightCorners(), ckpt_path=str(path), verbose=False)
    weights = torch.load(path, weights_only=True)["state_dict"]
    assert all(torch.equal(value, weights[name]) for name, value in module.state_dict().items())
    again = EmotionTask.load_from_checkpoint(path, weights_only=True)
    assert again.network is not None


def test_a_checkpoint_of_another_task_is_refused(tmp_path: Path) -> None:
    path = fitted(tmp_path)
    with pytest.raises(CheckpointError, match="a classifier for task au, found one for task fer"):
        load_classifier(path, task="au")
    with pytest.raises(CheckpointError, match="found one for task fer"):
        make_trainer(tmp_path).test(make(ActionUnitTask), datamodule=BrightCorners(), ckpt_path=str(path))


def test_other_labels_networks_and_crops_are_refused(tmp_path: Path) -> None:
    path = str(fitted(tmp_path))
    data = BrightCorners()
    data.emotions = ("neutral", "happy", "anger")
    with pytest.raises(CheckpointError, match=r"labels .*anger.*found one with .*sad"):
        make_trainer(tmp_path).test(make(), datamodule=data, ckpt_path=path)
    with pytest.raises(CheckpointError, match="a classifier with network"):
        make_trainer(tmp_path).test(make(streams="original"), datamodule=BrightCorners(), ckpt_path=path)
    with pytest.raises(AlignmentError, match="as the classifier was trained"):
        make_trainer(tmp_path).test(make(), datamodule=BrightCorners(size=32), ckpt_path=path)
    with pytest.raises(AlignmentError, match="as the classifier was trained"):
        make_trainer(tmp_path).predict(make(), datamodule=BrightCorners(size=32), ckpt_path=path)
    with pytest.raises(CheckpointError, match="labels"):
        make_trainer(tmp_path).test(EmotionTask.load_from_checkpoint(path), datamodule=data)


def test_people_of_both_trainings_are_named(tmp_path: Path) -> None:
    module, other = EmotionTask.load_from_checkpoint(fitted(tmp_path)), BrightCorners()
    other.subjects = ("b", "c")
    make_trainer(tmp_path).fit(module, datamodule=other)
    assert module.header is not None and module.header["subjects"] == ["a", "b", "c"]


def test_people_that_the_encoder_has_seen_are_named(tmp_path: Path) -> None:
    path, _ = encoder_file(tmp_path)
    module = make(encoder_weights=path)
    make_trainer(tmp_path).fit(module, datamodule=BrightCorners())
    assert module.header is not None and module.header["subjects"] == ["a", "b", "n1"]
    data = BrightCorners()
    data.tested = ("n1",)
    with pytest.raises(LeakageError, match="n1"):
        make_trainer(tmp_path).test(module, datamodule=data, verbose=False)


def encoder_file(folder: Path) -> tuple[str, dict[str, Tensor]]:
    torch.manual_seed(5)
    weights = ConvEncoder(widths=(8, 16)).state_dict()
    state = {f"average.network.encoder.{name}": value for name, value in weights.items()}
    torch.save({"state_dict": state, "norface": {"kind": "normalizer", "subjects": ["n1"]}}, folder / "normalizer.ckpt")
    return str(folder / "normalizer.ckpt"), weights


def test_training_starts_from_the_encoder_weights(tmp_path: Path) -> None:
    path, weights = encoder_file(tmp_path)
    module = make(encoder_weights=path, lr=0.0)
    make_trainer(tmp_path).fit(module, datamodule=BrightCorners())
    assert module.network is not None
    found = module.network.streams.backbones[0].state_dict()
    assert all(torch.equal(found[name], value) for name, value in weights.items())


def test_a_resumed_run_keeps_its_own_encoder(tmp_path: Path) -> None:
    path, _ = encoder_file(tmp_path)
    trained, trainer = make(encoder_weights=path), make_trainer(tmp_path)
    trainer.fit(trained, datamodule=BrightCorners())
    trainer.save_checkpoint(tmp_path / "classifier.ckpt")
    Path(path).unlink()  # not needed any more
    module = make(encoder_weights=path)
    make_trainer(tmp_path).fit(module, datamodule=BrightCorners(), ckpt_path=str(tmp_path / "classifier.ckpt"))
    assert all(torch.equal(value, trained.state_dict()[name]) for name, value in module.state_dict().items())


def test_an_encoder_of_another_size_stops_before_training(tmp_path: Path) -> None:
    path, _ = encoder_file(tmp_path)
    with pytest.raises(CheckpointError, match="an encoder of the same widths and blocks"):
        make_trainer(tmp_path).fit(
            EmotionTask(backbone=ConvEncoder(widths=(8, 24)), encoder_weights=path, **SIZES),
            datamodule=BrightCorners(),
        )


def test_predicting_without_a_checkpoint_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="a trained classifier, found none"):
        make_trainer(tmp_path).predict(make(), datamodule=BrightCorners())


@pytest.mark.parametrize(
    ("options", "used"),
    [
        ({"input_experts": False}, {"output"}),
        ({"output_experts": False}, {"input", "input_by_stream"}),
        ({"input_experts": False, "output_experts": False}, set()),
    ],
)
def test_without_a_mixture_there_is_no_use_of_it_to_tell(
    tmp_path: Path, options: dict[str, bool], used: set[str]
) -> None:
    path = fitted(tmp_path, EmotionTask, **options)
    module, trainer = make(EmotionTask, **options), make_trainer(tmp_path, callbacks=[AnswerTable(tmp_path)])
    trainer.test(module, datamodule=BrightCorners(), ckpt_path=str(path), weights_only=True)
    assert set(module.test_results["expert_use"]) == used
    columns = pd.read_parquet(tmp_path / "test_predictions.parquet").columns
    assert {name.rpartition("_")[0] for name in columns if name.startswith("gate_")} == {
        "gate_output" if name == "output" else f"gate_{stream}"
        for name in used
        for stream in ("original", "normalized")
    }
    with pytest.raises(CheckpointError, match="network"):
        make_trainer(tmp_path).test(make(), datamodule=BrightCorners(), ckpt_path=str(path), weights_only=True)


def test_a_test_leaves_the_answer_for_every_face(tmp_path: Path) -> None:
    path, module = fitted(tmp_path), make()
    trainer = make_trainer(tmp_path, callbacks=[AnswerTable(tmp_path)])
    for _ in range(2):  # a second test does not add to the first
        trainer.test(module, datamodule=BrightCorners(faces=20), ckpt_path=str(path), weights_only=True)
    table = pd.read_parquet(tmp_path / "test_predictions.parquet")
    assert table["face_id"].tolist() == [f"face{k}" for k in range(20)] and table["success"].all()
    accuracy = (table["emotion"] == table["true_emotion"]).mean()
    assert accuracy == pytest.approx(module.test_results["accuracy"])
    assert table.attrs["norface"]["task"] == "fer"


def test_uneven_use_of_experts_costs_what_its_weight_says(tmp_path: Path) -> None:
    seen: list[tuple[float, float]] = []

    class Watched(EmotionTask):
        def shared_step(self, batch: Any, split: str) -> tuple[Any, Tensor]:
            answer, total = super().shared_step(batch, split)
            if split == "train":
                alone = self.loss(answer.logits, self.labels(batch))
                seen.append((float((total - alone).detach()), float(answer.balance.detach())))
            return answer, total

    module = Watched(backbone=ConvEncoder(widths=(8, 16)), balance_weight=3.0, **SIZES)
    make_trainer(tmp_path).fit(module, datamodule=BrightCorners())
    added, balance = map(torch.tensor, zip(*seen, strict=True))
    assert float(balance.min()) > 1e-4
    torch.testing.assert_close(added, 3.0 * balance, atol=1e-4, rtol=1e-3)
