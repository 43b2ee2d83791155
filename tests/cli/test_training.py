from __future__ import annotations

import csv
import json
import signal
from pathlib import Path

import pytest
import torch

from norface.cli.allowed_code import only_code_of
from norface.cli.main import INTERRUPTED, USAGE, main
from norface.cli.training import make_cli

TRAINER = Path(__file__).parents[2] / "configs" / "trainer.yaml"


@pytest.fixture(autouse=True)
def _tiny_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.chdir(tmp_path)


def run(command: str, *options: str, model: str = "TinyTask", epochs: int = 2) -> int:
    fixed = [
        "--allow_code",
        "tiny_parts",
        "--config",
        str(TRAINER),
        "--run",
        "run",
        "--model",
        f"tiny_parts.{model}",
        "--data",
        "tiny_parts.TinyData",
    ]
    fixed += ["--trainer.accelerator", "cpu"]
    return main([command, *fixed, "--trainer.max_epochs", str(epochs), *options])


def curve() -> list[int]:
    with Path("run/metrics.csv").open(newline="") as file:
        return [int(row["step"]) for row in csv.DictReader(file) if row["train/loss"]]


def test_fit_leaves_curves_checkpoint_and_configuration_in_the_run_folder() -> None:
    assert run("fit") == 0
    assert curve() == [1, 3]
    assert Path("run/fit.yaml").is_file()
    assert torch.load("run/checkpoints/last.ckpt", weights_only=True)["global_step"] == 4
    assert sorted(path.name for path in Path("run/checkpoints").iterdir()) == ["last.ckpt"]


def test_fit_tests_the_last_weights_and_writes_results_and_time() -> None:
    options = ["--test_after_fit", "true", "--results", "results.json", "--results_key", "classifier.raw"]
    assert run("fit", *options, "--seed_everything", "3", "--timing", "results.json:fer_raw") == 0
    results = json.loads(Path("results.json").read_text())
    assert results["classifier"] == {"raw": {"task": "fer", "accuracy": 0.5}}
    assert results["seed"] == 3
    assert results["versions"]["torch"] == torch.__version__.split("+")[0]
    assert results["timing"]["fer_raw_s"] > 0


def test_fit_does_not_test_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fit", "--results", "results.json") == 0
    assert not Path("results.json").exists()


