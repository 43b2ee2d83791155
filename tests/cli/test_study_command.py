"""A study from the command line to its page, on a table of the toy world."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from norface.cli.main import main
from toy_table import toy_table

NORMALIZER = """
model:
  class_path: norface.normalizer.NormalizerTask
  init_args:
    generator:
      class_path: norface.normalizer.Generator
      init_args:
        encoder: {class_path: norface.backbones.ConvEncoder, init_args: {widths: [8, 16, 32], blocks: 1}}
        merging: {class_path: norface.normalizer.ExpressionMerging, init_args: {dim: 32, grid: 4, blocks: 1, heads: 2}}
        decoder: {class_path: norface.normalizer.ConvDecoder, init_args: {dim: 32, widths: [16, 8, 8]}}
    discriminator: {class_path: norface.normalizer.PatchDiscriminator, init_args: {widths: [8], scales: 1}}
    weights: {identity: 0.0, expression: 0.0}
data:
  class_path: norface.data.FaceDataModule
  init_args: {batch_size: 4, pairs: {fixed_target: 1.0, same_image: 0.0, same_subject: 0.0}}
trainer:
  accelerator: cpu
  num_sanity_val_steps: 0
  enable_progress_bar: false
  enable_model_summary: false
  callbacks:
    - class_path: lightning.pytorch.callbacks.ModelCheckpoint
      init_args: {filename: last, enable_version_counter: false}
"""
VARIANTS = "{all: {}, no_supervision: {settings: {model: {init_args: {weights: {supervision: 0.0}}}}}}"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = toy_table(tmp_path_factory.mktemp("faces"))
    (folder / "normalizer.yaml").write_text(NORMALIZER)
    return folder


def words(table: Path, out: Path, *more: str) -> list[str]:
    place = ["--table", str(table), "--configs", f"[{table / 'normalizer.yaml'}]", "--out", str(out)]
    shown = [*place, "--name", "s", "--seeds", "[3]", "--people", "[2, 5]", "--steps", "4", "--epochs", "2"]
    return ["study", "run", *shown, "--probe_epochs", "0", "--baseline", "all", "--variants", VARIANTS, *more]


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs train in this process: starting one takes longer than such a run. Returns the commands that have run."""
    started: list[str] = []

    def launch(words: list[str], log: Path) -> int:
        started.append(words[0])
        return main(words)

    monkeypatch.setattr("norface.cli.child.launch", launch)
    return started


def test_from_a_table_to_a_page(
    table: Path, tmp_path: Path, in_process: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "s"
    assert main(words(table, out)) == 0
    assert in_process == ["fit", "gate"] * 4
    record = json.loads((out / "study.json").read_text())
    assert [run["steps"] for run in record["runs"]] == [4] * 4  # as many, of 8 faces as of 20
    assert [run["trained_on"] for run in record["runs"]] == [2, 2, 5, 5] and record["remarks"] == []
    for run in record["runs"]:
        assert run["figures"]["expression_r2"] <= 1 and run["figures"]["seen_expression_r2"] <= 1
        assert [point[0] for point in run["curves"]["val/expression_r2"]] == [0, 1, 2]
    few, many = (_subjects(out / "runs" / "all" / f"people-{count}" / "seed-3") for count in (2, 5))
    assert len(few) == 2 and few < many
    printed = capsys.readouterr().out
    assert "| variant | people | R² | R², training people |" in printed
    assert (out / "report" / "faces-variants.png").is_file() and (out / "report" / "people.png").is_file()

    assert main(words(table, out)) == 0
    assert len(in_process) == 8  # nothing was computed again
    assert main(words(table, out, "--steps", "6")) == 2
    assert "own.trainer.limit_train_batches" in capsys.readouterr().err


def _subjects(folder: Path) -> set[str]:
    import torch

    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return set(checkpoint["norface"]["subjects"])


def test_a_run_that_fails_is_listed_and_an_interrupted_one_goes_on(
    table: Path,
    tmp_path: Path,
    in_process: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from norface.cli import child

    launch, interrupt = child.launch, True

    def sometimes(words: list[str], log: Path) -> int:
        if words[0] == "gate" and interrupt:
            return 130
        return launch(words, log)

    monkeypatch.setattr("norface.cli.child.launch", sometimes)
    broken = "{all: {}, broken: {settings: {model: {init_args: {lr: 1.0e+30}}}}}"
    options = words(table, tmp_path, "--people", "[2]", "--variants", broken)
    assert main(options) == 130
    assert "0 of 2 runs are finished" in capsys.readouterr().err
    metrics = (tmp_path / "runs" / "all" / "people-2" / "seed-3" / "metrics.csv").read_text()
    interrupt = False
    assert main(options) == 1
    assert in_process[:3] == ["fit", "fit", "gate"]
    captured = capsys.readouterr()
    assert "1 of 2 runs are not finished" in captured.out and "broken, 2 people, seed 3" in captured.out
    first, second = json.loads((tmp_path / "study.json").read_text())["runs"]
    assert (first["state"], first["steps"], second["state"]) == ("finished", 4, "failed")
    again = (tmp_path / "runs" / "all" / "people-2" / "seed-3" / "metrics.csv").read_text()
    assert again == metrics  # a training that is finished leaves its curves as they are


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--people", "[7]", "at most 6 people"),
        ("--variants", "{all: {settings: {model: {init_args: {weight: 1}}}}}", "weight"),
        ("--variants", "{all: {config: []}}", "'config'"),
        ("--evaluator", "nowhere.ckpt", "nowhere.ckpt"),
        ("--configs", "[configs/trainer.yaml, configs/data/faces.yaml, configs/teacher/identity.yaml]", "a normalizer"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(
    table: Path,
    tmp_path: Path,
    in_process: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    value: str,
    message: str,
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    more = ["--variants", "{all: {}}"] if option == "--configs" else []
    assert main(words(table, tmp_path, option, value, *more)) == 2
    assert message in capsys.readouterr().err and in_process == []
