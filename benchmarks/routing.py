"""Routing: a step of either mixture of experts against one of a dense block that computes as much."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.timing import Figure, in_turns, rate, ratio
from norface.classifier.experts import DenseBlock, MixtureOfExperts, MultiGateExperts

EXPERTS, TOP_K = 4, 2
TARGET = "<= 1.15"


@dataclass(frozen=True)
class Size:
    """Of a classifier.

    Attributes:
        name: For the table.
        features: Length of a feature vector.
        hidden: Hidden units of one expert.
        faces: In a batch; two streams each.
        labels: Gates of the output mixture.
        steps: In a round.
    """

    name: str
    features: int
    hidden: int
    faces: int
    labels: int
    steps: int


SIZES = (Size("demo", 128, 128, 32, 8, 40), Size("ViT-B", 768, 3072, 64, 12, 3))


def measure(*, quick: bool = False) -> list[Figure]:
    """Both mixtures at both sizes."""
    if quick:
        return measure_size(SIZES[0], rounds=1, steps=1)
    return [one for size in SIZES for one in measure_size(size, rounds=7, steps=size.steps)]


def measure_size(size: Size, *, rounds: int, steps: int) -> list[Figure]:
    """Forward and backward in training, in turns; the dense blocks do the arithmetic of the experts, and no more."""
    features, hidden, both = size.features, size.hidden, 2 * size.features
    sizes = {"experts": EXPERTS, "top_k": TOP_K}
    # Two of four experts are computed on the input side, all four on the output side.
    inputs: Mapping[str, nn.Module] = {
        "mixture": MixtureOfExperts(features, hidden, features, **sizes),
        "dense": DenseBlock(features, hidden, features, experts=TOP_K),
    }
    outputs: Mapping[str, nn.Module] = {
        "mixture": MultiGateExperts(both, hidden, features, labels=size.labels, **sizes),
        "dense": DenseBlock(both, hidden, features, labels=size.labels, experts=EXPERTS),
    }
    figures = []
    for side, modules, x in (
        ("input", inputs, torch.randn(2 * size.faces, features)),
        ("output", outputs, torch.randn(size.faces, both)),
    ):
        work = {name: _steps(module, x, steps) for name, module in modules.items()}
        times = in_turns(work, rounds=rounds)
        about = f"{size.name}, {side} mixture of {EXPERTS} experts"
        figures.append(ratio(f"{about} / dense block of equal work", times, "mixture", "dense", TARGET))
        figures.append(rate(f"{about}: vectors", times["mixture"], steps * len(x), "vectors/s"))
    return figures


def _steps(module: nn.Module, x: Tensor, count: int) -> Callable[[], None]:
    def work() -> None:
        for _ in range(count):
            answer, routing = module(x)
            (answer.square().mean() + 0.001 * routing.balance_loss()).backward()
            module.zero_grad()

    return work
