"""What the source must not contain: ways in which data could become code."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "norface"
FILES = sorted(SOURCE.rglob("*.py"))
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "subprocess", "socket"}
HARMLESS = {"pickle.UnpicklingError"}  # the class of an error
ALLOWED = {"cli/child.py": "imports subprocess"}  # starts norface itself, without a shell
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen"}
LOADING_CODE = ("read_pickle", "hub.load", "jit.load", "PackageImporter", "import_object", "run_path", "run_module")
YAML_LOADERS = (".load", ".load_all", ".unsafe_load", ".full_load")
DOWNLOADING = ("urlopen", "urlretrieve", "load_state_dict_from_url", "hf_hub_download", "snapshot_download")
DYNAMIC_IMPORTS = {
    "specs.py": "a class path from a checkpoint, after its pattern was checked",
    "cli/main.py": "the table of commands",
    "cli/training.py": "a model's class path, after `check_classes`",
    "cli/doctor.py": "the name of a package",
    "data/__init__.py": "its own table of modules",
    "data/readers/__init__.py": "its own table of readers",
    "faces/detectors.py": "its own table of detectors",
    "imaging/augment.py": "albumentations, late",
    "teachers/facexlib_network.py": "names of facexlib modules, written in the teachers' own code",
}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def given(call: ast.Call) -> dict[str, str]:
    return {word.arg: ast.unparse(word.value) for word in call.keywords if word.arg}


# What is wrong with a call of this name with these keyword arguments.
RULES: dict[str, Callable[[str, dict[str, str]], object]] = {
    "runs text": lambda name, words: name in FORBIDDEN_CALLS,
    "loads code": lambda name, words: name.endswith(LOADING_CODE),
    "may unpickle": lambda name, words: (
        name.endswith(("torch.load", "load_from_checkpoint")) and words.get("weights_only") != "True"
    ),
    "may unpickle arrays": lambda name, words: words.get("allow_pickle") not in {None, "False"},
    "YAML with objects": lambda name, words: name.startswith("yaml.") and name.endswith(YAML_LOADERS),
    "unpacks an archive": lambda name, words: name.endswith((".extractall", ".extract", "unpack_archive")),
    "downloads": lambda name, words: (
        name.endswith(DOWNLOADING) or words.get("pretrained") == "True" or words.get("trust_remote_code") == "True"
    ),
}


def findings(code: str) -> list[str]:
    tree = ast.parse(code)
    found = [f"imports {name}" for name in imported(tree) if name not in HARMLESS]
    found = [one for one in found if one.split(".")[0].removeprefix("imports ") in FORBIDDEN_MODULES]
    for name, call in calls(tree):
        found += [f"{name}: {what}" for what, wrong in RULES.items() if wrong(name, given(call))]
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_no_way_from_data_to_code(file: Path) -> None:
    code = file.read_text(encoding="utf-8")
    name = str(file.relative_to(SOURCE))
    assert [found for found in findings(code) if found != ALLOWED.get(name)] == []
    if re.search(r"import_module\(", code):
        assert name in DYNAMIC_IMPORTS


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, None, weights_only=flag)",
        "np.load(path, allow_pickle=True)",
        "yaml.load(text)",
        "yaml.unsafe_load(text)",
        "eval(text)",
        "exec(text)",
        "__import__(name)",
        "os.system(text)",
        "pandas.read_pickle(path)",
        "import subprocess",
        "archive.extractall(folder)",
        "torch.hub.load('a/b', 'c')",
        "urllib.request.urlopen(address)",
        "timm.create_model(name, pretrained=True)",
        "Task.load_from_checkpoint(path)",
    ],
)
def test_each_way_would_be_found(code: str) -> None:
    assert findings(code)


def test_what_is_safe_passes() -> None:
    safe = "torch.load(path, weights_only=True)\nnp.load(p)\nyaml.safe_load(t)\nast.literal_eval(t)\nmodel.eval()"
    assert findings(f"from pickle import UnpicklingError\n{safe}") == []
