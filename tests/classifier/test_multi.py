from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
import torch
from torch import Tensor

from bright_corners import NAN, BrightCorners, make, make_trainer
from norface.classifier import (
    ActionUnitTask,
    AveragedWeights,
    EmotionTask,
    IntensityTask,
    MultiTask,
    TestCurve,
    load_classifier,
)
from norface.classifier.contract import LabelledFaces
from norface.classifier.experts import ExpertsByTask
from norface.classifier.module import ClassifierTask
from norface.classifier.multi import WeightedSum
from norface.classifier.prediction_table import AnswerTable, PredictionTable
from norface.errors import CheckpointError, ConfigError, TrainingError
from norface.results import multi_section, update_results
from norface.samples import FaceBatch

SINGLE: dict[str, type[ClassifierTask]] = {"fer": EmotionTask, "au": ActionUnitTask, "au-intensity": IntensityTask}
ALL = dict.fromkeys(SINGLE, 1.0)
ROWS = {"fer": slice(0, 3), "au": slice(3, 6), "au-intensity": slice(6, 9)}


def multi(**options: Any) -> MultiTask:
    module = make(MultiTask, **options)
    assert isinstance(module, MultiTask)
    return module


def half_known() -> BrightCorners:
    """Every other face has an emotion only, the others have action units only."""
    data = BrightCorners()
    for index, sample in enumerate(data.samples):
        if index % 2:
            sample["emotion"] = torch.tensor(-1)
        else:
            sample["au"], sample["au_intensity"] = torch.full((3,), NAN), torch.full((3,), NAN)
    return data


def prepared(data: BrightCorners, folder: Path, **options: Any) -> MultiTask:
    """Network, loss and scores made; nothing trained."""
    module, trainer = multi(**options), make_trainer(folder)
    trainer.datamodule = data  # type: ignore[attr-defined]
    module.trainer = trainer
    module.setup("fit")
    return module


def gradients(module: MultiTask, batch: FaceBatch) -> dict[str, float]:
    """Largest gradient in each task's head and output mixture, of the loss without the balance of the experts."""
    assert module.network is not None and isinstance(module.network.output_experts, ExpertsByTask)
    module.zero_grad()
    answer = module(batch["original"], batch["normalized"])
    module.loss(answer.logits, module.labels(batch)).backward()  # type: ignore[arg-type]
    found = {}
    for name, mixture in zip(module.members, module.network.output_experts.mixtures, strict=True):
        head = module.network.head_weight.grad
        assert head is not None
        own = [head[ROWS[name]], *(one.grad for one in mixture.parameters() if one.grad is not None)]
        found[name] = max(float(one.abs().max()) for one in own)
    return found


def one_batch(data: BrightCorners) -> FaceBatch:
    batch: FaceBatch = next(iter(data.loader()))
    return batch


@pytest.mark.parametrize("half", [False, True])
def test_a_few_faces_are_learned_by_heart_in_all_tasks(tmp_path: Path, half: bool) -> None:
    data = half_known() if half else BrightCorners()
    trainer, module = make_trainer(tmp_path, epochs=30), multi(dropout=0.0)
    trainer.fit(module, datamodule=data)
    trainer.test(module, datamodule=data, verbose=False)
    results = module.test_results
    assert list(results) == list(SINGLE)
    for name, (figure, better) in {"fer": ("accuracy", 0.95), "au": ("f1", 0.9), "au-intensity": ("icc", 0.8)}.items():
        assert results[name][figure] > better, (name, results[name][figure])
        assert float(trainer.callback_metrics[f"test/{name}/{figure}"]) == pytest.approx(results[name][figure])
        assert float(trainer.callback_metrics[f"test/{name}/loss"]) >= 0
    merits = [results["fer"]["accuracy"], results["au"]["f1"], results["au-intensity"]["icc"]]
    assert float(trainer.callback_metrics["test/score"]) == pytest.approx(sum(merits) / 3)
    if half:
        assert results["fer"]["n_labels"] == 12 and results["au"]["n_labels_per_au"]["AU01"] == 12


@pytest.mark.parametrize("name", SINGLE)
def test_one_task_of_several_is_that_task_alone(name: str, tmp_path: Path) -> None:
    """Same seed, same order of creation: the same weights, figures and use of the experts."""
    done = {}
    for several in (False, True):
        # Not before the other's network is made: both start from the same seed.
        module = multi(tasks={name: 1.0}) if several else make(SINGLE[name])
        trainer = make_trainer(tmp_path, epochs=2)
        trainer.fit(module, datamodule=BrightCorners())
        trainer.test(module, datamodule=BrightCorners(), verbose=False)
        assert module.network is not None
        done[module.task] = (list(module.network.state_dict().values()), trainer.callback_metrics, module.test_results)
    (weights, logged, alone), (others, also_logged, together) = done[name], done["multi"]
    assert all(torch.equal(one, other) for one, other in zip(weights, others, strict=True))
    assert float(also_logged["test/loss"]) == float(logged["test/loss"]) == float(also_logged[f"test/{name}/loss"])
    block = together[name]
    assert block.pop("trained_with") == [name] and block["balancing"].pop("task_weight") == 1.0
    assert block == alone


