from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from norface.backbones import ConvEncoder
from norface.errors import CheckpointError
from norface.specs import build, describe

PATH = "norface.backbones.conv.ConvEncoder"


def test_what_is_described_is_built() -> None:
    made = ConvEncoder()
    again = build(describe(made), where="here")
    assert describe(again) == describe(made)
    assert {name: value.shape for name, value in again.state_dict().items()} == {
        name: value.shape for name, value in made.state_dict().items()
    }


@pytest.mark.parametrize(
    "path",
    [
        "os.system",
        "torch.nn.Linear",
        "norface.specs.importlib.import_module",
        "norface.specs.Described.__init__",
        "norface.__main__.main",
        "norface.cli.main.main",
        "norface.data.readers.table.TableFile",  # a class of norface, but no network
        "norface.imaging.files.os",
        "norface.nowhere.Class",
        "norface.backbones..ConvEncoder",
        "norface.backbones.conv.ConvEncoder ",
        "norface.backbones.conv.ConvEncoder\n",
        "norface",
        "norfacex.backbones.conv.ConvEncoder",
        "norface/../evil.Class",
        ".norface.backbones.ConvEncoder",
        "",
    ],
)
def test_nothing_but_networks_of_norface_is_built(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "norface.__main__", raising=False)
    with pytest.raises(CheckpointError, match="a network class of norface"):
        build({"class_path": path, "init_args": {}}, where="here")
    assert "norface.__main__" not in sys.modules


def test_code_beside_norface_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil.py").write_text("from norface.specs import Described\nclass Evil(Described): pass")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CheckpointError):
        build({"class_path": "evil.Evil"}, where="here")
    assert "evil" not in sys.modules


@pytest.mark.parametrize(
    "arguments",
    [
        {"nonsense": 1},
        {"widths": "many"},
        {"widths": []},
        {"widths": [-1, 8, 8, 8]},
        {"widths": [float("nan")]},
        {"widths": {"class_path": PATH}},
        [1],
        "text",
        None,
        3,
    ],
)
def test_impossible_arguments_are_the_users_error(arguments: Any) -> None:
    with pytest.raises(CheckpointError):
        build({"class_path": PATH, "init_args": arguments}, where="here")


def test_endless_nesting() -> None:
    spec: dict[str, Any] = {"class_path": PATH}
    for _ in range(3000):
        spec = {"class_path": PATH, "init_args": {"widths": spec}}
    with pytest.raises(CheckpointError):
        build(spec, where="here")


@pytest.mark.parametrize("spec", [None, [], "text", {}, {"class_path": None}, {"class_path": ["a"]}])
def test_malformed(spec: Any) -> None:
    with pytest.raises(CheckpointError, match="a network description"):
        build(spec, where="here")
