from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "norface"
FILES = sorted(SOURCE.rglob("*.py"))

ROWS: tuple[tuple[str, ...], ...] = (
    (
        "errors",
        "labels",
        "people",
        "samples",
        "specs",
        "packed",
        "checkpoints",
        "network_files",
        "training",
    ),  # shared vocabulary
    ("imaging",),
    ("cache", "synthetic", "backbones", "previews", "results"),  # the last two write their files through imaging
    ("data", "teachers"),
    ("normalizer", "faces", "pretraining"),
    ("classifier",),
    ("runs",),  # many trainings as processes; below what reads their results
    ("protocol", "study"),  # read what classifiers have answered; its results are what reports are made of
    ("report", "evaluation", "export"),
    ("cli",),
    ("__main__",),
)
LEVEL = {layer: level for level, row in enumerate(ROWS) for layer in row}
LIGHTNING = {
    "averaging.py",
    "module.py",
    "peeking.py",
    "task.py",
    "datamodule.py",
    "prediction_table.py",
    "preview.py",
    "previews.py",
    "training.py",
    "launching.py",
    "durable_runs.py",
}
MAX_LINES = 400
FORBIDDEN = re.compile(r"^(utils?|helpers?|common|misc|tools|stuff)\.py$")


def layer_of(file: Path) -> str:
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(file: Path) -> Iterator[str]:
    """Every module imported anywhere in a file, except for types alone."""
    nodes: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        nodes.extend(ast.iter_child_nodes(node))


def relative(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_imports_only_go_down(file: Path) -> None:
    own = layer_of(file)
    if own == "__init__":
        assert not [name for name in imports(file) if name.startswith("norface.")]
        return
    for name in imports(file):
        parts = name.split(".")
        if parts[0] != "norface" or len(parts) < 2 or parts[1] not in LEVEL:
            continue
        allowed = parts[1] == own or LEVEL[parts[1]] < LEVEL[own] or LEVEL[own] == LEVEL[parts[1]] == 0
        assert allowed, f"{relative(file)} ({own}) may not import {name}"


def test_every_part_has_a_layer() -> None:
    assert {layer_of(file) for file in FILES} - {"__init__"} <= set(LEVEL)


def test_networks_and_losses_know_no_lightning() -> None:
    users = {
        relative(f) for f in FILES if any(n.split(".")[0] in {"lightning", "pytorch_lightning"} for n in imports(f))
    }
    assert {name for name in users if Path(name).name not in LIGHTNING} == set()


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_files_are_short_and_named_after_what_they_hold(file: Path) -> None:
    assert not FORBIDDEN.match(file.name)
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_every_imported_package_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {_package(line) for line in project["dependencies"]}
    for extra in ("weights", "remote", "export", "backbones"):
        declared |= {_package(line) for line in project["optional-dependencies"][extra]}
    owners = packages_distributions()
    tops = {name.split(".")[0] for file in FILES for name in imports(file)} - {"norface"}
    for top in tops:
        for_import = {_package(owner) for owner in owners.get(top, [])}
        assert not for_import or for_import & declared, f"{top} is imported but not a dependency"


def _package(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    assert match
    return re.sub(r"[-_.]+", "-", match[0]).lower()
