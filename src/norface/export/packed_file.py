"""Pack a normalizer for others: the averaged generator alone, in half precision, with what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from norface.cache.durable import write_durably
from norface.checkpoints import open_checkpoint, read_checkpoint
from norface.export.onnx_file import ExportError
from norface.normalizer import Normalizer
from norface.normalizer.starting import AVERAGED
from norface.packed import SUFFIX, pack
from norface.people import person

PACKED_TOLERANCE = 0.02
"""Largest change of a pixel, of a range of 2, with which a file is written: two and a half grey levels."""

COMPARED_FACES = 8


def export_packed(checkpoint: Path, out: Path, *, people: str | None, notes: Mapping[str, Any]) -> float:
    """Pack, open again, compare, then write; what answers differently is never written.

    Args:
        checkpoint: Of a normalizer; a packed one is packed anew, with other notes.
        out: File to write, ``.safetensors``.
        people: Space of the people that it was trained on, see `norface.people`; None leaves their names as they are.
        notes: Plain data about its training, kept in the file under ``"notes"``.

    Returns:
        Largest absolute change of a pixel in [-1, 1] through half precision.

    Raises:
        CheckpointError: Missing, damaged, or not a normalizer.
        ExportError: Its weights do not bear half precision.
        OutputError: The file cannot be written.
    """
    data = packed(checkpoint, people=people, notes=notes)
    with TemporaryDirectory() as folder:
        trial = Path(folder) / f"trial{SUFFIX}"
        trial.write_bytes(data)
        difference = largest_change(Normalizer.load(checkpoint), Normalizer.load(trial))
    if not difference <= PACKED_TOLERANCE:  # NaN too
        raise ExportError(
            expected=f"pixels that half precision changes by at most {PACKED_TOLERANCE:g}",
            found=f"a change of {difference:.3g}",
            where=str(checkpoint),
            action="No file was written. Train on with a lower rate, or pass the checkpoint itself on.",
        )
    write_durably(out, data)
    return difference


def packed(checkpoint: Path, *, people: str | None, notes: Mapping[str, Any]) -> bytes:
    """Content of the packed file; arguments and errors as of `export_packed`."""
    state, about = read_checkpoint(checkpoint, kind="normalizer")
    kept = {name: _halved(value) for name, value in state.items() if name.startswith(AVERAGED)}
    kept["target"] = state["target"]  # the picture that faces are compared with stays exact
    trained = open_checkpoint(checkpoint)
    progress = {name: trained[name] for name in ("epoch", "global_step") if isinstance(trained.get(name), int)}
    described = about | ({"progress": progress} if progress else {}) | {"subjects": _named(about["subjects"], people)}
    return pack(kept, described | ({"notes": dict(notes)} if notes else {}))


def _halved(value: torch.Tensor) -> torch.Tensor:
    return value.half() if value.is_floating_point() else value


def _named(subjects: list[str], people: str | None) -> list[str]:
    return [name if ":" in name else person(name, people) for name in subjects]


@torch.inference_mode()
def largest_change(first: Normalizer, second: Normalizer) -> float:
    """Largest difference between what two normalizers make of the target and of smooth random images."""
    coarse = torch.rand(COMPARED_FACES, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    images = torch.nn.functional.interpolate(coarse, size=(first.image_size,) * 2, mode="bilinear")
    faces = torch.cat([first.target, 0.5 * (images + first.target)])
    return float((first(faces) - second(faces)).abs().max())
