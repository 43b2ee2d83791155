from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from norface.checkpoints import open_checkpoint
from norface.cli.main import USAGE, main
from norface.errors import CheckpointError, ImageError
from norface.export import export_packed, load_graph
from norface.export.onnx_file import ExportError
from norface.imaging.convert import to_pixels, to_tensor
from norface.network_files import file_sha256
from norface.normalizer import Normalizer, TrainedNormalizer
from norface.normalizer.starting import start_generator
from toy_world import SIZE, make_generator, pairs


@pytest.fixture
def packed(normalizer_file: Path, tmp_path: Path) -> Path:
    out = tmp_path / "n.safetensors"
    export_packed(normalizer_file, out, people=None, notes={})
    return out


def test_the_packed_normalizer_answers_as_the_checkpoint(normalizer_file: Path, packed: Path) -> None:
    first, second = Normalizer.load(normalizer_file), TrainedNormalizer(str(packed)).load()
    assert isinstance(second, Normalizer)
    original = pairs(4)["original"]
    difference = (first(original) - second(original)).abs()
    assert 0 < difference.max() < 0.02
    assert first(original).sub(first.target).abs().max() > 0.1  # so that being equal says something
    assert torch.equal(first.target, second.target)
    assert (second.alignment, second.subjects) == (first.alignment, ("ada",))
    assert second.fingerprint != first.fingerprint
    assert load_graph(packed).metadata["fingerprint"] == second.fingerprint


def test_it_holds_the_averaged_generator_in_half_precision_and_nothing_else(packed: Path) -> None:
    from safetensors import safe_open

    with safe_open(packed, framework="pt") as file:
        types = {name: file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118
    assert types.pop("target") == torch.float32
    assert set(types) == {f"average.network.{name}" for name in make_generator().state_dict()}
    assert set(types.values()) == {torch.float16}
    weights = sum(value.numel() for value in make_generator().state_dict().values())
    assert packed.stat().st_size < 2 * weights + 40_000


def test_a_generator_starts_from_it(packed: Path) -> None:
    generator = make_generator()
    people = start_generator(generator, encoder_weights=None, generator_weights=str(packed))
    assert people == ("ada",)
    wanted = Normalizer.load(packed).generator.state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in generator.state_dict().items())
    encoder = make_generator()
    assert start_generator(encoder, encoder_weights=str(packed), generator_weights=None) == ("ada",)
    assert torch.equal(next(encoder.encoder.parameters()), next(generator.encoder.parameters()))


def test_weights_that_half_precision_cannot_hold(normalizer_file: Path, tmp_path: Path) -> None:
    content = torch.load(normalizer_file, weights_only=True)
    content["state_dict"]["average.network.decoder.to_rgb.weight"] *= 1e9
    torch.save(content, normalizer_file)
    with pytest.raises(ExportError, match="half precision"):
        export_packed(normalizer_file, tmp_path / "n.safetensors", people=None, notes={})
    assert not (tmp_path / "n.safetensors").exists()


def test_the_command_notes_what_it_is_told(
    normalizer_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = torch.load(normalizer_file, weights_only=True)
    torch.save(content | {"epoch": 3, "global_step": 70}, normalizer_file)
    notes, out = tmp_path / "notes.yaml", tmp_path / "n.safetensors"
    notes.write_text("seed: 7\ndate: 2026-01-02\nfigures: {expression_r2: 0.5}\n")
    options = ["--people", "facekit-0", "--notes", str(notes), "--out", str(out)]
    assert main(["export", "--checkpoint", str(normalizer_file), *options]) == 0
    shown = capsys.readouterr().out
    assert re.findall(r"sha256 (\w+)", shown) == [file_sha256(out)]
    assert Normalizer.load(out).fingerprint in shown
    about = open_checkpoint(out)["norface"]
    assert about["notes"] == {"seed": 7, "date": "2026-01-02", "figures": {"expression_r2": 0.5}}
    assert about["progress"] == {"epoch": 3, "global_step": 70}
    assert about["subjects"] == ["facekit-0:ada"]
    # Packed anew, with other notes: the same normalizer, its people are not named twice.
    fingerprint = Normalizer.load(out).fingerprint
    assert main(["export", "--checkpoint", str(out), "--people", "facekit-0", "--out", str(out)]) == 0
    again = open_checkpoint(out)["norface"]
    assert (again["subjects"], Normalizer.load(out).fingerprint) == (["facekit-0:ada"], fingerprint)


def test_bad_options(normalizer_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["export", "--checkpoint", str(normalizer_file)]
    assert main([*command, "--out", str(tmp_path / "n.onnx"), "--people", "x"]) == USAGE
    assert "ends in .safetensors" in capsys.readouterr().err
    for text in ("[1, 2]", "{", None):
        notes = tmp_path / "notes.yaml"
        notes.unlink(missing_ok=True)
        if text is not None:
            notes.write_text(text)
        assert main([*command, "--out", str(tmp_path / "n.safetensors"), "--notes", str(notes)]) == USAGE
        assert "a YAML file of names and values" in capsys.readouterr().err


def test_a_classifier_is_no_normalizer(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "norface": {"kind": "classifier"}}, tmp_path / "c.ckpt")
    with pytest.raises(CheckpointError, match="a normalizer checkpoint, found a classifier"):
        export_packed(tmp_path / "c.ckpt", tmp_path / "n.safetensors", people=None, notes={})


def test_it_normalizes_pixels_as_well_as_tensors(packed: Path) -> None:
    normalizer = Normalizer.load(packed)
    faces = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)
    answer = normalizer(faces)
    assert np.array_equal(answer, to_pixels(normalizer(to_tensor(faces))))
    assert np.array_equal(normalizer(faces[1]), to_pixels(normalizer(to_tensor(faces[1:2])))[0])
    assert (normalizer.image_size, normalizer.alignment.size) == (SIZE, SIZE)
    for wrong in (
        faces[:, :-1],
        faces.astype(np.float32),
        faces[0, 0],
        torch.zeros(1, 3, 8, 8),
        torch.zeros(3, SIZE, SIZE),
    ):
        with pytest.raises(ImageError, match=r"normalizer\.alignment"):
            normalizer(wrong)
