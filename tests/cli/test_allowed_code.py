from __future__ import annotations

import os
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import yaml

from norface.cli.allowed_code import check_classes, only_code_of, take_packages
from norface.cli.main import USAGE, main
from norface.cli.usage import UsageError
from norface.errors import ConfigError

FOREIGN = """
from pathlib import Path
Path("imported").touch()
import lightning

class Model(lightning.LightningModule):
    def __init__(self, *, width: int = 1) -> None:
        super().__init__()

class Data(lightning.LightningDataModule):
    pass

class Callback(lightning.Callback):
    pass

def model(width: int = 1) -> lightning.LightningModule:
    Path("called").touch()
    return Model()

def hook(*args: object) -> None:
    Path("called").touch()
"""
BORING = "lightning.pytorch.demos.boring_classes"
CALLBACKS = "lightning.pytorch.callbacks"


@pytest.fixture(autouse=True)
def _foreign_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "foreign_code.py").write_text(FOREIGN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "foreign_code", raising=False)
    monkeypatch.chdir(tmp_path)


def configuration(**parts: object) -> dict[str, object]:
    quiet = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    return {
        "run": "run",
        "model": {"class_path": f"{BORING}.BoringModel"},
        "data": {"class_path": f"{BORING}.BoringDataModule"},
        "trainer": {**quiet, "max_steps": 1, "limit_val_batches": 0, "callbacks": []},
        **parts,
    }


def run(config: dict[str, object], *options: str) -> int:
    Path("run.yaml").write_text(yaml.safe_dump(config))
    return main(["fit", "--config", "run.yaml", *options])


def trainer(**options: object) -> dict[str, object]:
    usual = configuration()["trainer"]
    assert isinstance(usual, dict)
    return {**usual, **options}


def test_code_of_lightning_is_allowed() -> None:
    assert run(configuration()) == 0


@pytest.mark.parametrize(
    "parts",
    [
        {"model": {"class_path": "foreign_code.Model"}},
        {"model": "foreign_code.Model"},
        {"model": {"class_path": "foreign_code.model", "init_args": {"width": 2}}},
        {"data": {"class_path": "foreign_code.Data"}},
        {"trainer": trainer(callbacks=[{"class_path": "foreign_code.Callback"}])},
        {"trainer": trainer(callbacks={"class_path": "foreign_code.Callback"})},
        {
            "trainer": trainer(
                callbacks=[
                    {"class_path": f"{CALLBACKS}.LambdaCallback", "init_args": {"on_fit_start": "foreign_code.hook"}}
                ]
            )
        },
        {"trainer": trainer(strategy={"class_path": "foreign_code.Model"})},
        {"trainer": trainer(plugins=[{"class_path": "foreign_code.Model"}])},
    ],
    ids=lambda parts: str(parts)[:60],
)
def test_foreign_code_is_refused_before_it_is_imported(
    parts: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(configuration(**parts)) == USAGE
    error = capsys.readouterr().err
    assert "Nothing of it was imported" in error
    assert "--allow_code foreign_code" in error
    assert not Path("imported").exists()
    assert not Path("run").exists()


def test_foreign_code_by_other_ways(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Options, a file named by another, environment variables, help of a class."""
    assert run(configuration(), "--model", "foreign_code.Model") == USAGE
    Path("model.yaml").write_text("class_path: foreign_code.Model\n")
    assert run(configuration(model="model.yaml")) == USAGE
    assert run(configuration(), "--model.help", "foreign_code.Model") == USAGE
    monkeypatch.setenv("JSONARGPARSE_DEFAULT_ENV", "true")
    monkeypatch.setenv("NORFACE_FIT__MODEL", "foreign_code.Model")
    assert main(["fit"]) == USAGE
    capsys.readouterr()
    assert not Path("imported").exists()


def test_a_configuration_cannot_allow_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(configuration(allow_code=["foreign_code"])) == USAGE
    assert run(configuration(model={"class_path": "foreign_code.Model"}, allow_code="foreign_code")) == USAGE
    assert not Path("imported").exists()


@pytest.mark.parametrize("option", [["--allow_code", "foreign_code"], ["--allow_code=foreign_code.Model"]])
def test_a_package_that_the_user_trusts(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    foreign = configuration(model={"class_path": "foreign_code.Model"})
    assert run(foreign, *option, "--print_config") == 0
    assert "foreign_code.Model" in capsys.readouterr().out
    assert Path("imported").exists()
    Path("imported").unlink()
    sys.modules.pop("foreign_code")
    assert run(foreign) == USAGE  # the next command of this process starts anew
    assert not Path("imported").exists()


@pytest.mark.parametrize(
    "path", ["torch.os.system", "os.system", "subprocess.Popen", "builtins.exec", "norface.cli.main.os.execv"]
)
def test_what_an_allowed_package_merely_imports_is_not_allowed(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    hook = {"class_path": f"{CALLBACKS}.LambdaCallback", "init_args": {"on_fit_start": path}}
    assert run(configuration(trainer=trainer(callbacks=[hook]))) == USAGE
    assert "--allow_code" in capsys.readouterr().err


def test_only_classes_are_built(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A function with the right annotation would do for jsonargparse."""
    assert run(configuration(model={"class_path": "foreign_code.model"}), "--allow_code", "foreign_code") == USAGE
    assert "the path of a class" in capsys.readouterr().err
    assert not Path("called").exists()


@pytest.mark.parametrize("path", ["torch.nn.Linear", "norface.data.FaceDataModule"])
def test_classes_pass_wherever_they_are(path: str) -> None:
    check_classes(Namespace(fit=Namespace(list=[{"class_path": path}, 1], text="class_path", none=None)))


@pytest.mark.parametrize("path", ["os.system", "nowhere.Class", "Class", "torch.nn.functional.relu", ""])
def test_anything_else_does_not_and_is_not_imported(path: str) -> None:
    with pytest.raises(ConfigError, match="the path of a class"):
        check_classes({"a": [{"b": Namespace(class_path=path)}]})
    assert "nowhere" not in sys.modules


def test_packages_are_taken_out_of_the_command_line() -> None:
    args = ["--allow_code", "one", "--run", "x", "--allow_code=two.Class"]
    assert take_packages(args) == (["--run", "x"], ("one", "two.Class"))
    assert take_packages(["--run", "x"]) == (["--run", "x"], ())


@pytest.mark.parametrize("args", [["--allow_code"], ["--allow_code="], ["--allow_code", "a/b"], ["--allow_code=*"]])
def test_mistaken_package(args: list[str]) -> None:
    with pytest.raises(UsageError, match="a package, such as my_package"):
        take_packages(args)


def test_allowing_what_is_allowed_already_changes_nothing() -> None:
    with only_code_of(["torch"]):
        pass
    assert run(configuration()) == 0


def test_albumentations_is_told_not_to_ask_its_server_for_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_ALBUMENTATIONS_UPDATE")
    assert main(["--version"]) == 0
    assert os.environ["NO_ALBUMENTATIONS_UPDATE"] == "1"
