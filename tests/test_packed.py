from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from norface.checkpoints import checkpoint_file, open_checkpoint, read_checkpoint, trained_people
from norface.errors import CheckpointError
from norface.packed import pack

STATE = {"weight": torch.arange(6).reshape(2, 3).half() / 7, "steps": torch.tensor(3)}
ABOUT = {"kind": "normalizer", "subjects": ["ada"], "alignment": {"size": 8}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "n.safetensors"
    path.write_bytes(pack(STATE, ABOUT))
    return path


def test_a_packed_file_opens_as_a_checkpoint(file: Path) -> None:
    state, about = read_checkpoint(file, kind="normalizer")
    assert about == ABOUT
    assert torch.equal(state["weight"], STATE["weight"].float())
    assert state["weight"].dtype == torch.float32
    assert (state["steps"].dtype, int(state["steps"])) == (torch.int64, 3)
    assert trained_people(str(file)) == ("ada",)
    with pytest.raises(CheckpointError, match="expected a teacher checkpoint, found a normalizer checkpoint"):
        read_checkpoint(file, kind="teacher")


def test_the_same_content_is_the_same_file(file: Path) -> None:
    assert {pack(STATE, ABOUT) for _ in range(16)} == {file.read_bytes()}


def test_a_truncated_file_is_refused_at_every_length(file: Path) -> None:
    data = file.read_bytes()
    for length in (0, 7, 8, 20, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:length])
        with pytest.raises(CheckpointError, match="a readable checkpoint"):
            open_checkpoint(file)
    file.write_bytes(data + b"\0")
    with pytest.raises(CheckpointError):
        open_checkpoint(file)


def test_an_altered_byte_is_found_wherever_it_is(file: Path) -> None:
    data = file.read_bytes()
    for place in range(0, len(data), 7):
        file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(CheckpointError):
            open_checkpoint(file)


def _replaced(file: Path, old: str, new: str) -> None:
    data = file.read_bytes()
    assert old.encode() in data
    assert len(old) == len(new)
    file.write_bytes(data.replace(old.encode(), new.encode()))


@pytest.mark.parametrize(("old", "new"), [('"F16"', '"I16"'), ("[2,3]", "[3,2]"), ('\\"ada', '\\"bob')])
def test_a_header_that_says_something_else_is_refused(old: str, new: str, file: Path) -> None:
    _replaced(file, old, new)
    with pytest.raises(CheckpointError, match="another content than its sha256 says"):
        open_checkpoint(file)


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save

    path = tmp_path / "other.safetensors"
    tensors: dict[str, Tensor] = {"weight": torch.zeros(2)}
    for metadata in (None, {"norface": json.dumps(ABOUT)}, {"norface": "[", "sha256": ""}):
        path.write_bytes(save(tensors, metadata))
        with pytest.raises(CheckpointError, match="a readable checkpoint"):
            open_checkpoint(path)


def test_the_word_default(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("norface.checkpoints.SHIPPED", file)
    assert checkpoint_file(Path("default")) == file
    assert checkpoint_file(tmp_path / "default") == tmp_path / "default"
    assert open_checkpoint(Path("default"))["norface"] == ABOUT
    monkeypatch.setattr("norface.checkpoints.SHIPPED", tmp_path / "missing.safetensors")
    with pytest.raises(CheckpointError, match=r"the normalizer that ships with norface.*complete package"):
        open_checkpoint(Path("default"))
