from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from norface.backbones import ConvEncoder
from norface.checkpoints import open_checkpoint, read_checkpoint, trained_people
from norface.classifier.inference import load_classifier
from norface.cli.main import USAGE, main
from norface.errors import CheckpointError
from norface.imaging.alignment import Alignment
from norface.imaging.files import write_png
from norface.normalizer import TrainedNormalizer
from norface.specs import describe
from norface.teachers import TrainedExpression, TrainedIdentity
from norface.teachers.networks import EmbeddingNetwork

CONFIGS = Path(__file__).parents[1] / "configs"
TRAINED: dict[str, Any] = {"state_dict": {}, "epoch": 0, "global_step": 0}
BORING = "lightning.pytorch.demos.boring_classes"


class Payload:
    """What unpickling runs."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """Made by the code in the checkpoint, should it run."""
    return tmp_path / "the-code-ran"


@pytest.fixture
def planted(tmp_path: Path, mark: Path) -> Path:
    path = tmp_path / "planted.ckpt"
    torch.save({"state_dict": {}, "norface": {"kind": "normalizer"}, "extra": Payload(mark)}, path)
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    lines = ["face_id,image,subject,split"]
    for number in range(4):
        write_png(tmp_path / f"faces/{number}.png", np.full((64, 64, 3), 40 * number, np.uint8))
        lines.append(f"{number},{number}.png,s{number},{('normalizer', 'train', 'val', 'test')[number]}")
    (tmp_path / "faces/faces.csv").write_text("\n".join(lines))
    (tmp_path / "faces/faces.json").write_text('{"alignment": {"size": 64, "margin": 0.25, "drop": 0.0}}')
    return tmp_path / "faces/faces.csv"


def fit(*options: str) -> list[str]:
    quiet = ["--trainer.logger", "false", "--trainer.accelerator", "cpu", "--trainer.max_steps", "1"]
    boring = ["--model", f"{BORING}.BoringModel", "--data", f"{BORING}.BoringDataModule"]
    return [*boring, *quiet, *options]


def commands(planted: str, table: str, out: str) -> dict[str, list[str]]:
    """Every option of every command that opens a checkpoint."""
    gate = ["gate", "--table", table, "--cache", out, "--out", out]
    build = ["cache", "build", "--table", table, "--out", out]
    data = ["--data", "norface.data.FaceDataModule", "--data.table", table, "--run", out]
    normalizer = ["fit", *data, "--config", str(CONFIGS / "normalizer/demo.yaml")]
    return {
        "fit": ["fit", *fit("--ckpt_path", planted, "--run", out)],
        "validate": ["validate", *fit("--ckpt_path", planted, "--run", out)],
        "test": ["test", *fit("--ckpt_path", planted, "--run", out)],
        "predict": ["predict", *fit("--ckpt_path", planted, "--run", out)],
        "cache build": [*build, "--normalizer", planted],
        "cache build, identity": [*build, "--normalizer", planted, "--identity", planted],
        "cache build, expression": [*build, "--normalizer", planted, "--expression", planted],
        "gate": [*gate, "--normalizer", planted],
        "gate, evaluator": [*gate, "--normalizer", planted, "--evaluator", planted],
        "fit, encoder": [*normalizer, "--model.encoder_weights", planted],
        "fit, teacher": [
            *(*normalizer, "--model.identity_teacher", "TrainedIdentity"),
            *("--model.identity_teacher.checkpoint", planted),
        ],
        "fit, classifier": [
            *("fit", *data, "--config", str(CONFIGS / "classifier/fer.yaml"), "--data.cache_dir", out),
            *("--data.normalizer.checkpoint", planted, "--trainer.accelerator", "cpu"),
        ],
    }


@pytest.mark.filterwarnings("ignore:Environment variable TORCH_FORCE")  # the warning would stop the load
@pytest.mark.parametrize("name", commands("", "", ""))
def test_no_command_runs_code_from_a_checkpoint(
    name: str,
    planted: Path,
    mark: Path,
    table: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")  # what a user may have set for another program
    assert main(commands(str(planted), str(table), str(tmp_path / "out"))[name]) == USAGE
    error = capsys.readouterr().err
    assert "a readable checkpoint" in error and str(planted) in error and "code" in error
    assert "Traceback" not in error
    assert not mark.exists()


def test_the_payload_would_run(planted: Path, mark: Path) -> None:
    torch.load(planted, weights_only=False)
    assert mark.exists()


@pytest.mark.filterwarnings("ignore:Environment variable TORCH_FORCE")  # the warning would stop the load
@pytest.mark.parametrize("keyword", ["last", "hpc"])
def test_code_in_a_checkpoint_that_lightning_finds_itself(
    keyword: str,
    planted: Path,
    mark: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    folder = tmp_path / "run" if keyword == "hpc" else tmp_path / "run/checkpoints"
    folder.mkdir(parents=True)
    planted.rename(folder / ("hpc_ckpt_1.ckpt" if keyword == "hpc" else "last-v1.ckpt"))
    callback = ["--trainer.callbacks", "ModelCheckpoint", "--trainer.callbacks.dirpath", str(folder)]
    options = fit("--run", str(tmp_path / "run"), "--ckpt_path", keyword, *callback)
    assert main(["fit", *options, "--trainer.callbacks.save_last", "true"]) == USAGE
    assert "holds code, which was not run" in capsys.readouterr().err
    assert not mark.exists()


def test_the_guard_cannot_be_switched_off(planted: Path, mark: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", *fit("--ckpt_path", str(planted), "--weights_only", "false")]) == USAGE
    assert "weights_only" in capsys.readouterr().err
    assert not mark.exists()


@pytest.mark.parametrize("path", ["registry", "registry:somebody/model", "https://example.org/a.ckpt", "s3://b/a.ckpt"])
def test_checkpoints_are_files(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", *fit("--ckpt_path", path)]) == USAGE
    assert "no such file" in capsys.readouterr().err


def test_hyper_parameters_in_a_checkpoint_name_no_foreign_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "foreign_model.py").write_text("from pathlib import Path\nPath('imported').touch()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    torch.save({**TRAINED, "hyper_parameters": {"_class_path": "foreign_model.Model"}}, "a.ckpt")
    assert main(["fit", *fit("--ckpt_path", "a.ckpt")]) == USAGE
    assert "Nothing of it was imported" in capsys.readouterr().err
    assert not Path("imported").exists()


@pytest.mark.parametrize(
    "content", [[1], {"state_dict": {}}, {**TRAINED, "hyper_parameters": [1]}, torch.zeros(2), None]
)
def test_files_that_no_training_wrote(content: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(content, tmp_path / "a.ckpt")
    assert main(["fit", *fit("--ckpt_path", str(tmp_path / "a.ckpt"))]) == USAGE
    assert "a checkpoint that `norface fit` wrote" in capsys.readouterr().err


def test_flipped_bits_in_the_weights_are_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """PyTorch itself loads such a file."""
    torch.save({**TRAINED, "state_dict": {"weight": torch.full((100,), 1.5)}}, tmp_path / "a.ckpt")
    data = bytearray((tmp_path / "a.ckpt").read_bytes())
    data[data.find(np.float32(1.5).tobytes() * 3) + 40] ^= 1
    (tmp_path / "a.ckpt").write_bytes(data)
    assert len(torch.load(tmp_path / "a.ckpt", weights_only=True)["state_dict"]["weight"].unique()) == 2
    with pytest.raises(CheckpointError, match="another checksum"):
        open_checkpoint(tmp_path / "a.ckpt")
    assert main(["fit", *fit("--ckpt_path", str(tmp_path / "a.ckpt"))]) == USAGE
    assert "another checksum" in capsys.readouterr().err


def teacher(**changes: Any) -> dict[str, Any]:
    network = EmbeddingNetwork(ConvEncoder(widths=(8, 8)), dim=4)
    about = {
        "kind": "teacher",
        "network": describe(network),
        "alignment": Alignment(16).describe(),
        "subjects": ["a"],
    }
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    return {"state_dict": state, "norface": {**about, **changes}}


READERS: dict[str, Callable[[str], object]] = {
    "teacher": TrainedIdentity,
    "normalizer": lambda path: TrainedNormalizer(path).load(),
    "classifier": load_classifier,
}


def test_a_whole_teacher_is_read(tmp_path: Path) -> None:
    torch.save(teacher(), tmp_path / "a.ckpt")
    assert TrainedIdentity(str(tmp_path / "a.ckpt")).subjects == ("a",)
    assert trained_people(str(tmp_path / "a.ckpt")) == ("a",)
    with pytest.raises(CheckpointError, match="ExpressionNetwork"):
        TrainedExpression(str(tmp_path / "a.ckpt"))


@pytest.mark.parametrize(
    "changes",
    [
        {"network": None},
        {"network": {"class_path": "os.system", "init_args": {"command": "true"}}},
        {"network": describe(EmbeddingNetwork(ConvEncoder(widths=(8, 16)), dim=4))},
        {"subjects": 3},
    ],
)
def test_descriptions_that_do_not_fit(changes: dict[str, Any], tmp_path: Path) -> None:
    torch.save(teacher(**changes), tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError):
        TrainedIdentity(str(tmp_path / "a.ckpt"))


@pytest.mark.parametrize("kind", READERS)
def test_descriptions_without_their_parts(kind: str, tmp_path: Path) -> None:
    for about in ({}, {"network": 1, "alignment": 1, "subjects": 1, "task": 1, "emotions": 1, "aus": 1}):
        torch.save({"state_dict": {}, "norface": {"kind": kind, **about}}, tmp_path / "a.ckpt")
        with pytest.raises(CheckpointError):
            READERS[kind](str(tmp_path / "a.ckpt"))


@pytest.mark.parametrize("content", [1, [], {}, {"state_dict": 1}, torch.zeros(2)])
def test_not_a_checkpoint(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError):
        open_checkpoint(tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError):
        read_checkpoint(tmp_path / "a.ckpt", kind="teacher")
