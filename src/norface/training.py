"""What all training runs of norface share."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
import torch._functorch.config as functorch
from torch import Tensor, nn

from norface.errors import TrainingError

BROKEN_BATCH = "broken-batch"
"""Name of the file that a batch is saved to when a loss is not finite, before its number and ``.pt``."""


def decay_groups(parameters: Iterable[nn.Parameter], weight_decay: float) -> list[dict[str, object]]:
    """Parameter groups for an optimiser: matrices and kernels decay; biases and norms have no reason to be small."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def require_finite(parts: Mapping[str, Tensor], *, where: str, batch: Mapping[str, object], folder: Path) -> None:
    """Stop before a step that would destroy the weights, and keep what led there.

    Args:
        parts: Loss terms by name, scalars.
        where: Run, epoch and batch.
        batch: What they were computed from: tensors and plain data.
        folder: Of the run; the batch is saved there, with the terms.

    Raises:
        TrainingError: One is not finite; all are named with their values.
    """
    # One question for all of them: on a GPU, each answer would wait for everything that is still to be computed.
    if not bool(torch.isfinite(torch.stack([value.detach() for value in parts.values()])).all()):
        values = {name: value.item() for name, value in parts.items()}
        raise TrainingError(
            expected="finite losses",
            found=", ".join(f"{name} = {value:g}" for name, value in values.items()),
            where=where,
            action=f"Lower model.init_args.lr, or look for broken images and labels with `norface data check`. "
            f"The batch {_save(batch, values, folder)}.",
        )


def _save(batch: Mapping[str, object], values: Mapping[str, float], folder: Path) -> str:
    content = {key: value.detach().cpu() if isinstance(value, Tensor) else value for key, value in batch.items()}
    path = folder / f"{BROKEN_BATCH}-{os.getpid()}.pt"  # several processes may fail in the same step
    try:
        folder.mkdir(parents=True, exist_ok=True)
        torch.save({"batch": content, "losses": dict(values)}, path)
    except (OSError, RuntimeError) as error:  # a full disk must not hide what went wrong first
        return f"could not be saved: {error}"
    return f"is in {path} (`torch.load`), its faces by `face_id`"


def fuses(parameters: Iterable[nn.Parameter], precision: str) -> bool:
    """Whether an optimiser of these parameters should run as one kernel: twice as fast, equal up to rounding.

    Not in mixed precision, where Lightning refuses to clip the gradients of such optimisers, and only on devices for
    which every supported version of PyTorch has them.

    Args:
        parameters: What is optimised, on its device.
        precision: The trainer's, such as ``32-true``.
    """
    return precision == "32-true" and all(parameter.device.type in {"cpu", "cuda"} for parameter in parameters)


def compile_in_place(*networks: nn.Module) -> None:
    """Let `torch.compile` translate calls of these networks; unlike its wrapper this leaves names of weights alone."""
    # Else a compiled network can be differentiated once only, but the balance report asks each loss term by itself.
    if hasattr(functorch, "donated_buffer"):  # since torch 2.6
        functorch.donated_buffer = False
    for network in networks:
        network.compile()


class EpochMeans:
    """Means of loss terms over an epoch.

    What Lightning's `log` does for ``on_epoch=True``, but `log` is called once per epoch: with every step it took
    milliseconds, 1 to 4 % of a step of the demo's models.
    """

    def __init__(self) -> None:
        self._sums: dict[str, tuple[Tensor, int]] = {}

    def update(self, values: Mapping[str, Tensor], *, size: int) -> None:
        """Add scalars of a batch of `size` faces; a term may be missing from some batches."""
        for name, value in values.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + value.detach().float() * size, count + size)

    def take(self) -> dict[str, Tensor]:
        """The means, each over the faces of the batches that had it; then start anew."""
        means = {name: total / count for name, (total, count) in self._sums.items()}
        self._sums = {}
        return means


def seed_step(seed: int, epoch: int, batch: int, *, rank: int = 0) -> None:
    """Draw dropout and noise of a step from where it stands, so that a resumed run equals an uninterrupted one.

    Not once per epoch: making a loader's iterator draws too, and a resumed run makes it at another moment.
    """
    torch.manual_seed((((seed * 100_003 + epoch) * 1_000_003 + batch) * 1_009 + rank) % 2**63)