def test_the_loss_is_the_weighted_sum_of_the_single_ones(tmp_path: Path) -> None:
    weights, data = {"fer": 0.5, "au": 2.0, "au-intensity": 3.0}, half_known()
    module, batch = prepared(data, tmp_path, tasks=weights), one_batch(data)
    logits = torch.randn(8, 9)
    expected = 0.0
    for name, weight in weights.items():
        single = make(SINGLE[name])
        single.names = single.label_names({"emotions": data.emotions, "aus": data.aus})
        labels = single.labels(batch)  # type: ignore[arg-type]
        expected += weight * float(single.make_loss(cast(LabelledFaces, data))(logits[:, ROWS[name]], labels))
    labels = module.labels(batch)  # type: ignore[arg-type]
    assert float(module.loss(logits, labels)) == pytest.approx(expected, rel=1e-5)
    assert isinstance(module.loss, WeightedSum)


@pytest.mark.parametrize("unknown", [("fer",), ("au",), ("au-intensity",), ("au", "au-intensity")])
def test_each_head_learns_from_the_labels_of_its_own_task_only(unknown: tuple[str, ...], tmp_path: Path) -> None:
    data = BrightCorners()
    module, batch = prepared(data, tmp_path), one_batch(data)
    if "fer" in unknown:
        batch["emotion"] = torch.full_like(batch["emotion"], -1)
    if "au" in unknown:
        batch["au"] = torch.full_like(batch["au"], NAN)
    if "au-intensity" in unknown:
        batch["au_intensity"] = torch.full_like(batch["au_intensity"], NAN)
    found = gradients(module, batch)
    assert {name for name, size in found.items() if size == 0.0} == set(unknown), found


def test_a_row_teaches_the_tasks_that_it_knows(tmp_path: Path) -> None:
    """Logits of a face without an emotion have no gradient in the emotions, and so on."""
    data = half_known()
    module, batch = prepared(data, tmp_path), one_batch(data)
    logits = torch.randn(8, 9, requires_grad=True)
    module.loss(logits, module.labels(batch)).backward()  # type: ignore[arg-type]
    assert isinstance(logits.grad, Tensor)
    pulled = {name: logits.grad[:, rows].abs().sum(1) > 0 for name, rows in ROWS.items()}
    knows_emotion = torch.arange(8) % 2 == 0
    assert torch.equal(pulled["fer"], knows_emotion)
    assert torch.equal(pulled["au"], ~knows_emotion) and torch.equal(pulled["au-intensity"], ~knows_emotion)


def test_a_weight_of_zero_means_no_head(tmp_path: Path) -> None:
    module = prepared(BrightCorners(), tmp_path, tasks={"au": 1.0, "fer": 1.0, "au-intensity": 0.0})
    assert list(module.members) == ["fer", "au"]  # the order of the settings does not matter
    assert module.network is not None and module.network.head_weight.shape[0] == 6
    assert module.names == ("fer/neutral", "fer/happy", "fer/sad", "au/AU01", "au/AU04", "au/AU12")


def test_expert_use_is_each_tasks_own(tmp_path: Path) -> None:
    module, data = multi(), BrightCorners()
    make_trainer(tmp_path).fit(module, datamodule=data)
    make_trainer(tmp_path).test(module, datamodule=data, verbose=False)
    assert json.loads(json.dumps(module.test_results, allow_nan=False)) == module.test_results
    for name, block in module.test_results.items():
        use = block["expert_use"]
        assert block["task"] == name and len(block["labels"]) == len(use["output"]) == len(use["input"]) == 3
        assert set(use["input_by_stream"]) == {"original", "normalized"}
        for row in [*use["input"], *use["output"], *use["input_by_stream"].values()]:
            assert len(row) == 4 and sum(row) == pytest.approx(1.0, abs=1e-5)
    outputs = [module.test_results[name]["expert_use"]["output"] for name in SINGLE]
    assert outputs[0] != outputs[1] != outputs[2]
    update_results(tmp_path / "results.json", {multi_section(n): {"both": b} for n, b in module.test_results.items()})