def test_first_start_with_resume_option_starts_anew(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fit", "--ckpt_path", "last") == 0
    assert "resuming" not in capsys.readouterr().out


def test_interrupted_fit_continues_with_its_curves(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    code = run("fit", "--model.interrupted_in", "2", "--timing", "results.json:fit", "--ckpt_path", "last", epochs=4)
    assert code == INTERRUPTED
    assert "run the same command again to continue" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before
    assert not Path("results.json").exists()

    assert run("fit", "--ckpt_path", "last", epochs=4) == 0
    assert "resuming from run/checkpoints/last.ckpt" in capsys.readouterr().out
    assert curve() == [1, 3, 5, 7]


def test_finished_fit_run_again_keeps_its_curves() -> None:
    assert run("fit") == 0
    assert run("fit", "--ckpt_path", "last") == 0
    assert curve() == [1, 3]
    # Interrupted after its last epoch: nothing is left to train, and the test has columns of its own.
    assert run("fit", "--ckpt_path", "last", "--test_after_fit", "true", "--results", "results.json") == 0
    assert curve()[:2] == [1, 3]
    assert Path("results.json").exists()


def test_fit_from_scratch_forgets_old_curves() -> None:
    assert run("fit", epochs=3) == 0
    assert run("fit", epochs=1) == 0
    assert curve() == [1]


def test_curves_go_to_tensorboard_too_where_it_is_installed() -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def steps() -> list[int]:
        events = EventAccumulator("run/tensorboard")
        events.Reload()
        return [event.step for event in events.Scalars("train/loss")]

    assert run("fit") == 0
    assert steps() == curve() == [1, 3]
    assert run("fit", epochs=1) == 0  # anew: the curves of the run before are forgotten
    assert steps() == curve() == [1]


def test_testing_keeps_the_record_of_training() -> None:
    assert run("fit") == 0
    record = Path("run/fit.yaml").read_text()
    options = ["--ckpt_path", "run/checkpoints/last.ckpt", "--results", "results.json", "--data.scale", "2"]
    assert run("test", *options) == 0
    assert Path("run/fit.yaml").read_text() == record
    assert "scale: 2.0" in Path("run/test.yaml").read_text()
    assert curve() == [1, 3]
    assert json.loads(Path("results.json").read_text())["classifier"]["both"]["accuracy"] == 0.5


def test_the_protocol_of_the_data_goes_into_the_results() -> None:
    assert run("test", "--results", "results.json", "--data", "tiny_parts.TinyFolds") == 0
    found = json.loads(Path("results.json").read_text())["protocol"]
    assert found == {"dataset": "disfa", "fold": {"kind": "PublishedFold", "fold": "part3"}}
    assert run("test", "--results", "other.json") == 0
    assert "protocol" not in json.loads(Path("other.json").read_text())


def test_gap_is_computed_when_its_three_scores_are_there() -> None:
    scores = {"raw": {"task": "fer", "accuracy": 0.4}, "oracle": {"task": "fer", "accuracy": 0.8}}
    Path("results.json").write_text(json.dumps({"schema": 1, "classifier": scores}))
    assert run("test", "--results", "results.json") == 0
    assert json.loads(Path("results.json").read_text())["classifier"]["gap_closed"] == pytest.approx(0.25)


def test_results_of_a_model_without_test_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("test", "--results", "results.json", model="TinyUntested") == USAGE
    assert "TinyUntested" in capsys.readouterr().err


def test_later_configurations_win(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "trainer: {max_steps: 1}\ndata: {class_path: tiny_parts.TinyData, init_args: {scale: 3}}"
    )
    (tmp_path / "b.yaml").write_text("data: {init_args: {scale: 4}}")
    assert run("fit", "--config", "a.yaml", "--config", "b.yaml") == 0
    saved = Path("run/fit.yaml").read_text()
    assert "scale: 4" in saved
    assert "max_steps: 1" in saved


def test_users_mistake_in_training_is_one_block_without_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fit", "--model.fails_in", "1") == USAGE
    error = capsys.readouterr().err
    assert error.splitlines()[0] == "norface fit: stopped (TrainingError)"
    assert "to do     Lower lr." in error
    assert "Traceback" not in error


def test_bug_keeps_its_traceback() -> None:
    with pytest.raises(Exception, match="negative dimension"):
        run("fit", "--model.width", "-1")


def test_a_network_that_does_not_fit_into_memory_says_what_to_lower(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fit", "--model.width", str(2**55)) == USAGE
    error = capsys.readouterr().err
    assert "Lower the batch size first" in error
    assert "Traceback" not in error


def test_users_mistake_found_while_building_is_not_buried(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fit", "--data.scale", "0") == USAGE
    error = capsys.readouterr().err
    assert error.splitlines()[0] == "norface fit: stopped (ConfigError)"
    assert "a scale that is not 0" in error


def test_hyper_parameters_that_a_checkpoint_replaces_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fit", "--model.keeps", "true", "--model.width", "2") == 0
    capsys.readouterr()
    assert run("fit", "--ckpt_path", "last", "--model.keeps", "true", "--model.width", "3", epochs=3) == 0
    assert "init_args.width: 2 from the checkpoint replaces 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model.widht", "3"], "'widht'"),
        (["--trainer.max_epoch", "3"], "--trainer.max_epochs"),
        (["--trainer.max_epochs", "many"], "many"),
        (["--model", "tiny_parts.Tiny"], "tiny_parts.Tiny"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
        (["--results_key", "classifier.bth"], "classifier.bth"),
        (["--ckpt_path", "nowhere.ckpt"], "no such file"),
    ],
)
def test_mistaken_options_get_a_short_answer(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("fit", *options) == USAGE
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) < 20


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
def test_damaged_checkpoint(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    Path("damaged.ckpt").write_bytes(content)
    assert run("fit", "--ckpt_path", "damaged.ckpt") == USAGE
    assert "a readable checkpoint" in capsys.readouterr().err


def test_help_of_a_training_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--help"]) == 0
    assert "--test_after_fit" in capsys.readouterr().out


def test_another_way_to_write_checkpoints_may_be_named() -> None:
    other = "lightning.fabric.plugins.TorchCheckpointIO"
    for options, expected in (([], "DurableCheckpointIO"), (["--trainer.plugins+", other], "TorchCheckpointIO")):
        words = ["--run", "run", "--model", "tiny_parts.TinyTask", "--data", "tiny_parts.TinyData", *options]
        with only_code_of(("tiny_parts",)):
            cli = make_cli([*words, "--trainer.accelerator", "cpu", "--trainer.logger", "false"], run=False)
        trainer = cli.trainer
        assert type(trainer.strategy.checkpoint_io).__name__ == expected
