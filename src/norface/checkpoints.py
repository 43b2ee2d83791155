"""Open a checkpoint safely and know what it is."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from norface.errors import CheckpointError, NorfaceError
from norface.packed import DEFAULT, SHIPPED, SUFFIX, read_packed

if TYPE_CHECKING:
    from hashlib import _Hash

    from torch import Tensor


def checkpoint_file(path: Path) -> Path:
    """The file that a checkpoint's name stands for: ``default`` is the shipped normalizer, all else is a path.

    Raises:
        CheckpointError: No normalizer was shipped with this installation.
    """
    if str(path) != DEFAULT:
        return path
    if not SHIPPED.is_file():
        raise CheckpointError(
            expected="the normalizer that ships with norface",
            found="no such file",
            where=str(SHIPPED),
            action="Install norface from a complete package or checkout, or name a checkpoint of your own "
            f"(a file called {DEFAULT!r}: by its absolute path).",
        )
    return SHIPPED


def open_checkpoint(path: Path) -> dict[str, Any]:
    """Open a checkpoint without unpickling anything but tensors and plain data.

    Args:
        path: What `norface fit` wrote, what `norface export` packed (``.safetensors``), or the word ``default``.

    Raises:
        CheckpointError: Missing, damaged, or not a checkpoint at all.
    """
    import torch

    path = checkpoint_file(path)
    if not path.is_file():
        raise CheckpointError(
            expected="a checkpoint",
            found="no such file",
            where=str(path),
            action="Train it first (`norface fit` writes checkpoints), or correct the path.",
        )
    try:
        if path.suffix == SUFFIX:
            return read_packed(path)
        check_contents(path)
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types here: pickle, zip, runtime, end of file
        raise CheckpointError(
            expected="a readable checkpoint",
            found=f"{type(error).__name__}: {(str(error).splitlines() or ['no message'])[0][:160]}",
            where=str(path),
            action="The file is damaged or holds code: train again, or copy it again from its source.",
        ) from error
    if not (isinstance(checkpoint, dict) and isinstance(checkpoint.get("state_dict"), dict)):
        raise CheckpointError(
            expected="a checkpoint with weights",
            found=type(checkpoint).__name__,
            where=str(path),
            action="Use a checkpoint that norface wrote.",
        )
    return checkpoint


def check_contents(path: Path) -> None:
    """Compare what a checkpoint holds with its checksums: PyTorch writes them, and does not look at them on reading.

    Raises:
        BadZipFile, OSError, ...: It is damaged.
    """
    if zipfile.is_zipfile(path):  # older formats are pickles, and have none
        with zipfile.ZipFile(path) as archive:
            if (name := archive.testzip()) is not None:
                raise zipfile.BadZipFile(f"another checksum in {name}")


@contextmanager
def fitting(path: Path) -> Iterator[None]:
    """Within, whatever goes wrong lies in the file: its description and its weights do not fit together.

    Raises:
        CheckpointError: In place of what a library says about that.
    """
    try:
        yield
    except NorfaceError:
        raise
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            expected="a checkpoint whose description and weights fit together",
            found=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
            where=str(path),
            action="The file was changed or is of another version of norface: train again, or copy it again.",
        ) from error


def read_state(path: Path) -> dict[str, Tensor]:
    """Weights of a checkpoint, of whatever kind."""
    state: dict[str, Tensor] = open_checkpoint(path)["state_dict"]
    return state


def trained_people(path: str) -> tuple[str, ...]:
    """People that a checkpoint of any kind was trained on, as far as it tells; see `norface.people`."""
    about = open_checkpoint(Path(path)).get("norface")
    subjects = about.get("subjects") if isinstance(about, Mapping) else None
    return tuple(str(name) for name in subjects) if isinstance(subjects, list) else ()


def read_checkpoint(path: Path, *, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and description of a checkpoint.

    Args:
        path: A Lightning checkpoint that norface wrote.
        kind: What it must be: ``"encoder"``, ``"teacher"``, ``"normalizer"`` or ``"classifier"``.

    Returns:
        The state dict, and the description that the module left under ``"norface"``.

    Raises:
        CheckpointError: Missing, damaged, not norface's, or of another kind.
    """
    checkpoint = open_checkpoint(path)
    return checkpoint["state_dict"], describe_checkpoint(checkpoint, where=str(path), kind=kind)


def describe_checkpoint(checkpoint: object, *, where: str, kind: str) -> dict[str, Any]:
    """The description in an opened checkpoint, after checking that it is of the kind asked for."""
    about = checkpoint.get("norface") if isinstance(checkpoint, Mapping) else None
    found = about.get("kind") if isinstance(about, Mapping) else None
    if not isinstance(about, dict) or found != kind:
        raise CheckpointError(
            expected=f"{_article(kind)} {kind} checkpoint",
            found=f"{_article(found)} {found} checkpoint" if found else "a checkpoint that norface did not write",
            where=where,
            action=f"Name the checkpoint of the {kind} run.",
        )
    return about


def _article(noun: object) -> str:
    return "an" if str(noun)[:1] in set("aeiou") else "a"


def hash_weights(digest: _Hash, state: Mapping[str, Tensor]) -> None:
    """Feed names and values of a state dict to a hash, in an order of its own."""
    for name, value in sorted(state.items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