def test_dense_blocks_mixup_averages_and_a_curve_of_tests_work(tmp_path: Path) -> None:
    module, curve = multi(input_experts=False, output_experts=False, mixup=0.4), TestCurve()
    trainer = make_trainer(tmp_path, callbacks=[AveragedWeights(), curve])
    trainer.fit(module, datamodule=BrightCorners())
    trainer.test(module, datamodule=BrightCorners(), verbose=False)
    assert {"score", "fer/accuracy", "au/f1", "au-intensity/icc"} <= curve.points[0].keys()
    assert module.test_results["au"]["expert_use"] == {}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("multi")
    trainer = make_trainer(folder, epochs=2)
    trainer.fit(multi(), datamodule=BrightCorners())
    trainer.save_checkpoint(folder / "classifier.ckpt")
    return folder / "classifier.ckpt"


def test_predictions_have_the_columns_of_all_tasks(trained: Path, tmp_path: Path) -> None:
    blank = BrightCorners()
    blank.emotions, blank.aus = (), ()  # the table needs no labels
    module = multi()
    trainer = make_trainer(tmp_path, callbacks=[PredictionTable(tmp_path)])
    trainer.predict(module, datamodule=blank, ckpt_path=trained, return_predictions=False, weights_only=True)
    table = pd.read_parquet(tmp_path / "predictions.parquet")
    emotions = table[["neutral_p", "happy_p", "sad_p"]]
    assert len(table) == 24 and emotions.sum(axis=1).to_numpy() == pytest.approx(1.0, abs=1e-5)
    assert [str(name).removesuffix("_p") for name in emotions.idxmax(axis=1)] == list(table["emotion"])
    for au in ("AU01", "AU04", "AU12"):
        assert ((table[f"{au}_p"] >= 0.5).astype(int) == table[f"{au}_c"]).all()
        assert table[f"{au}_r"].between(0, 5).all()
    assert {"gate_original_0", "gate_normalized_3", "gate_output_0"} <= set(table.columns)
    assert table.attrs["norface"]["task"] == "multi" and table.attrs["norface"]["labels"][3] == "au/AU01"


def test_a_loaded_checkpoint_answers_as_before(trained: Path, tmp_path: Path) -> None:
    figures = []
    for _ in range(2):
        module = multi()
        trainer = make_trainer(tmp_path, callbacks=[AnswerTable(tmp_path)])
        trainer.test(module, datamodule=BrightCorners(), ckpt_path=trained, verbose=False, weights_only=True)
        figures.append(module.test_results)
    assert figures[0] == figures[1]
    answers = pd.read_parquet(tmp_path / "test_predictions.parquet")
    right = (answers["emotion"] == answers["true_emotion"]).mean()
    assert right == pytest.approx(figures[0]["fer"]["accuracy"])


def test_a_checkpoint_of_other_tasks_is_refused(trained: Path, tmp_path: Path) -> None:
    for module in (multi(tasks={"fer": 1.0, "au": 1.0}), make(EmotionTask)):
        with pytest.raises(CheckpointError):
            make_trainer(tmp_path).test(module, datamodule=BrightCorners(), ckpt_path=trained, weights_only=True)


def test_what_reads_one_task_refuses_several(trained: Path) -> None:
    with pytest.raises(CheckpointError, match="one of several tasks"):
        load_classifier(trained)


@pytest.mark.parametrize(
    ("tasks", "found"),
    [
        ({"fer": 1.0, "valence": 1.0}, "valence"),
        ({"fer": 0.0, "au": 0.0}, "a weight above 0"),
        ({}, "no task"),
        ({"fer": -1.0}, "weights of 0 or more"),
        ({"fer": NAN}, "weights of 0 or more"),
    ],
)
def test_impossible_tasks_are_errors(tasks: dict[str, float], found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        multi(tasks=tasks)


@pytest.mark.parametrize(("name", "unknown"), [("fer", "emotion"), ("au", "au"), ("au-intensity", "au_intensity")])
def test_a_table_without_labels_of_a_task_is_an_error(name: str, unknown: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=f"labels for task {name}, found a training split"):
        make_trainer(tmp_path).fit(multi(), datamodule=BrightCorners(unknown=unknown))
    others = {other: 1.0 for other in SINGLE if other != name}
    make_trainer(tmp_path).fit(multi(tasks=others), datamodule=BrightCorners(unknown=unknown))


def test_a_table_without_action_units_is_an_error(tmp_path: Path) -> None:
    data = BrightCorners()
    data.aus = ()
    with pytest.raises(TrainingError, match="at least one action unit for task au, found none"):
        make_trainer(tmp_path).fit(multi(), datamodule=data)
