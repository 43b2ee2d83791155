"""Every configuration that ships is built, in the combinations that the Makefile uses."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from data.readers import miniature_rafdb
from norface.cli.main import main
from norface.data.readers import READERS, reader_class
from norface.errors import CheckpointError
from norface.normalizer import ExpressionReader
from norface.protocol.divisions import Division, _specs
from norface.protocol.plan import Protocol
from norface.protocol.settings import plan_runs
from norface.specs import build
from norface.study.plan import Study
from norface.study.settings import plan_runs as plan_study
from small_tables import small_table
from tiny_teacher import save_expression_teacher, tiny_expression_network

ROOT = Path(__file__).parents[2]
PROTOCOLS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "configs" / "protocol").glob("*.yaml"))
STUDIES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "configs" / "study").glob("*.yaml"))
CONFIGS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "configs").rglob("*.yaml"))
RUN = "runs/of-this-test"


def _fits(*settings: str) -> dict[str, list[str]]:
    """Options of each `norface fit` of a demo, by run folder."""
    if shutil.which("make") is None:
        return {}
    environment = {
        k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"}
    }
    command = ["make", "-n", "demo", f"RUN={RUN}", *settings]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=environment).stdout
    lines = [shlex.split(line) for line in shown.replace("\\\n", " ").splitlines()]
    fits = [words[2:] for words in lines if words[:1] == [".venv/bin/norface"] and words[1] == "fit"]
    return {words[words.index("--run") + 1].removeprefix(f"{RUN}/"): words for words in fits}


FITS = {**_fits(), **_fits("TASK=au"), **_fits("TASK=au-intensity"), **_fits("TASK=multi")}
FAST = _fits("FAST=1")


TASKS = {"fer": "EmotionTask", "au": "ActionUnitTask", "au-intensity": "IntensityTask", "multi": "MultiTask"}


ON_TOP = {
    "averaged": "fer",
    "best_on_test": "au",
    "early_stopping": "fer",
    "paper_fer": "fer",
    "paper_au": "au",
    "paper_au-intensity": "au-intensity",
}
"""Configurations on top of a task's, and the task."""

NORMALIZERS = {"demo": 64, "facekit": 128, "full": 256}
"""Configurations of normalizers, and the side of their images."""


@pytest.mark.parametrize("name", ON_TOP)
def test_what_goes_on_top_of_a_task_adds_to_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from norface.cli.training import make_cli

    if name.startswith("paper"):
        pytest.importorskip("timm")
    monkeypatch.chdir(ROOT)
    configs = ("trainer", "data/faces", f"classifier/{ON_TOP[name]}", "classifier/raw", f"classifier/{name}")
    cli = make_cli([word for config in configs for word in ("--config", f"configs/{config}.yaml")], run=False)
    assert cli.model.task == ON_TOP[name]
    names = [type(callback).__name__ for callback in cli.trainer.callbacks]  # type: ignore[attr-defined]
    assert "RichProgressBar" in names and "ModelCheckpoint" in names  # those of configs/trainer.yaml stay
    added = {"averaged": "AveragedWeights", "best_on_test": "TestCurve", "early_stopping": "EarlyStopping"}
    assert added.get(name, "ModelCheckpoint") in names
    if name.startswith("paper"):
        rates = {"fer": 2e-5, "au": 1e-4, "au-intensity": 1e-3}
        assert (cli.model.lr, cli.trainer.max_epochs) == (rates[cli.model.task], 40)


def options_of(*configs: str) -> list[str]:
    return [word for config in configs for word in ("--config", f"configs/{config}.yaml")]


def callbacks_of(trainer: Any) -> list[str]:
    return [type(callback).__name__ for callback in trainer.callbacks]


SMALLER = {
    "full": {"encoder.name": "vit_tiny_patch16_224", "merging.dim": 192, "merging.blocks": 1, "decoder.dim": 192},
}
"""What makes a large preset quick to build; its own sizes are built without memory for them."""


