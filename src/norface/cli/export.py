"""``norface export``: a trained network as an ONNX file, or a normalizer as a small file for users of norface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from norface.errors import ConfigError
from norface.packed import SUFFIX


def export(*, checkpoint: Path, out: Path, people: str | None = None, notes: Path | None = None) -> None:
    """Write a normalizer or a classifier as a file to pass on, after checking that it answers as the checkpoint does.

    Args:
        checkpoint: Checkpoint of the normalizer or the classifier.
        out: File to write. ONNX, such as model.onnx; docs/export.md shows how to run it. With the ending .safetensors,
            a normalizer's averaged generator in half precision: norface takes it in place of the checkpoint.
        people: Of a .safetensors file: data set or drawing that it was trained on, such as facekit-0; put before the
            names of its people, which other data may use as well.
        notes: Of a .safetensors file: YAML file with what shall be known of its training: data, seed, commit, figures.
    """
    if out.suffix == SUFFIX:
        _export_packed(checkpoint, out, people, notes)
        return
    if people is not None or notes is not None:
        raise ConfigError(
            expected=f"--people and --notes with a file that ends in {SUFFIX}",
            found=str(out),
            where="--out",
            action="Leave them out, or name such a file.",
        )
    from norface.export import TOLERANCE, export_onnx, load_graph

    graph = load_graph(checkpoint)
    difference = export_onnx(graph, out)
    reads = " and ".join(graph.inputs)
    print(f"{graph.metadata['kind']} in {out}: reads {reads}, gives {graph.output}, for any number of faces")
    print(f"largest difference to PyTorch {difference:.1e} (at most {TOLERANCE:.0e})")


def _export_packed(checkpoint: Path, out: Path, people: str | None, notes: Path | None) -> None:
    from norface.export import export_packed
    from norface.network_files import file_sha256
    from norface.normalizer import Normalizer

    change = export_packed(checkpoint, out, people=people, notes={} if notes is None else _read_notes(notes))
    normalizer = Normalizer.load(out)
    print(f"normalizer of {normalizer.image_size} pixels in {out}: {out.stat().st_size / 1e6:.2f} MB")
    print(f"sha256 {file_sha256(out)}")
    print(f"fingerprint {normalizer.fingerprint}")
    print(f"half precision changes a pixel by at most {change:.1e} of a range of 2")


def _read_notes(path: Path) -> dict[str, Any]:
    """Notes of a YAML file.

    Raises:
        ConfigError: It is missing, or not names with values.
    """
    found: object
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = type(read).__name__
        if isinstance(read, dict):
            plain: dict[str, Any] = json.loads(json.dumps(read, default=str))  # dates as text
            return plain
    except (OSError, TypeError, ValueError, yaml.YAMLError) as error:
        found = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    raise ConfigError(
        expected="a YAML file of names and values", found=str(found), where=f"--notes {path}", action="Correct it."
    )