@pytest.mark.parametrize("name", NORMALIZERS)
def test_every_normalizer_can_be_built(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from norface.cli.training import make_cli

    if name == "full":
        pytest.importorskip("timm")
    monkeypatch.chdir(ROOT)
    smaller = [f"--model.generator.{key}={value}" for key, value in SMALLER.get(name, {}).items()]
    cli = make_cli([*options_of("trainer", "data/faces", f"normalizer/{name}"), *smaller], run=False)
    size = cli.model.generator.image_size
    assert (size, cli.datamodule._size) == (NORMALIZERS[name], size)
    assert "PreviewGrid" in callbacks_of(cli.trainer)
    content = yaml.safe_load((ROOT / "configs" / "normalizer" / f"{name}.yaml").read_text(encoding="utf-8"))
    with torch.device("meta"):
        generator = build(content["model"]["init_args"]["generator"], where=name)
        image = torch.empty(2, 3, size, size)
        assert generator(image, image).shape == image.shape


def test_fine_tuning_goes_on_from_a_normalizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from norface.cli.training import make_cli

    monkeypatch.chdir(ROOT)
    base = ("trainer", "data/faces", "normalizer/demo")
    pretrained = make_cli(options_of(*base), run=False).model
    torch.nn.init.normal_(pretrained.average.network.decoder.to_rgb.weight)
    about = {"kind": "normalizer", "subjects": ["eve"]}
    torch.save({"state_dict": pretrained.state_dict(), "norface": about}, tmp_path / "n.ckpt")
    options = [*options_of(*base, "normalizer/finetune"), "--model.generator_weights", str(tmp_path / "n.ckpt")]
    cli = make_cli(options, run=False)
    assert torch.equal(cli.model.generator.decoder.to_rgb.weight, pretrained.average.network.decoder.to_rgb.weight)
    assert (cli.model.weights.paired, cli.model.weights.identity) == (0.0, pretrained.weights.identity)
    assert (cli.model.encoder_rate, cli.model.encoder_people) == (0.1, ("eve",))


def test_teachers_from_files_can_be_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from norface.cli.main import users_error
    from norface.cli.training import make_cli, parsed_model
    from norface.normalizer import NormalizerTask

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("NORFACE_WEIGHTS", str(tmp_path))
    options = options_of("trainer", "data/faces", "normalizer/demo", "normalizer/file_teachers")
    assert parsed_model(options) is NormalizerTask
    with pytest.raises(ValueError, match=r"recognition_arcface_ir_se50\.pth, found no such file") as caught:
        make_cli(options, run=False)
    assert isinstance(users_error(caught.value), CheckpointError)


def test_the_masked_autoencoder_can_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    from norface.cli.training import make_cli

    pytest.importorskip("timm")
    monkeypatch.chdir(ROOT)
    cli = make_cli(options_of("trainer", "data/faces", "encoder/mae"), run=False)
    assert (cli.model.network.image_size, cli.model.network.ratio) == (cli.datamodule._size, 0.75)
    assert "ReconstructionGrid" in callbacks_of(cli.trainer)


def test_a_head_pose_teacher_can_be_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    from norface.cli.training import make_cli
    from norface.teachers import HeadPoseTask

    monkeypatch.chdir(ROOT)
    cli = make_cli(options_of("trainer", "data/faces", "teacher/head_pose"), run=False)
    assert isinstance(cli.model, HeadPoseTask)
    assert cli.datamodule.train_split == "normalizer" and cli.datamodule.augment.geometric > 0


def test_an_expression_teacher_can_learn_from_triplets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from norface.backbones import ConvEncoder
    from norface.cli.training import make_cli
    from norface.imaging.alignment import Alignment
    from norface.specs import describe
    from norface.teachers.networks import EmbeddingNetwork

    monkeypatch.chdir(ROOT)
    options = options_of("trainer", "data/faces", "teacher/expression", "teacher/triplets")
    assert make_cli(options, run=False).model.triplets == "data/triplets.csv"
    identity = EmbeddingNetwork(ConvEncoder(widths=(32, 64, 128), blocks=1))
    weights = {f"network.{name}": value for name, value in identity.state_dict().items()}
    about = {"kind": "teacher", "network": describe(identity), "alignment": Alignment().describe(), "subjects": ["eve"]}
    torch.save({"state_dict": weights, "norface": about}, tmp_path / "i.ckpt")
    named = ["--model.identity_teacher", "TrainedIdentity", "--model.identity_teacher.checkpoint"]
    model = make_cli([*options, *named, str(tmp_path / "i.ckpt")], run=False).model
    assert len(model.encoders) == 2 and model.encoder_people == ("eve",)


def test_every_configuration_is_used() -> None:
    used = {word for words in [*FITS.values(), *FAST.values()] for word in words if word.endswith(".yaml")}
    on_top = {f"configs/classifier/{name}.yaml" for name in ON_TOP}
    on_top |= {f"configs/normalizer/{name}.yaml" for name in (*NORMALIZERS, "finetune", "file_teachers", "unpaired")}
    on_top |= {"configs/encoder/mae.yaml", "configs/teacher/head_pose.yaml", "configs/teacher/triplets.yaml"}
    on_top |= {*PROTOCOLS, *STUDIES}
    assert set(CONFIGS) == used | {f"configs/data/{name}.yaml" for name in READERS} | on_top


@pytest.mark.parametrize("path", PROTOCOLS)
def test_every_variant_of_a_protocol_can_be_built(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from norface.cli.training import make_cli

    monkeypatch.chdir(ROOT)
    asked: list[Protocol] = []
    monkeypatch.setattr("norface.cli.protocol._run", lambda protocol, out: asked.append(protocol))
    assert main(["protocol", "run", "--config", path]) == 0
    (protocol,) = asked
    assert protocol.name == Path(path).stem and protocol.baseline in protocol.variants
    fold = None if protocol.folds is None else next(iter(_specs(protocol.folds, small_table(["x"])).values()))
    division = Division("part1", protocol.table, fold, small_table(["x"]))
    monkeypatch.setattr("norface.runs.planned.Files.sha256", lambda files, path: path)
    once = replace(protocol, seeds=[0], people=protocol.people and protocol.people[:1])
    for one in plan_runs(once, [division], tmp_path):
        cli = make_cli(one.words(), run=False)
        assert cli.model.task == protocol.task
        assert cli.datamodule.path == protocol.table
        assert (cli.datamodule.folds is None) == (protocol.folds is None)
        few = cli.datamodule.few_subjects
        assert (None if few is None else few.count) == one.run.people
        reads_cache = cli.datamodule.source == "cache"
        assert reads_cache == (one.run.variant not in {"raw", "raw_pretrained", "oracle"})
        weights = cli.model.encoder_weights
        assert weights == (protocol.filled("{normalizer}", "part1", "") if "pretrained" in one.run.variant else None)


@pytest.mark.parametrize("path", STUDIES)
def test_every_variant_of_a_study_can_be_built(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from norface.cli.training import make_cli, parsed_model
    from norface.normalizer import NormalizerTask

    if "encoders" in path:
        pytest.importorskip("timm")
    monkeypatch.chdir(ROOT)
    asked: list[Study] = []
    monkeypatch.setattr("norface.cli.study._run", lambda study, out: asked.append(study))
    assert main(["study", "run", "--config", path]) == 0
    (study,) = asked
    assert study.name == Path(path).stem and study.baseline in study.variants
    monkeypatch.setattr("norface.runs.planned.Files.sha256", lambda files, path: path)
    # What they start from, and their teachers, are read when they are built: none of these files is there.
    none = ("--model.encoder_weights", "--model.identity_teacher", "--model.expression_teacher")
    without = [word for option in none for word in (option, "null")]
    once = replace(study, seeds=[0], people=study.people and study.people[:1])
    weights = {}
    for one in plan_study(once, small_table(["a", "b"], split={"a": "normalizer", "b": "test"}), tmp_path):
        assert parsed_model(one.words()) is NormalizerTask
        cli = make_cli([*one.words(), *without], run=False)
        few = cli.datamodule.few_subjects
        assert (cli.datamodule.path, None if few is None else few.count) == (study.table, one.run.people)
        assert (cli.trainer.max_epochs or 0) * cli.trainer.limit_train_batches == study.steps
        assert cli.model.generator.image_size == cli.datamodule._size == 64
        weights[one.run.variant] = cli.model.weights
    if study.name == "losses":
        demo = weights.pop("all")
        for name in ("adversarial", "identity", "expression", "reconstruction", "paired", "supervision"):
            assert weights.pop(f"no_{name}") == replace(demo, **{name: 0.0})
        assert weights["unpaired"] == replace(weights["both"], paired=0.0, supervision=0.0)
        assert weights["paired_only"].paired == demo.paired
        assert sum(vars(weights["paired_only"]).get(name) or 0.0 for name in vars(demo)) == demo.paired


@pytest.mark.parametrize("name", READERS)
def test_configuration_of_a_data_set_can_be_built(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from norface.cli.training import make_cli

    monkeypatch.chdir(ROOT)
    task = reader_class(name).info.tasks[0]
    configs = ("trainer", f"data/{name}", f"classifier/{task}", "classifier/raw")
    cli = make_cli([word for config in configs for word in ("--config", f"configs/{config}.yaml")], run=False)
    assert type(cli.model).__name__ == TASKS[task]
    assert cli.datamodule.path == f"data/{name}"


def test_training_starts_on_a_prepared_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from norface.cli.training import make_cli

    miniature_rafdb.make(tmp_path / "owner")
    folders = ["--root", str(tmp_path / "owner"), "--out", str(tmp_path / "rafdb"), "--processes", "1"]
    assert main(["data", "prepare", "--dataset", "rafdb", *folders, "--size", "32"]) == 0
    monkeypatch.chdir(ROOT)
    configs = ("trainer", "data/rafdb", "classifier/fer", "classifier/raw")
    options = [word for config in configs for word in ("--config", f"configs/{config}.yaml")]
    cli = make_cli([*options, "--data.table", str(tmp_path / "rafdb")], run=False)
    cli.datamodule.setup("fit")
    assert cli.datamodule.alignment.frame == "rafdb-aligned"
    assert set(cli.datamodule.emotions) == set(reader_class("rafdb").info.emotions)
    assert next(iter(cli.datamodule.train_dataloader()))["original"].shape[1:] == (3, 32, 32)


@pytest.mark.parametrize("options", [*FITS.values(), *FAST.values()], ids=[*FITS, *(f"{name}-fast" for name in FAST)])
def test_configuration_can_be_built(options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from norface.cli.main import users_error
    from norface.cli.training import make_cli

    monkeypatch.chdir(ROOT)
    missing = [name for name in options if name.endswith(".yaml") and not (ROOT / name).is_file()]
    assert not missing
    words = iter(options)
    # What only the subcommand or `norface` itself takes.
    kept = [w for word in words for w in (() if word in {"--ckpt_path", "--timing"} and next(words) else (word,))]
    try:
        cli = make_cli(kept, run=False)
    except Exception as error:
        known = users_error(error)  # a stage reads checkpoints of earlier stages as soon as it is built
        if not (isinstance(known, CheckpointError) and known.where.startswith(RUN)):
            raise
    else:
        assert cli.trainer.default_root_dir.startswith(RUN)
        assert cli.trainer.max_epochs


def test_unpaired_training_is_the_demo_with_a_reader_in_place_of_the_encoder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from norface.cli.training import make_cli

    monkeypatch.chdir(ROOT)
    configs = options_of("trainer", "data/faces", "normalizer/demo", "normalizer/unpaired")
    path = save_expression_teacher(tiny_expression_network(), tmp_path / "teacher.ckpt", size=64)
    teacher = [f"--model.generator.encoder.checkpoint={path}", "--model.weights.identity=0"]
    model = make_cli([*configs, *teacher], run=False).model
    assert isinstance(model.generator.encoder, ExpressionReader) and model.generator.image_size == 64
    # No loss may ask more of a photograph than that a face of the target comes out.
    assert model.weights.paired > 0 and model.weights.expression == model.weights.supervision == 0


PAGES = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("page", PAGES)
def test_configurations_that_the_documentation_names_are_there(page: str) -> None:
    named = set(re.findall(r"configs/[\w/-]+\.yaml", (ROOT / page).read_text(encoding="utf-8")))
    owners = {name for name in named if Path(name).name.startswith("my_")}  # what a reader writes
    assert {name for name in named - owners if not (ROOT / name).is_file()} == set()
